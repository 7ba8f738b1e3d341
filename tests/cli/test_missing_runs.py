"""Runs of tables with missing values and categories: filled, left out of losses, and by column."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.datasets import load_iris

from aejax.cli import main
from aejax.data import load
from aejax.runs.run import open_run, read_metrics
from tests.cli.conftest import check, history_of, state_of

SETTINGS = (
    "train --sizes 7 6 2 --activation tanh --normalise standardise --schedule constant --quiet"
)
LEFT_OUT = "--missing weight-zero --loss by-column"
ROWS = 60
IS_TEST = np.arange(ROWS) % 5 == 4


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A table with missing values, the same filled by hand, and runs of them."""
    folder, rng = tmp_path_factory.mktemp("tables"), np.random.default_rng(0)
    table = load_iris(as_frame=True).data[:ROWS].set_axis(list("abcd"), axis=1)
    hidden = rng.random((ROWS, 4)) < 0.2
    table = table.mask(hidden)
    kind = [None if i % 7 == 0 else "xyz"[i % 3] for i in range(ROWS)]
    table["kind"] = ["x", "y", "z"] * 20
    table.to_parquet(folder / "holes.parquet")
    means = load(folder / "holes.parquet", missing="mean").schema.fill  # scikit-learn's are tested
    table.fillna(dict(zip("abcd", means, strict=False))).to_parquet(folder / "filled.parquet")
    table.assign(kind=kind).to_csv(folder / "mixed.csv", index=False)
    table.assign(kind=kind).to_csv(folder / "marked.csv", index=False, na_rep="NA")
    for name, data, words in (
        ("by hand", "filled.parquet", "--loss squared"),
        ("mean", "holes.parquet", "--loss squared --missing mean"),
        ("left out", "mixed.csv", LEFT_OUT),
        ("marked", "marked.csv", LEFT_OUT),
    ):
        words = [*SETTINGS.split(), *words.split(), "--data", str(folder / data)]
        assert main([*words, "--epochs", "2", "--out", str(folder / name)]) == 0
    return folder


def test_the_mean_is_that_of_a_table_filled_by_hand(tables):
    assert state_of(tables / "mean") == state_of(tables / "by hand")
    assert history_of(tables / "mean") == history_of(tables / "by hand")
    metrics = [(tables / name / "metrics.json").read_text() for name in ("mean", "by hand")]
    assert metrics[0] == metrics[1]


def test_the_mark_of_a_missing_value_has_no_influence(tables):
    assert state_of(tables / "left out") == state_of(tables / "marked")
    assert history_of(tables / "left out") == history_of(tables / "marked")


def test_errors_leave_missing_values_out(tables, tmp_path, aejax):
    run, data = tables / "left out", tables / "mixed.csv"
    for command in ("reconstruct", "score"):
        assert aejax(command, run, data, "--out", tmp_path / f"{command}.csv").code == 0
    given, found = pd.read_csv(data), pd.read_csv(tmp_path / "reconstruct.csv")
    assert not found.isna().any().any()  # a reconstruction fills the holes
    scores = pd.read_csv(tmp_path / "score.csv")
    numbers = list("abcd")
    scale = given.loc[~IS_TEST, numbers].std(ddof=0)
    expected = (((found[numbers] - given[numbers]) / scale) ** 2).fillna(0.0)
    errors = scores[[f"error_{name}" for name in numbers]].set_axis(numbers, axis=1)
    np.testing.assert_allclose(errors, expected, rtol=1e-3, atol=1e-5)
    assert (scores.loc[given["kind"].isna(), "error_kind"] == 0).all()
    assert (scores.loc[given["kind"].notna(), "error_kind"] > 0).all()
    total = scores["error"][IS_TEST].mean()
    np.testing.assert_allclose(read_metrics(run)["test_error"], total, rtol=1e-4)


def test_categories_are_probabilities_and_stay_one_hot(tables):
    run = open_run(tables / "left out")
    dataset = load(tables / "mixed.csv", missing="weight-zero")
    np.testing.assert_array_equal(run.normalisation.shift[4:], 0)
    np.testing.assert_array_equal(run.normalisation.scale[4:], 1)
    observed = np.where(dataset.observed_train, dataset.x_train, np.nan)[:, :4]
    np.testing.assert_allclose(run.normalisation.scale[:4], np.nanstd(observed, axis=0))
    output = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    x_hat = np.asarray(run.objective.loss.mean(jnp.asarray(output)))
    np.testing.assert_array_equal(x_hat[:, :4], output[:, :4])
    np.testing.assert_allclose(x_hat[:, 4:], softmax(output[:, 4:], axis=1), rtol=1e-5)


def test_a_run_that_leaves_values_out_is_resumed(tables, tmp_path, aejax):
    words = f"{SETTINGS} {LEFT_OUT} --data {tables / 'mixed.csv'}"
    assert aejax(words, "--epochs 1 --out", tmp_path / "run").code == 0
    assert aejax("train --quiet --resume --epochs 2 --out", tmp_path / "run").code == 0
    assert state_of(tmp_path / "run") == state_of(tables / "left out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--data mixed.csv --loss squared",
            "column 'a', | --missing mean, or --missing weight-zero",
        ),
        ("--data digits --loss by-column", "the loss by-column is for the columns of a table"),
        ("--data digits --missing mean", "missing is for its values, but digits is none"),
        (
            "--data mixed.csv --missing weight-zero --refinement-steps 1",
            "missing must be refuse or mean with --refinement-steps, got weight-zero",
        ),
        ("--data mixed.csv --missing mean --stream", "missing must be refuse with --stream"),
    ],
)
def test_unsuitable_options_are_refused(tables, tmp_path, monkeypatch, aejax, words, message):
    monkeypatch.chdir(tables)
    check(aejax(f"train {words} --out", tmp_path / "run"), message)
