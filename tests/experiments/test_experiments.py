"""What every experiment keeps to: its words, its size, a quick run, a summary of its own."""

import dataclasses
import json
from pathlib import Path

import pytest

from experiments.harness import records, table
from experiments.harness.command import execute

EXPERIMENTS = table.modules()
LARGEST = 200_000  # bytes of a committed file
LEAST_SEEDS = dict.fromkeys(
    (
        "faces",
        "optimisers",
        "segmentation",
        "six_numbers",
        "thirty_numbers",
        "thirty_numbers_parts",
    ),
    3,
)  # their trainings take the longest

each = pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)


@each
def test_its_docstring_says_claim_source_command_expected_and_run_time(experiment):
    about = records.about(experiment)
    assert about["title"].endswith(".")
    for field in records.FIELDS:
        assert len(about[field.lower()]) > 5, field
    assert about["command"].startswith(f"python -m experiments.{records.name_of(experiment)}")


@each
def test_its_file_is_short_and_its_settings_are_frozen(experiment):
    assert len(Path(experiment.__file__).read_text(encoding="utf-8").splitlines()) <= 200
    for config in (experiment.Config(), experiment.QUICK):
        assert config.seeds >= 2
        with pytest.raises(dataclasses.FrozenInstanceError):
            config.seeds = 1


@each
def test_its_quick_setting_runs_from_the_command_line(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "ROOT", tmp_path)
    record = execute(experiment, ["--quick"])
    assert record["config"] == records.plain(experiment.QUICK)
    assert record["comparisons"]
    (figure,) = (tmp_path / "results").rglob("*.png")
    assert figure.stat().st_size > 5000
    assert not (tmp_path / "experiments").exists()  # the summary is the full setting's


@each
def test_its_committed_summary_is_of_its_full_setting_and_small(experiment):
    file = records.summary_file(records.name_of(experiment))
    record = json.loads(file.read_text(encoding="utf-8"))
    assert record["config"] == records.plain(experiment.Config())
    assert record["config"]["seeds"] >= LEAST_SEEDS.get(record["experiment"], 5)
    assert record == table.refreshed(experiment)  # words and verdict are those of the file
    assert file.stat().st_size < LARGEST
    assert file.with_suffix(".png").stat().st_size < LARGEST


def test_the_table_is_that_of_the_committed_records():
    found = [table.refreshed(experiment) for experiment in EXPERIMENTS.values()]
    assert table.README.read_text(encoding="utf-8") == table.table(found)


def test_every_committed_result_has_its_experiment():
    results = records.ROOT / "experiments" / "results"
    names = {path.name for path in results.iterdir()}
    assert names == {f"{name}.{kind}" for name in EXPERIMENTS for kind in ("json", "png")}
