"""Metrics of a finished run: test errors of the autoencoder and of PCA, statistics of its code."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data.example_blocks import blocks
from aejax.objectives import Objective
from aejax.runs.code_units import array_of, code_like, count_units
from aejax.runs.codeword_usage import has_indices, usage_of_run
from aejax.runs.examples import Examples
from aejax.runs.inference import compiled_reconstruct
from aejax.runs.pca_baseline import fit_pca_baseline, project
from aejax.runs.run import Run
from aejax.types import Array, Batch, Params

PCA_SKIPPED = {"pca_test_error": None, "pca_method": "skipped"}


def measure(run: Run, examples: Examples, *, pca: bool = True) -> dict[str, Any]:
    """Test reconstruction errors of the autoencoder and of PCA, and statistics of the code.

    Args:
        run: trained run.
        examples: examples of its data.
        pca: whether to measure PCA, which takes long for many examples and features.

    Returns:
        Contents of `metrics.json`. PCA has as many components as the code has units; for a
        dictionary, as many as an example has active units on average ("pca_components").
        "pca_method" is "exact", "randomised, N passes" (see `truncated_pca`), "skipped" (also for a
        code that is a tree of arrays), or None if PCA would reconstruct the train data exactly. Of
        a dictionary: "active_units", the mean number of units that are not 0, "dead_units", the
        number of those that are 0 on all test examples, and "explained_variance", None for equal
        examples. "quantised" has the usage of the values of a discrete code. Missing values of
        weight zero are left out of the errors.
    """
    like = code_like(run)
    units, is_array = count_units(array_of(like)), isinstance(like, jax.ShapeDtypeStruct)
    reconstructed = partial(compiled_reconstruct, run.objective, run.params)
    test_examples, test_error = mean_error(reconstructed, examples.test_batches())
    sparsity: dict[str, Any] = {}
    if run.configuration.dictionary.activation is not None:
        sparsity = sparsity_metrics(run.objective, run.params, examples.test_batches, test_error)
    components = max(1, round(sparsity["active_units"])) if sparsity else units
    return {
        "measure": "mean over test examples of the sum over features of (x̂ − x)², normalised units",
        "test_examples": test_examples,
        "code": units,
        "step": run.step,
        "test_error": test_error,
        **sparsity,
        **({"quantised": _usage(run, examples)} if has_indices(run) else {}),
        **(_pca_baseline(examples, components) if pca and is_array else PCA_SKIPPED),
    }


def mean_error(
    reconstructed: Callable[[np.ndarray], Any], batches: Iterable[Batch]
) -> tuple[int, float]:
    """Mean over examples of the sum over features of (x̂ − x)², without values of weight zero.

    Args:
        reconstructed: flat examples -> their reconstructions.
        batches: examples in batches [examples, features].

    Returns:
        Number of examples, and their mean error.
    """
    count, total = 0, 0.0
    for batch in batches:
        x_hat = np.asarray(reconstructed(np.asarray(batch.x)))
        count, total = count + len(x_hat), total + len(x_hat) * _error(x_hat, batch)
    return count, total / count


def pca_error(
    x_train: np.ndarray, batches: Iterable[Batch], units: int
) -> tuple[float | None, str | None]:
    """Mean error, as of `mean_error`, of PCA with a number of components.

    Args:
        x_train: examples that PCA is fitted to [examples, features].
        batches: examples that it reconstructs, in batches.
        units: number of components.

    Returns:
        The error and the method, "exact" or "randomised, N passes"; both are None if PCA would
        reconstruct the train examples exactly.
    """
    baseline = fit_pca_baseline(x_train, units)
    if baseline is None:
        return None, None
    parts = (block for batch in batches for block in batch_blocks(batch))
    _, error = mean_error(partial(project, baseline.analysis), parts)
    return error, baseline.method


def sparsity_metrics(
    objective: Objective, params: Params, batches: Callable[[], Iterable[Batch]], error: float
) -> dict[str, Any]:
    """Statistics of the codes of a dictionary, as `measure` returns them.

    Args:
        objective: objective in use.
        params: parameters in use.
        batches: () -> flat examples in batches.
        error: mean error of their reconstructions, as of `mean_error`.

    Returns:
        "active_units", "dead_units" and "explained_variance".
    """
    codes = codes_of(objective, params, batches())
    count, active = 0, np.zeros(())
    for code in codes:
        count, active = count + len(code), active + np.count_nonzero(code, axis=0)
    variance = _variance(batches())
    return {
        "active_units": float(active.sum() / count),
        "dead_units": int(np.count_nonzero(active == 0)),
        "explained_variance": 1 - error / variance if variance > 0 else None,
    }


def _variance(batches: Iterable[Batch]) -> float:
    """Mean over examples of ‖x − E x‖², accumulated in float64."""
    count, total, square, origin = 0, np.zeros(()), 0.0, None
    for batch in batches:
        for block in batch_blocks(batch):
            x = np.asarray(block.x, float)
            origin = x[0] if origin is None else origin  # against cancellation
            count, total = count + len(x), total + (x - origin).sum(axis=0)
            square += float(np.vdot(x - origin, x - origin))
    return (square - float(np.vdot(total, total)) / count) / count


def _usage(run: Run, examples: Examples) -> dict[str, Any]:
    """Usage of the values of a discrete code by the test examples."""
    codes = codes_of(run.objective, run.params, examples.test_batches())
    usage = usage_of_run(run, np.concatenate([*codes]))._asdict()
    del usage["counts"]
    return usage


def codes_of(
    objective: Objective, params: Params, batches: Iterable[Batch]
) -> Iterator[np.ndarray]:
    """Iterate over the codes of examples, of a discrete code over the indices.

    Args:
        objective: objective in use.
        params: parameters in use.
        batches: flat examples in batches.

    Yields:
        The array of the codes of a block of examples, as `array_of` selects it.
    """
    encode = jax.jit(lambda params, x: array_of(objective.model.encode(params, x)))
    for batch in batches:
        for block in batch_blocks(batch):
            yield np.asarray(encode(params, jnp.asarray(block.x)))


def _pca_baseline(examples: Examples, units: int) -> dict[str, Any]:
    """Test error of PCA fitted to train examples; None if it would reconstruct them exactly."""
    x_train, count = examples.pca_examples()
    batches = map(partial(jax.tree.map, _flat), examples.test_batches())
    error, method = pca_error(_flat(x_train), batches, units)
    return {"pca_test_error": error, "pca_method": method, "pca_components": units} | count


def batch_blocks(batch: Batch) -> Iterator[Batch]:
    """Iterate over consecutive parts of a batch, as `data.example_blocks.blocks` does.

    Args:
        batch: flat examples with their weights.

    Yields:
        Parts of at most 16 MiB.
    """
    for start, x in blocks(batch.x):
        rows = slice(start, start + len(x))
        yield Batch(cast(Array, x), weight=None if batch.weight is None else batch.weight[rows])


def _flat(x: Any) -> Any:
    """Examples as vectors."""
    return x.reshape(len(x), -1)


def _error(x_hat: np.ndarray, batch: Batch) -> float:
    """Mean over examples of the squared error, of observed values."""
    difference = np.subtract(x_hat, np.asarray(batch.x), dtype=np.float64)
    if batch.weight is not None:
        difference *= np.asarray(batch.weight)
    return float(np.vdot(difference, difference) / len(x_hat))
