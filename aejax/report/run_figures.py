"""Figures of a run's report: learning curves, reconstructions, filters and codes."""

import math
import sys
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from aejax import plots
from aejax.data.image_size import is_image_shape
from aejax.evaluation import feature_errors
from aejax.objectives import forward, reconstruct
from aejax.report.dictionary_section import is_dictionary
from aejax.report.page import CaptionedFigure
from aejax.runs.code_posteriors import posterior_of_run
from aejax.runs.code_units import array_of, code_like, from_units, has_units, to_units
from aejax.runs.examples import ShownExamples
from aejax.runs.inference import TrainedRun, reconstructor
from aejax.runs.pca_baseline import PCABaseline, project, report_baseline
from aejax.runs.presentation import has_comparable_output, seed, target_activation
from aejax.runs.scoring import observed_only
from aejax.training.records import Record
from aejax.types import Array, Batch, Code

TRAVERSED_UNITS, TRAVERSAL_STEPS = 6, 8
"""Number of traversed code units, and of values per unit."""

JACOBIAN_POINTS = 50
"""Number of examples at which the Jacobian is computed."""

MAX_JACOBIAN_ENTRIES = 2**22
"""Largest Jacobian (units times features) whose singular values take about a second."""


def run_figures(
    run: TrainedRun,
    examples: ShownExamples,
    history: Sequence[Record],
    x_train: np.ndarray | None = None,
) -> Iterator[CaptionedFigure]:
    """Draw the figures of a run, in the order of display.

    Args:
        run: trained run.
        examples: its test examples.
        history: records of its epochs.
        x_train: normalised train examples, to which PCA is fitted (default: no row for PCA).

    Yields:
        The figures.
    """
    if history:
        yield learning_curves(history)
    like, is_comparable = array_of(code_like(run)), has_comparable_output(run)
    code = np.asarray(_encode(run, examples.batch.x)) if has_units(like) else None
    if is_image_shape(run.about.feature_shape) and is_comparable:
        baseline = "the code is discrete" if code is None else "the code is a tree of arrays"
        if code is not None and isinstance(like, jax.ShapeDtypeStruct):
            baseline = report_baseline(x_train, _pca_components(run, code))
        yield from _images(run, examples.batch, baseline)
        has_own_section = posterior_of_run(run) is not None or is_dictionary(run, code)
        if code is not None and not has_own_section:
            yield _traversals(run, code, like)
    if is_comparable:
        yield _error_histogram(run, examples)
    if code is not None:
        yield from _codes(run, examples, code)


def learning_curves(history: Sequence[Record]) -> CaptionedFigure:
    """Draw the history of a run, at least one epoch."""
    return CaptionedFigure(
        plots.learning_curves(history),
        "Learning curves",
        "Each term of the objective by epoch, on training and validation examples.",
        "Curves of each term of the objective against the epoch.",
    )


def _images(run: TrainedRun, test: Batch, pca: PCABaseline | str) -> Iterator[CaptionedFigure]:
    shape = run.about.feature_shape
    first = Batch(test.x[: plots.row_length(shape)])
    record = forward(run.objective, run.params, first, jax.random.key(seed(run)))
    x, given = np.asarray(first.x), np.asarray(record.x_corrupted)
    x_hat = np.asarray(reconstruct(run.objective, run.params, record.x_corrupted))
    corrupted = None if run.objective.corruption is None else given
    yield CaptionedFigure(
        plots.reconstructions(x, x_hat, shape, corrupted, others=_by_pca(pca, given)),
        "Reconstructions",
        "The first test examples and their reconstructions"
        + (". " if corrupted is None else " from inputs that are corrupted as in training. ")
        + _pca_text(pca),
        "Rows of images: test examples above their reconstructions.",
    )
    yield _extremes(run, np.asarray(test.x), pca)
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


def _pca_components(run: TrainedRun, code: np.ndarray) -> int:
    """Number of units; of a dictionary, that of the active units of an example on average."""
    if not is_dictionary(run, code):
        return code.shape[1]
    return max(1, round(np.count_nonzero(code) / len(code)))


def _first_kernel(run: TrainedRun) -> Array | None:
    """Kernel of the first layer of a model of aejax; None for another model."""
    try:
        return run.params["encoder"]["layer_0"]["kernel"]
    except (TypeError, KeyError, IndexError):
        return None


def _by_pca(pca: PCABaseline | str, x: np.ndarray) -> dict[str, np.ndarray]:
    """Reconstructions by PCA, by the name of their row."""
    if isinstance(pca, str):
        return {}
    return {"PCA": project(pca.analysis, x.reshape(len(x), -1)).reshape(x.shape)}


def _pca_text(pca: PCABaseline | str) -> str:
    """Sentence about the row of PCA, or the reason why there is none."""
    if isinstance(pca, str):
        return f"There is no row for PCA: {pca}."
    how = "" if pca.method == "exact" else f" ({pca.method})"
    count = len(pca.analysis.components)
    components = "1 component" if count == 1 else f"{count} components"
    return (
        f"PCA with {components} is fitted to the training examples{how}, and reconstructs the same "
        "inputs."
    )


def _extremes(run: TrainedRun, x: np.ndarray, pca: PCABaseline | str) -> CaptionedFigure:
    """Draw the best and worst reconstructed test examples, without corruption."""
    x_hat = reconstructor(run)(x)
    errors = np.square(x_hat - x).reshape(len(x), -1).sum(axis=1)
    order = np.argsort(errors, kind="stable")
    count = plots.row_length(run.about.feature_shape) // 2
    ends = [*range(len(x))[:count], *range(len(x))[-count:]]
    shown = order[np.unique(ends)]
    others = _by_pca(pca, x[shown])
    return CaptionedFigure(
        plots.reconstructions(x[shown], x_hat[shown], run.about.feature_shape, others=others),
        "Best and worst",
        f"The {count} test examples with the smallest error and the {count} with the largest "
        f"error, without corruption. Indices: {', '.join(map(str, shown))}.",
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


def _error_histogram(run: TrainedRun, examples: ShownExamples) -> CaptionedFigure:
    x = np.asarray(examples.batch.x)
    x_hat = observed_only(reconstructor(run)(x), x, examples.batch.weight)
    errors = feature_errors(x, x_hat).reshape(len(x), -1).sum(axis=1)
    return CaptionedFigure(
        plots.error_histogram(errors),
        "Errors",
        f"Squared errors of the {len(errors)} test examples, without corruption, and the median, "
        "the 90 % and the 99 % quantile.",
        "Histogram of the squared errors of the test examples, with lines at three quantiles.",
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
        classes = examples.class_names
        is_coloured = (
            classes is not None
            and classes.ndim == 1
            and len(np.unique(classes)) <= plots.MAX_CLASSES
        )
        yield CaptionedFigure(
            plots.code_map(code, classes if is_coloured else None),
            "Codes",
            f"Codes of the {len(code)} test examples, projected on the plane of largest variance."
            + ("" if is_coloured or classes is None else " There are too many classes to colour."),
            "Scatter plot of the codes of the test examples, coloured by class if labels exist.",
        )


def _jacobian(run: TrainedRun, examples: ShownExamples) -> CaptionedFigure:
    x = examples.batch.x[:JACOBIAN_POINTS]
    return CaptionedFigure(
        plots.jacobian_spectra({"encoder": _singular_values(run, x)}),
        "Jacobian",
        f"Singular values of ∂h/∂x, the derivatives of the code h with respect to the normalised "
        f"example x, at {len(x)} test examples: median, and band from the first to "
        "the third quartile. If few are large, the code is sensitive to few input directions.",
        "Curve of the singular values of the encoder's Jacobian in descending order, with a band.",
    )


def _singular_values(run: TrainedRun, x: Array) -> np.ndarray:
    def values(one: Array) -> Array:
        jacobian = jax.jacrev(lambda x: _encode(run, x[None])[0])(one)
        return jnp.linalg.svd(jacobian.reshape(len(jacobian), -1), compute_uv=False)

    return np.asarray(jax.lax.map(values, x))


def _encode(run: TrainedRun, x: Array) -> Array:
    """Encode to [examples, units], the means of a posterior."""
    return jnp.asarray(to_units(array_of(run.objective.model.encode(run.params, x))))
