"""Advice at the end of a run."""

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aejax.cli.execution import parsed
from aejax.runs.advice import advice, is_decreasing
from aejax.runs.configuration import Training
from aejax.runs.dictionary_settings import DictionarySettings

OUT = Path("runs/my run")
COSINE = Training(data="digits", schedule="cosine", epochs=100)
GOOD = {"test_error": 1.0, "pca_test_error": 0.99, "code": 16}
WORSE = GOOD | {"pca_test_error": 0.9}


def history(losses):
    return [
        {"epoch": i, "validation": {"loss": float(loss)}} for i, loss in enumerate(losses, start=1)
    ]


FALLING = history(np.linspace(2, 1, 50))
CONVERGED = history(1 + np.exp(-np.arange(50)))


def test_nothing_is_advised_for_a_converged_run_as_good_as_pca():
    for metrics in (GOOD, GOOD | {"pca_test_error": None}):
        assert advice(COSINE, metrics, CONVERGED, OUT) is None
    assert advice(COSINE, GOOD, [{"epoch": 1}], OUT) is None


def test_a_run_that_was_still_improving_is_prolonged():
    told = "the validation loss was still decreasing: "
    again = "repeat with aejax train --from 'runs/my run' --epochs 200 --out ANOTHER"
    assert advice(COSINE, GOOD, FALLING, OUT) == told + again
    assert (
        advice(COSINE, WORSE, FALLING, OUT) == f"PCA with 16 components has a lower error: {again}"
    )
    constant = replace(COSINE, schedule="constant")
    resume = "resume with aejax train --resume --epochs 200 --out 'runs/my run'"
    assert advice(constant, GOOD, FALLING, OUT) == told + resume


def test_a_run_that_loses_to_pca_is_started_from_it():
    told = "PCA with 16 components has a lower error: "
    start = "start from it with aejax train --data digits --code 16 --out ANOTHER"
    assert advice(COSINE, WORSE, CONVERGED, OUT) == told + start
    found = advice(replace(COSINE, linear_path=True), WORSE, CONVERGED, OUT)
    assert found is not None
    assert "lower --learning-rate" in found


def test_the_start_from_pca_has_the_options_of_the_data():
    data = {"data": "my clinic.csv", "label": "stage (1-4)", "ignore": ("id", "ward no")}
    run = Training(**data, missing="weight-zero", schedule="cosine", epochs=100)
    found = advice(run, WORSE, CONVERGED, OUT)
    assert found is not None
    words = shlex.split(found.partition("aejax ")[2].replace("ANOTHER", "another"))
    training = parsed(words).training
    assert {name: getattr(training, name) for name in data} == data
    assert (training.missing, training.code, training.linear_path) == ("mean", 16, None)


def test_a_dictionary_is_compared_with_pca_at_equal_sparsity():
    metrics = WORSE | {"pca_components": 4, "active_units": 4.2}
    told = "PCA with 4 components has a lower error: try --"
    for activation, option in (("relu", "dictionary.activation topk, "), ("topk", "code 32")):
        run = replace(COSINE, dictionary=DictionarySettings(activation))
        found = advice(run, metrics, CONVERGED, OUT)
        assert found is not None
        assert found.startswith(told + option)
        assert advice(run, metrics | GOOD, CONVERGED, OUT) is None


def test_the_loss_by_column_is_not_measured_by_the_squared_error_of_pca():
    by_column = replace(COSINE, loss="by-column")
    assert advice(by_column, WORSE, CONVERGED, OUT) is None
    found = advice(by_column, WORSE, FALLING, OUT)
    assert found is not None
    assert found.startswith("the validation loss was still decreasing: ")


@pytest.mark.parametrize(
    ("losses", "decreasing"),
    [
        ([], False),
        ([1.0], False),
        ([2.0, 1.0], True),
        ([1.0, 2.0], False),
        ([*np.linspace(2, 1, 40), *([1.5] * 10)], False),  # the best epoch is long ago
    ],
)
def test_a_decrease_counts_only_if_it_is_recent(losses, decreasing):
    assert is_decreasing(history(losses)) == decreasing
