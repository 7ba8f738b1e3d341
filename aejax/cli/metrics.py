"""The figures of a finished run: what the autoencoder loses on test examples, and what PCA does."""

from collections.abc import Callable, Iterable
from functools import partial
from math import prod
from typing import Any

import jax
import numpy as np

from aejax import training
from aejax.cli.run import Examples, Run
from aejax.cli.streamed import Streamed
from aejax.objective import reconstruct
from aejax.theory.pca import PCA, pca_of_moments
from aejax.theory.streams import moments_of_stream
from aejax.training.passes import in_order

PCA_EXAMPLES = 2**14
"""Train examples of a stream to which PCA is fitted."""


def measure(run: Run, examples: Examples | Streamed) -> dict[str, Any]:
    """Reconstruction error on the test examples, beside that of PCA with as many numbers."""
    example = jax.ShapeDtypeStruct((1, prod(examples.shape)), np.float32)
    code = jax.eval_shape(run.objective.model.encode, run.params, example).size  # also if spatial
    # The parameters are an argument, so that the program is any run's of this shape, and kept.
    reconstructed = partial(jax.jit(reconstruct, static_argnums=0), run.objective, run.params)
    test_examples, test_error = _mean_error(reconstructed, _test_batches(examples))
    return {
        "measure": "mean over test examples of the sum over features of (x̂ − x)², normalised units",
        "test_examples": test_examples,
        "code": code,
        "step": run.step,
        "test_error": test_error,
        **(
            _streamed_pca_error(examples, code)
            if isinstance(examples, Streamed)
            else {"pca_test_error": _pca_error(examples, code)}
        ),
    }


def _test_batches(examples: Examples | Streamed) -> Iterable[np.ndarray]:
    """The test examples, at once where they are in memory."""
    if not isinstance(examples, Streamed):
        return [np.asarray(examples.test.x)]
    test = examples.test
    steps = (range(number, number + 1) for number in range(training.steps_of_pass(test)))
    return (np.asarray(test.read(in_order(test, step)).x) for step in steps)


def _mean_error(
    reconstructed: Callable[[np.ndarray], Any], batches: Iterable[np.ndarray]
) -> tuple[int, float]:
    """How many examples there are, and their mean error."""
    count, total = 0, 0.0
    for x in batches:
        count, total = count + len(x), total + len(x) * _error(np.asarray(reconstructed(x)), x)
    return count, total / count


def _streamed_pca_error(examples: Streamed, code: int) -> dict[str, Any]:
    """PCA from the moments of train examples evenly spread, and of how many."""
    rows = np.unique(np.linspace(0, len(examples.rows) - 1, PCA_EXAMPLES).astype(int))
    if code >= min(len(rows), prod(examples.shape)):
        return {"pca_test_error": None, "pca_examples": len(rows)}
    parts = np.array_split(rows, -(-len(rows) // examples.train.batch_size))
    analysis = pca_of_moments(moments_of_stream(examples.rows[p] for p in parts))
    _, error = _mean_error(partial(_projected, analysis, code), _test_batches(examples))
    return {"pca_test_error": error, "pca_examples": len(rows)}


def _pca_error(examples: Examples, code: int) -> float | None:
    """PCA fitted to all train examples, validation included; None where it keeps everything."""
    from aejax.theory.covariance import analyse_covariance  # with SciPy's linear algebra

    x_train = np.asarray(examples.train.x)
    if examples.validation is not None:
        x_train = np.concatenate([x_train, np.asarray(examples.validation.x)])
    if code >= min(x_train.shape):
        return None
    _, analysis = analyse_covariance(x_train, dtype=np.float64)
    x = np.asarray(examples.test.x, np.float64)
    return _error(_projected(analysis, code, x), x)


def _projected(analysis: PCA, code: int, x: np.ndarray) -> np.ndarray:
    """What so many components keep of x."""
    kept = analysis.components[:code]
    return analysis.mean + (x - analysis.mean) @ kept.T @ kept


def _error(x_hat: np.ndarray, x: np.ndarray) -> float:
    difference = np.subtract(x_hat, x, dtype=np.float64)
    return float(np.vdot(difference, difference) / len(x))
