"""Comparison of compressors on the same images: errors, and a figure of reconstructions."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from aejax.plots import figure_style
from aejax.types import Array
from experiments.harness.compressors import Reconstruction
from experiments.harness.experiment import Results
from experiments.harness.figures import mosaic
from experiments.harness.records import PartCache

NUM_SHOWN = 10
"""Number of test images in the figure."""

Fit = Callable[[], Reconstruction]
"""Function that trains one compressor."""


def compare_methods(
    methods: Mapping[str, Sequence[Fit]], x: Array, x_test: Array, cache: PartCache
) -> Results:
    """Fit every method with every seed, and measure errors and time.

    Args:
        methods: name -> one fit per seed.
        x: training images [examples, features]; the first len(x_test) are measured.
        x_test: test images.
        cache: cache of the results of each fit.

    Returns:
        By name: mean squared errors Σ(x̂ − x)² of "test" and "train" images and the "seconds" of the
        fit, one value per seed; and the first test images with the first seed's reconstructions.
    """
    parts = {
        name: [
            cache(f"{name}, seed {i}", partial(measure_fit, fit, x, x_test))
            for i, fit in enumerate(fits)
        ]
        for name, fits in methods.items()
    }
    metrics = {
        name: {what: [float(part.metrics[what]) for part in found] for what in found[0].metrics}
        for name, found in parts.items()
    }
    images = {name: found[0].arrays["x_hat"] for name, found in parts.items()}
    return Results(metrics, {"test images": np.asarray(x_test[:NUM_SHOWN]), **images})


def measure_fit(fit: Fit, x: Array, x_test: Array) -> Results:
    """Errors and run time of one fit, and its reconstructions of the first test images."""
    begin = time.perf_counter()
    reconstruction = fit()
    seconds = time.perf_counter() - begin

    def error(x: Array) -> float:
        return float(jnp.mean(jnp.sum(jnp.square(reconstruction(x) - x), axis=1)))

    errors = {"test": error(x_test), "train": error(x[: len(x_test)]), "seconds": seconds}
    return Results(errors, {"x_hat": np.asarray(reconstruction(x_test[:NUM_SHOWN]))})


def draw_reconstructions(results: Results, title: str) -> Figure:
    """Draw test images and each method's reconstructions, with its mean test error.

    Args:
        results: errors and images of `compare_methods`.
        title: title of the figure.
    """
    rows = ["test images", *reversed(results.metrics)]
    with figure_style():
        figure = Figure(figsize=(7.6, 0.3 + 0.95 * len(rows)))
        figure.suptitle(title)
        for axis, name in zip(figure.subplots(len(rows), 1), rows, strict=True):
            mosaic(axis, results.arrays[name], columns=NUM_SHOWN)
            found = results.metrics.get(name)
            axis.set_title(name + (f": {np.mean(found['test']):.2f}" if found else ""), loc="left")
    return figure


def log_test_errors(metrics: Mapping[str, Mapping], seeds: int) -> dict[str, np.ndarray]:
    """Log test errors of each method [seeds]; a single value is repeated for all seeds."""
    return {name: np.broadcast_to(np.log(found["test"]), seeds) for name, found in metrics.items()}
