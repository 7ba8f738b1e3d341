"""Numbers of active units are swept in one program, whose members are the runs of `aejax train`."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax import runs
from aejax.cli import main
from aejax.runs import sweeping
from aejax.runs.builders import make_trained_objective
from aejax.runs.configuration import Options
from aejax.runs.default_settings import DataFacts, complete
from aejax.runs.dictionary_objective import with_active_units
from aejax.runs.dictionary_settings import DictionarySettings
from aejax.runs.sweep_grid import divide, trained_together
from tests.cli.conftest import history_of

UNITS, FEATURES, ROWS = 12, 7, 120
SETTINGS = f"--code {UNITS} --epochs 3 --batch-size 24 --schedule constant --split-seed 0 --quiet"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    x = (rng.random((ROWS, UNITS)) < 0.2) @ rng.normal(size=(UNITS, FEATURES))
    path = tmp_path_factory.mktemp("data") / "table.npy"
    np.save(path, x)
    return path


def options_of(table, activation):
    dictionary = DictionarySettings(activation, dead_after=3)
    settings = {"epochs": 3, "batch_size": 24, "schedule": "constant"}
    return Options(data=str(table), code=UNITS, dictionary=dictionary, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["topk", "batchtopk", "jumprelu"])
def test_members_of_one_program_are_the_runs_of_the_command(
    activation, table, tmp_path, monkeypatch
):
    trained, train_programs = [], sweeping.train_programs

    def counted(options, programs, *others):
        trained.append([program.name for program in programs])
        return train_programs(options, programs, *others)

    monkeypatch.setattr(sweeping, "train_programs", counted)
    grid = {"dictionary.k": [1, 3], "learning_rate": [1e-2]}
    found = runs.sweep(options_of(table, activation), grid, out=tmp_path / "sweep", seeds=2)
    assert trained == [["dictionary.k-1", "dictionary.k-3"]]
    for row in found.table:
        if row["run"] is None:
            continue
        out, k = tmp_path / "runs" / str(row["dictionary.k"]), row["dictionary.k"]
        words = f"--seed {row['seed']} --learning-rate 1e-2 --dictionary.dead-after 3"
        line = f"train --data {table} {SETTINGS} {words} --dictionary.activation {activation}"
        assert main([*line.split(), "--dictionary.k", str(k), "--out", str(out)]) == 0
        member = found.folder / row["run"]
        settings = [(run / "configuration.json").read_text() for run in (out, member)]
        assert settings[0] == settings[1]
        values = [[record["loss"] for record in history_of(run)] for run in (out, member)]
        np.testing.assert_allclose(*values, rtol=1e-4)
        opened = [runs.open(run) for run in (out, member)]
        jax.tree.map(
            partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5),
            *(run.params for run in opened),
        )
        error = json.loads((out / "metrics.json").read_text())["test_error"]
        assert row["test_error"] == pytest.approx(error, rel=1e-3)
    assert len({row["run"] for row in found.table}) == 3  # the best of each k, and the others


def test_values_that_change_the_shapes_are_trained_apart(table):
    options = options_of(table, None)
    grid = {"dictionary.activation": ["topk", "matching-pursuit"], "dictionary.k": [1, 2]}
    groups = trained_together(divide(grid), options)
    assert [[program.static["dictionary.k"] for program in group] for group in groups] == [
        [1, 2],
        [1],
        [2],
    ]
    weights = {"dictionary.k": [1, 2], "dictionary.auxk": [0.0, 0.1, 0.2]}
    groups = trained_together(divide(weights), options_of(table, "topk"))
    assert [len(group) for group in groups] == [2, 2]


@pytest.mark.parametrize(
    ("activation", "precision"),
    [("topk", "mixed"), ("batchtopk", "full"), ("jumprelu", "full")],
)
def test_a_traced_number_of_units_gives_the_objective_of_that_number(activation, precision):
    x = jnp.asarray(np.random.default_rng(1).normal(size=(10, FEATURES)), jnp.float32)

    def objective_with(k):
        dictionary = DictionarySettings(activation, k=k)
        facts = DataFacts((FEATURES,), 100, 10, is_bounded=False)
        options = Options(code=UNITS, dictionary=dictionary, precision=precision)
        training = complete(options, facts)
        return training, make_trained_objective(training, (FEATURES,))

    training, objective = objective_with(4)
    params = objective.model.init(jax.random.key(0))

    @jax.jit
    def traced(k):
        swept = with_active_units(objective, training, k, at_most=5)
        return swept(params, aejax.Batch(x), jax.random.key(1))[0]

    for k in (1, 5):
        _, expected = objective_with(k)
        loss, _ = jax.jit(expected)(params, aejax.Batch(x), jax.random.key(1))
        np.testing.assert_allclose(traced(jnp.int32(k)), loss, rtol=1e-6)
