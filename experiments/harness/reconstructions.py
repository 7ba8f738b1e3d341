"""What several compressors make of the same images: their errors, and the images side by side."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from aejax.plots import figure_style
from aejax.types import Array
from experiments.harness.compressors import Reconstruction
from experiments.harness.figures import mosaic
from experiments.harness.records import Remember, Results

SHOWN = 10
"""Test images that are kept for the figure."""

Fit = Callable[[], Reconstruction]
"""Trains one compressor."""


def compare(
    methods: Mapping[str, Sequence[Fit]], x: Array, x_test: Array, remember: Remember
) -> Results:
    """Fit every method with every seed, and measure it once.

    Args:
        methods: name -> one fit a seed.
        x: training images, [examples, features]; as many as there are test images are measured.
        x_test: test images.
        remember: keeps each fit's results.

    Returns:
        By name: mean squared errors Σ(x̂ − x)² of "test" and "train" images and the "seconds" of the
        fit, one number a seed; and the first test images with the first seed's reconstructions.
    """
    parts = {
        name: [
            remember(f"{name}, seed {i}", partial(measured, fit, x, x_test))
            for i, fit in enumerate(fits)
        ]
        for name, fits in methods.items()
    }
    metrics = {
        name: {what: [float(part.metrics[what]) for part in found] for what in found[0].metrics}
        for name, found in parts.items()
    }
    pictures = {name: found[0].arrays["x_hat"] for name, found in parts.items()}
    return Results(metrics, {"test images": np.asarray(x_test[:SHOWN]), **pictures})


def measured(fit: Fit, x: Array, x_test: Array) -> Results:
    """One fit's errors and seconds, and what it makes of the first test images."""
    begin = time.perf_counter()
    reconstruction = fit()
    seconds = time.perf_counter() - begin

    def error(x: Array) -> float:
        return float(jnp.mean(jnp.sum(jnp.square(reconstruction(x) - x), axis=1)))

    errors = {"test": error(x_test), "train": error(x[: len(x_test)]), "seconds": seconds}
    return Results(errors, {"x_hat": np.asarray(reconstruction(x_test[:SHOWN]))})


def draw(results: Results) -> Figure:
    """A row of test images, and one of each method's reconstructions with its mean test error."""
    rows = ["test images", *reversed(results.metrics)]
    with figure_style():
        figure = Figure(figsize=(7.6, 0.95 * len(rows)))
        for axis, name in zip(figure.subplots(len(rows), 1), rows, strict=True):
            mosaic(axis, results.arrays[name], columns=SHOWN)
            found = results.metrics.get(name)
            axis.set_title(name + (f": {np.mean(found['test']):.2f}" if found else ""), loc="left")
    return figure


def log_test_errors(metrics: Mapping[str, Mapping], seeds: int) -> dict[str, np.ndarray]:
    """log of each method's test errors; one that has no seeds stands against all of them."""
    return {name: np.broadcast_to(np.log(found["test"]), seeds) for name, found in metrics.items()}
