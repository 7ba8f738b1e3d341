"""What a run's report shows: curves, reconstructions, filters and codes, each with its words."""

import math
import sys
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from aejax import plots
from aejax.objectives import forward, reconstruct
from aejax.report.page import Illustration
from aejax.runs.in_memory_examples import ShownExamples
from aejax.runs.run import Run
from aejax.training.records import Record
from aejax.types import Array, Batch

EXTREMES = 5
"""Examples that are shown for being reconstructed best, and worst."""

TRAVERSED, STEPS = 6, 8
"""Units that are moved, and through how many values each."""

POINTS = 50
"""Examples at which the Jacobian is taken."""

JACOBIAN_ENTRIES = 2**22
"""Units times features up to which the Jacobian's singular values are found in about a second."""


def illustrations(
    run: Run, examples: ShownExamples, history: Sequence[Record]
) -> Iterator[Illustration]:
    """The figures of a run, in the order in which they are looked at."""
    if history:
        yield Illustration(
            plots.learning_curves(history),
            "Learning curves",
            "Each term of the objective over the epochs, on train and validation examples.",
            "Curves of every term of the objective against the epoch.",
        )
    code = np.asarray(_encode(run, examples.batch.x))
    if _is_image(run.about.feature_shape):
        yield from _images(run, examples.batch, code)
    yield from _codes(run, examples, code)


def _images(run: Run, test: Batch, code: np.ndarray) -> Iterator[Illustration]:
    shape = run.about.feature_shape
    record = forward(run.objective, run.params, test, jax.random.key(run.configuration.seed))
    x, x_hat = test.x, reconstruct(run.objective, run.params, record.x_corrupted)
    corrupted = None if run.objective.corruption is None else np.asarray(record.x_corrupted)
    yield Illustration(
        plots.reconstructions(np.asarray(x), np.asarray(x_hat), shape, corrupted),
        "Reconstructions",
        "The first test examples, and what the autoencoder makes of them"
        + ("." if corrupted is None else " when it sees them corrupted, as in training."),
        "Rows of images: test examples above, their reconstructions below.",
    )
    yield _extremes(run, np.asarray(x))
    kernel = run.params["encoder"]["layer_0"]["kernel"]
    window = shape if kernel.ndim == 2 else kernel.shape[:-1]
    yield Illustration(
        plots.filters(kernel.reshape(-1, kernel.shape[-1]), window),
        "Filters",
        "Kernels of the encoder's first layer, one image a unit.",
        "Grid of images of the first layer's kernels, positive and negative weights in two hues.",
    )
    yield _traversals(run, code)


def _extremes(run: Run, x: np.ndarray) -> Illustration:
    """The examples that are reconstructed best and worst, as they are."""
    x_hat = np.asarray(reconstruct(run.objective, run.params, jnp.asarray(x)))
    order = np.argsort(np.square(x_hat - x).sum(axis=1), kind="stable")
    ends = [*range(len(x))[:EXTREMES], *range(len(x))[-EXTREMES:]]
    shown = order[np.unique(ends)]
    return Illustration(
        plots.reconstructions(x[shown], x_hat[shown], run.about.feature_shape),
        "Best and worst",
        f"The {EXTREMES} test examples with the least error and the {EXTREMES} with the greatest, "
        f"uncorrupted: {', '.join(map(str, shown))}.",
        "Rows of images: the best and worst reconstructed test examples above what became of them.",
    )


def _traversals(run: Run, code: np.ndarray) -> Illustration:
    """The units that vary most, each moved over its range in the code of the first example."""
    units = np.argsort(-code.std(axis=0), kind="stable")[:TRAVERSED]
    values = np.quantile(code[:, units], np.linspace(0, 1, STEPS), axis=0).T
    codes = np.tile(code[0], (len(units), STEPS, 1))
    for row, unit in enumerate(units):
        codes[row, :, unit] = values[row]
    output = run.objective.model.decode(run.params, _shaped(run, codes.reshape(-1, code.shape[1])))
    x_hat = np.asarray(run.objective.loss.mean(output)).reshape(len(units), STEPS, -1)
    names = [f"unit {unit}" for unit in units]
    return Illustration(
        plots.traversals(x_hat, values, run.about.feature_shape, names),
        "Traversals",
        "The code of the first test example, one unit moved from the least to the greatest value "
        "that the test examples give it; of the units that vary most.",
        "Rows of images: what is decoded as one unit of the code moves.",
    )


def _codes(run: Run, examples: ShownExamples, code: np.ndarray) -> Iterator[Illustration]:
    penalty = run.configuration.penalty
    yield Illustration(
        plots.activations(code, rho=penalty.rho if penalty.sparsity else None),
        "Activations",
        f"Of the {code.shape[1]} units on the {len(code)} test examples: all of them, and the mean "
        "of each unit.",
        "Two histograms: of all activations, and of the units' mean activations.",
    )
    if code.shape[1] * math.prod(run.about.feature_shape) > JACOBIAN_ENTRIES:
        print("aejax: no figure of the Jacobian, which is too large", file=sys.stderr)
    else:
        yield _jacobian(run, examples)
    if code.shape[1] > 1:
        yield Illustration(
            plots.code_map(code, examples.labels),
            "Codes",
            f"The codes of the {len(code)} test examples, in the plane where they vary most.",
            "Scatter of the codes of the test examples, coloured by class where there are classes.",
        )


def _jacobian(run: Run, examples: ShownExamples) -> Illustration:
    return Illustration(
        plots.jacobian_spectra({"encoder": _singular_values(run, examples.batch.x[:POINTS])}),
        "Jacobian",
        f"Singular values of ∂h/∂x at {len(examples.batch.x[:POINTS])} test examples: median, and "
        "band from the first to the third quartile. Few large ones: the code moves in few "
        "directions.",
        "Curve of the sorted singular values of the encoder's Jacobian, falling, with a band.",
    )


def _singular_values(run: Run, x: Array) -> np.ndarray:
    def values(one: Array) -> Array:
        jacobian = jax.jacrev(lambda x: _encode(run, x[None])[0])(one)
        return jnp.linalg.svd(jacobian, compute_uv=False)

    return np.asarray(jax.lax.map(values, x))


def _encode(run: Run, x: Array) -> Array:
    """Codes [examples, units]: a unit is one scalar of the code, in C order where it is spatial."""
    return run.objective.model.encode(run.params, x).reshape(len(x), -1)


def _shaped(run: Run, units: np.ndarray) -> Array:
    """Codes in the shape that the model decodes, from their units."""
    example = jax.ShapeDtypeStruct((1, math.prod(run.about.feature_shape)), np.float32)
    code = jax.eval_shape(run.objective.model.encode, run.params, example)
    return jnp.asarray(units).reshape(len(units), *code.shape[1:])


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
