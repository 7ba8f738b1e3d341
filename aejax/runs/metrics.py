"""The figures of a finished run: what the autoencoder loses on test examples, and what PCA does."""

from collections.abc import Callable, Iterable
from functools import partial
from math import prod
from typing import Any

import jax
import numpy as np

from aejax import training
from aejax.data.example_blocks import blocks
from aejax.objectives import reconstruct
from aejax.runs.run import Examples, Run
from aejax.runs.streamed_examples import Streamed
from aejax.theory.analysis.pca import PCA
from aejax.training.stream import in_order

PCA_EXAMPLES = 2**14
"""Train examples of a stream to which PCA is fitted, at most."""

PCA_BYTES = 2**28
"""Bytes of them, at most."""

PCA_SKIPPED = {"pca_test_error": None, "pca_method": "skipped"}


def measure(run: Run, examples: Examples | Streamed, *, pca: bool = True) -> dict[str, Any]:
    """Reconstruction error on the test examples, beside that of PCA with as many components.

    Args:
        run: a trained run.
        examples: of its data.
        pca: whether to measure PCA too, which takes long where examples and features are many.

    Returns:
        What `metrics.json` holds. "pca_method" is "exact", "randomised, N passes" (see
        `truncated_pca`), "skipped", or None where PCA would keep everything.
    """
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
        **(_pca_baseline(examples, code) if pca else PCA_SKIPPED),
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


def _pca_baseline(examples: Examples | Streamed, code: int) -> dict[str, Any]:
    """PCA of train examples, on the test examples; no error where it would keep everything."""
    x_train = _pca_examples(examples)
    count = {"pca_examples": len(x_train)} if isinstance(examples, Streamed) else {}
    if code >= min(x_train.shape):
        return {"pca_test_error": None, "pca_method": None} | count
    from aejax.theory.analysis.truncated_pca import truncated_pca  # with SciPy's linear algebra

    analysis, passes = truncated_pca(x_train, code)
    test = (block for batch in _test_batches(examples) for _, block in blocks(batch))
    _, error = _mean_error(partial(_projected, analysis), test)
    method = "exact" if passes is None else f"randomised, {passes} passes"
    return {"pca_test_error": error, "pca_method": method} | count


def _pca_examples(examples: Examples | Streamed) -> np.ndarray:
    """All train examples, validation included; of a stream, as many as memory allows, evenly."""
    if isinstance(examples, Streamed):
        most = min(PCA_EXAMPLES, max(1, PCA_BYTES // (4 * prod(examples.shape))))
        rows = np.unique(np.linspace(0, len(examples.rows) - 1, most).astype(int))
        parts = np.array_split(rows, -(-len(rows) // examples.train.batch_size))
        return np.concatenate([examples.rows[part] for part in parts])
    x_train = np.asarray(examples.train.x)
    if examples.validation is None:
        return x_train
    return np.concatenate([x_train, np.asarray(examples.validation.x)])


def _projected(analysis: PCA, x: np.ndarray) -> np.ndarray:
    """What the components keep of x."""
    return analysis.mean + (x - analysis.mean) @ analysis.components.T @ analysis.components


def _error(x_hat: np.ndarray, x: np.ndarray) -> float:
    difference = np.subtract(x_hat, x, dtype=np.float64)
    return float(np.vdot(difference, difference) / len(x))
