"""Sweeps of variational and quantised autoencoders: their members are runs, with rates."""

import numpy as np
import pytest
from scipy.stats import entropy

from aejax import runs
from aejax.cli import main
from aejax.data.split import every_fifth
from aejax.report.sweep_report import sweep_page
from aejax.runs.configuration import Options
from aejax.runs.quantisation_settings import QuantisationSettings
from aejax.runs.sweep_summary import summarise
from aejax.runs.variational_settings import VariationalSettings
from tests.cli.conftest import history_of

X = np.random.default_rng(0).normal(size=(120, 3)) @ np.random.default_rng(1).normal(size=(3, 7))
SETTINGS = {"epochs": 4, "batch_size": 24, "split_seed": 0, "learning_rate": 3e-3}
X_TEST = every_fifth(X)[1]


@pytest.fixture
def table(tmp_path):
    np.save(tmp_path / "table.npy", X)
    return str(tmp_path / "table.npy")


def best_run_checked_against_the_command(found, words, tmp_path):
    """Best run and its row, after its losses were compared with those of `aejax train`."""
    (row,) = (
        each for each in found.table if each["run"] and found.folder / each["run"] == found.best
    )
    out = tmp_path / "run"
    options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in SETTINGS.items())
    swept = " ".join(f"--{name} {row[name]}" for name in found.swept)
    line = f"train --data {found.shared['data']} {options} {words} {swept} --seed {row['seed']}"
    assert main([*line.split(), "--quiet", "--out", str(out)]) == 0
    losses = [[record["loss"] for record in history_of(run)] for run in (out, found.best)]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    return runs.open(found.best), row


def test_a_sweep_over_beta_has_the_divergence_of_each_member(table, tmp_path):
    part = VariationalSettings("diagonal")
    options = Options(data=table, code=2, variational=part, **SETTINGS)
    grid = {"variational.beta": [0.01, 30.0]}
    found = runs.sweep(options, grid, out=tmp_path / "sweep", seeds=2)
    rates = {beta: [] for beta in grid["variational.beta"]}
    for row in found.table:
        assert (row["code"], row["pca_test_error"], row["pca_components"]) == (2, None, None)
        rates[row["variational.beta"]].append(row["divergence"])
    assert min(rates[0.01]) > max(rates[30.0])
    words = "--code 2 --variational.posterior diagonal"
    run, row = best_run_checked_against_the_command(found, words, tmp_path)
    code = runs.encode(run, X_TEST)
    mean, log_variance = (np.asarray(part, float) for part in (code.mean, code.log_variance))
    terms = (np.exp(log_variance) + mean**2 - 1 - log_variance) / 2
    np.testing.assert_allclose(row["divergence"], terms.sum(axis=1).mean(), rtol=1e-5)
    page = sweep_page(found)
    assert "lowest weight β" in page
    assert "PCA with" not in page
    summary = {each["variational.beta"]: each["divergence"] for each in summarise(found)}
    np.testing.assert_allclose(summary[30.0], np.mean(rates[30.0]))


@pytest.mark.parametrize(
    ("quantiser", "name", "values"),
    [
        ("vector", "codewords", [4, 8]),
        ("residual", "depth", [1, 2]),
        ("finite-scalar", "levels", [(3, 3), (5, 5)]),
    ],
)
def test_a_sweep_of_discrete_codes_has_their_rate(quantiser, name, values, table, tmp_path):
    settings = {"channels": 2} | ({"codewords": 8} if quantiser == "residual" else {})
    settings = {} if quantiser == "finite-scalar" else settings
    options = Options(
        data=table, code=4, quantised=QuantisationSettings(quantiser, **settings), **SETTINGS
    )
    found = runs.sweep(options, {f"quantised.{name}": values}, out=tmp_path / "sweep", seeds=1)
    assert all(row["pca_test_error"] is None for row in found.table)
    (row,) = (each for each in found.table if found.folder / each["run"] == found.best)
    indices = np.asarray(runs.encode(runs.open(found.best), X_TEST).indices)
    depth = row["quantised.depth"] if quantiser == "residual" else 1
    columns = indices.reshape(-1, depth).T
    bits = sum(entropy(np.unique(c, return_counts=True)[1], base=2) for c in columns)
    np.testing.assert_allclose(row["bits"], bits * indices[0].size / depth, rtol=1e-5)
    assert "Bits are those of an ideal code" in sweep_page(found)
    if quantiser == "vector":
        words = "--code 4 --quantised.quantiser vector --quantised.channels 2"
        best_run_checked_against_the_command(found, words, tmp_path)
