"""Every experiment: its texts, size, quick run and committed results."""

import dataclasses
import inspect
import json
import re

import numpy as np
import pytest

from experiments.harness import comparisons, records, table
from experiments.harness.command import execute

EXPERIMENTS = table.all_experiments()
MAX_BYTES = 200_000  # of a committed file
MIN_SEEDS = dict.fromkeys(
    (
        "faces",
        "inpainting",
        "optimisers",
        "segmentation",
        "six_numbers",
        "thirty_numbers",
        "thirty_numbers_parts",
        "variational_mnist",
    ),
    3,
)  # those with the longest trainings

each = pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)


@each
def test_its_docstring_states_claim_source_command_expected_and_run_time(experiment):
    text = inspect.getdoc(inspect.getmodule(experiment.run))
    for field in ("Claim", "Source", "Command", "Expected", "Run time"):
        assert re.search(rf"^{field}: +\S.{{5}}", text, re.MULTILINE), field
    docstring = " ".join(text.split())
    assert docstring.startswith(experiment.title)
    assert experiment.title.endswith(".")
    for text in (experiment.source, experiment.command, experiment.run_time):
        assert text in docstring
    assert len(experiment.texts) == 7
    assert all(len(text) > 5 for text in experiment.texts.values())


@each
def test_its_name_is_that_of_its_file(experiment):
    assert experiment.file.stem == experiment.name == EXPERIMENTS[experiment.name].name


@each
def test_its_primary_comparison_is_between_two_named_sets_of_values(experiment):
    record = json.loads(records.summary_file(experiment.name).read_text(encoding="utf-8"))
    primary = experiment.primary(record["metrics"])
    assert primary.side in (comparisons.above, comparisons.below)
    assert primary.subject[0] != primary.reference[0]
    assert len(primary.subject[1]) == experiment.config.seeds
    values = [f"{np.mean(values):.4g}" for _, values in (primary.subject, primary.reference)]
    assert experiment.expected.startswith(" against ".join(values))


@each
def test_its_file_is_short_and_its_settings_are_frozen(experiment):
    assert len(experiment.file.read_text(encoding="utf-8").splitlines()) <= 200
    for config in (experiment.config, experiment.quick):
        assert config.seeds >= 2
        with pytest.raises(dataclasses.FrozenInstanceError):
            config.seeds = 1


@each
def test_its_quick_setting_runs_from_the_command_line(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "ROOT", tmp_path)
    record = execute(experiment, ["--quick"])
    assert record["config"] == records.config_as_json(experiment.quick)
    assert record["comparisons"]
    (figure,) = (tmp_path / "results").rglob("*.png")
    assert figure.stat().st_size > 5000
    assert not (tmp_path / "experiments").exists()  # only the full setting has a summary


@each
def test_its_committed_summary_has_the_full_setting_and_is_small(experiment):
    file = records.summary_file(experiment.name)
    record = json.loads(file.read_text(encoding="utf-8"))
    assert record["config"] == records.config_as_json(experiment.config)
    assert record["config"]["seeds"] >= MIN_SEEDS.get(record["experiment"], 5)
    assert record == table.refreshed(experiment)  # texts and verdicts are current
    assert file.stat().st_size < MAX_BYTES
    assert file.with_suffix(".png").stat().st_size < MAX_BYTES


def test_the_table_is_generated_from_the_committed_records():
    assert table.README.read_text(encoding="utf-8") == table.current_document()


def test_every_committed_result_has_its_experiment():
    results = records.ROOT / "experiments" / "results"
    names = {path.name for path in results.iterdir()}
    assert names == {f"{name}.{kind}" for name in EXPERIMENTS for kind in ("json", "png")}
