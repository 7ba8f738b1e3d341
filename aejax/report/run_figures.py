"""Figures of a run's report: learning curves, reconstructions, filters and codes."""

import math
import sys
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from aejax import plots
from aejax.objectives import forward, reconstruct
from aejax.report.page import CaptionedFigure
from aejax.runs.code_units import code_like, from_units, has_units, to_units
from aejax.runs.examples import ShownExamples
from aejax.runs.inference import TrainedRun
from aejax.runs.presentation import has_comparable_output, seed, target_activation
from aejax.training.records import Record
from aejax.types import Array, Batch, Code

NUM_EXTREMES = 5
"""Number of best, and of worst, reconstructed examples in their figure."""

TRAVERSED_UNITS, TRAVERSAL_STEPS = 6, 8
"""Number of traversed code units, and of values per unit."""

JACOBIAN_POINTS = 50
"""Number of examples at which the Jacobian is computed."""

MAX_JACOBIAN_ENTRIES = 2**22
"""Largest Jacobian (units times features) whose singular values take about a second."""


def run_figures(
    run: TrainedRun, examples: ShownExamples, history: Sequence[Record]
) -> Iterator[CaptionedFigure]:
    """Draw the figures of a run, in the order of display."""
    if history:
        yield learning_curves(history)
    code = np.asarray(_encode(run, examples.batch.x))
    like = code_like(run)
    if _is_image(run.about.feature_shape) and has_comparable_output(run):
        yield from _images(run, examples.batch)
        if has_units(like):
            yield _traversals(run, code, like)
    if has_units(like):
        yield from _codes(run, examples, code)


def learning_curves(history: Sequence[Record]) -> CaptionedFigure:
    """Draw the history of a run, at least one epoch."""
    return CaptionedFigure(
        plots.learning_curves(history),
        "Learning curves",
        "Each term of the objective by epoch, on training and validation examples.",
        "Curves of each term of the objective against the epoch.",
    )


def _images(run: TrainedRun, test: Batch) -> Iterator[CaptionedFigure]:
    shape = run.about.feature_shape
    record = forward(run.objective, run.params, test, jax.random.key(seed(run)))
    x, x_hat = test.x, reconstruct(run.objective, run.params, record.x_corrupted)
    corrupted = None if run.objective.corruption is None else np.asarray(record.x_corrupted)
    yield CaptionedFigure(
        plots.reconstructions(np.asarray(x), np.asarray(x_hat), shape, corrupted),
        "Reconstructions",
        "The first test examples and their reconstructions"
        + ("." if corrupted is None else " from inputs that are corrupted as in training."),
        "Rows of images: test examples above their reconstructions.",
    )
    yield _extremes(run, np.asarray(x))
    kernel = _first_kernel(run)
    if kernel is None:
        return
    window = shape if kernel.ndim == 2 else kernel.shape[:-1]
    yield CaptionedFigure(
        plots.filters(kernel.reshape(-1, kernel.shape[-1]), window),
        "Filters",
        "Kernels of the encoder's first layer, one image per unit.",
        "Grid of images of the first layer's kernels, with positive and negative weights in two "
        "colours.",
    )


def _first_kernel(run: TrainedRun) -> Array | None:
    """Kernel of the first layer of a model of aejax; None for another model."""
    try:
        return run.params["encoder"]["layer_0"]["kernel"]
    except (TypeError, KeyError, IndexError):
        return None


def _extremes(run: TrainedRun, x: np.ndarray) -> CaptionedFigure:
    """Draw the best and worst reconstructed test examples, without corruption."""
    x_hat = np.asarray(reconstruct(run.objective, run.params, jnp.asarray(x)))
    errors = np.square(x_hat - x).reshape(len(x), -1).sum(axis=1)
    order = np.argsort(errors, kind="stable")
    ends = [*range(len(x))[:NUM_EXTREMES], *range(len(x))[-NUM_EXTREMES:]]
    shown = order[np.unique(ends)]
    return CaptionedFigure(
        plots.reconstructions(x[shown], x_hat[shown], run.about.feature_shape),
        "Best and worst",
        f"The {NUM_EXTREMES} test examples with the smallest error and the {NUM_EXTREMES} with the "
        f"largest error, without corruption. Indices: {', '.join(map(str, shown))}.",
        "Rows of images: the best and worst reconstructed test examples above their "
        "reconstructions.",
    )


def _traversals(run: TrainedRun, code: np.ndarray, like: Code) -> CaptionedFigure:
    """Vary each of the units with the largest variance over its range in the first test code."""
    units = np.argsort(-code.std(axis=0), kind="stable")[:TRAVERSED_UNITS]
    values = np.quantile(code[:, units], np.linspace(0, 1, TRAVERSAL_STEPS), axis=0).T
    codes = np.tile(code[0], (len(units), TRAVERSAL_STEPS, 1))
    for row, unit in enumerate(units):
        codes[row, :, unit] = values[row]
    varied = from_units(codes.reshape(-1, code.shape[1]), like)
    output = run.objective.model.decode(run.params, varied)
    x_hat = np.asarray(run.objective.loss.mean(output)).reshape(len(units), TRAVERSAL_STEPS, -1)
    names = [f"unit {unit}" for unit in units]
    return CaptionedFigure(
        plots.traversals(x_hat, values, run.about.feature_shape, names),
        "Traversals",
        "Decoded code of the first test example. In each row, one of the units with the largest "
        "variance varies from its minimum to its maximum over the test examples.",
        "Rows of images, each decoded while one unit of the code varies.",
    )


def _codes(run: TrainedRun, examples: ShownExamples, code: np.ndarray) -> Iterator[CaptionedFigure]:
    yield CaptionedFigure(
        plots.activations(code, rho=target_activation(run)),
        "Activations",
        f"Activations of the {code.shape[1]} units on the {len(code)} test examples, and the mean "
        "activation of each unit.",
        "Two histograms: all activations, and mean activations of the units.",
    )
    if code.shape[1] * math.prod(run.about.feature_shape) > MAX_JACOBIAN_ENTRIES:
        print("aejax: no figure of the Jacobian, which is too large", file=sys.stderr)
    else:
        yield _jacobian(run, examples)
    if code.shape[1] > 1:
        yield CaptionedFigure(
            plots.code_map(code, examples.labels),
            "Codes",
            f"Codes of the {len(code)} test examples, projected on the plane of largest variance.",
            "Scatter plot of the codes of the test examples, coloured by class if labels exist.",
        )


def _jacobian(run: TrainedRun, examples: ShownExamples) -> CaptionedFigure:
    x = examples.batch.x[:JACOBIAN_POINTS]
    return CaptionedFigure(
        plots.jacobian_spectra({"encoder": _singular_values(run, x)}),
        "Jacobian",
        f"Singular values of ∂h/∂x at {len(x)} test examples: median, and band from the first to "
        "the third quartile. If few are large, the code is sensitive to few input directions.",
        "Curve of the singular values of the encoder's Jacobian in descending order, with a band.",
    )


def _singular_values(run: TrainedRun, x: Array) -> np.ndarray:
    def values(one: Array) -> Array:
        jacobian = jax.jacrev(lambda x: _encode(run, x[None])[0])(one)
        return jnp.linalg.svd(jacobian.reshape(len(jacobian), -1), compute_uv=False)

    return np.asarray(jax.lax.map(values, x))


def _encode(run: TrainedRun, x: Array) -> Array:
    """Encode to [examples, units]."""
    return jnp.asarray(to_units(run.objective.model.encode(run.params, x)))


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
