"""Section of a run's report about a sparse dictionary: sparsity, densities, and top examples."""

from collections.abc import Callable
from html import escape
from typing import Any

import jax.numpy as jnp
import numpy as np

from aejax import plots
from aejax.data.columns import Schema, feature_names
from aejax.data.image_size import is_image_shape
from aejax.evaluation import (
    DictionaryStatistics,
    TopExamples,
    dictionary_statistics,
    top_examples,
)
from aejax.report.page import CaptionedFigure, Section, key_numbers, render_figures
from aejax.report.tables import table
from aejax.runs.examples import ShownExamples
from aejax.runs.inference import TrainedRun, reconstructor
from aejax.runs.presentation import ROW_INDEX, has_comparable_output, predicts_target
from aejax.runs.scoring import observed_only
from aejax.types import Params

NO_TARGET = (
    "This dictionary predicts targets, which are not given: save them as the array target beside x "
    "in an .npz file, and name the file by --data. The explained variance is that of the targets."
)

SHOWN_LATENTS = 12
"""Maximum number of latents whose top examples are shown."""

TOP_COUNT = 8
"""Number of top examples of a latent."""

TOP_FEATURES = 4
"""Number of features by which the direction of a latent is described."""

MAX_NAME_LENGTH = 40
"""Maximum number of characters of the name of an example."""

MAX_NAME_COLUMNS = 2
"""Maximum number of columns of text that name an example."""


def dictionary_sections(run: TrainedRun, examples: ShownExamples) -> list[Section]:
    """Describe a sparse dictionary on test examples.

    Args:
        run: trained run.
        examples: its test examples.

    Returns:
        One section; none for another model, or for outputs of another shape than the examples.
    """
    kernel, has_target = dictionary_kernel(run.params), predicts_target(run)
    if kernel is None or not (has_target or has_comparable_output(run)):
        return []
    x = np.asarray(examples.batch.x)
    code = np.asarray(run.objective.model.encode(run.params, jnp.asarray(x)))
    if not _is_code_of(kernel, code):
        return []
    target = examples.batch.target if has_target else x
    if target is None:
        return [Section("Dictionary", f"<p>{escape(NO_TARGET)}</p>\n")]
    target = np.asarray(target)
    x_hat = reconstructor(run)(x)
    _check_target(target, x_hat)
    found = dictionary_statistics([(target, code, observed_only(x_hat, target, _weight(examples)))])
    top = top_examples([code], count=TOP_COUNT)
    shown = _spread_over_frequencies(found.frequency)
    figures = [_densities(found)]
    if is_image_shape(run.about.feature_shape) and len(shown) and not has_target:
        figures.append(_images(run, np.asarray(examples.raw), kernel, found, top, shown))
    body = key_numbers(_numbers(found, kernel)) + _explanation(found, has_target=has_target)
    if len(shown):
        named = _named_table(examples, found, top, shown)
        schema = None if has_target else run.about.schema
        tables = _directions(schema, kernel, found, shown) + named
    else:
        tables = ""
    return [Section("Dictionary", body + render_figures(figures) + tables)]


def is_dictionary(run: TrainedRun, code: np.ndarray | None) -> bool:
    """Whether a code is that of a dictionary.

    Args:
        run: trained run.
        code: its code of examples; None if it is not one array.

    Returns:
        True if the code has one value for each row of the decoder's only kernel.
    """
    kernel = dictionary_kernel(run.params)
    return kernel is not None and code is not None and _is_code_of(kernel, code)


def _is_code_of(kernel: np.ndarray, code: np.ndarray) -> bool:
    return code.shape[1:] == (len(kernel),)


def dictionary_kernel(params: Params) -> np.ndarray | None:
    """Directions of the latents.

    Args:
        params: parameters of any model.

    Returns:
        Kernel of the decoder [units, features]; None if the decoder is not one matrix.
    """
    try:
        kernel = np.asarray(params["decoder"]["kernel"], float)
    except (TypeError, KeyError, IndexError, ValueError):
        return None
    return kernel if kernel.ndim == 2 else None


def _numbers(found: DictionaryStatistics, kernel: np.ndarray) -> dict[str, float | str]:
    return {
        "latents": str(len(kernel)),
        "L0": found.l0,
        "explained variance": found.explained_variance,
        "dead latents": str(int(found.dead.sum())),
        "‖x̂‖/‖x‖": found.norm_ratio,
        "reconstruction bias γ": found.reconstruction_bias,
    }


def _check_target(target: np.ndarray, x_hat: np.ndarray) -> None:
    """Raise ValueError for targets of another shape than the outputs of the model."""
    if target.shape != x_hat.shape:
        raise ValueError(
            f"the targets have the shape {list(target.shape)}, but the model predicts "
            f"{list(x_hat.shape)}: save them as the array target beside x in the file of --data"
        )


def _weight(examples: ShownExamples) -> Any:
    """Weights of missing values, which belong to x and not to a target of another shape."""
    return None if examples.batch.target is not None else examples.batch.weight


def _explanation(found: DictionaryStatistics, *, has_target: bool) -> str:
    text = (
        f"Measured on {found.examples} test examples, normalised as in training. L0 is the mean "
        "number of latents of an example that are not zero; the explained variance is "
        "1 − E‖x − x̂‖²/E‖x − E x‖²; a dead latent is zero on all of these examples, and ‖x̂‖/‖x‖ is "
        "the mean ratio of the norms. Reconstructions are shrunk if γ = E‖x̂‖²/E[x·x̂] is below 1: "
        "then x̂/γ has a smaller error."
    )
    if has_target:
        text += " The model predicts targets: here x stands for the target of an example."
    return f"<p>{escape(text)}</p>\n"


def _densities(found: DictionaryStatistics) -> CaptionedFigure:
    return CaptionedFigure(
        plots.densities(found.frequency),
        "Densities",
        "Number of latents by the fraction of test examples on which they are active. Latents that "
        "are active on most examples rarely have a meaning of their own; dead ones are unused.",
        "Histogram of the fraction of examples on which each latent is active.",
    )


def _spread_over_frequencies(frequency: np.ndarray) -> np.ndarray:
    """Living latents, evenly spaced in descending order of their frequency."""
    order = np.argsort(-frequency, kind="stable")[: np.count_nonzero(frequency)]
    chosen = np.linspace(0, len(order) - 1, min(SHOWN_LATENTS, len(order)))
    return order[chosen.astype(int)]


def _images(
    run: TrainedRun,
    x: np.ndarray,
    kernel: np.ndarray,
    found: DictionaryStatistics,
    top: TopExamples,
    shown: np.ndarray,
) -> CaptionedFigure:
    return CaptionedFigure(
        plots.top_example_images(
            x,
            np.asarray(top.examples)[shown],
            np.asarray(top.activations)[shown],
            [f"latent {unit}\n{_percent(float(found.frequency[unit]))}" for unit in shown],
            run.about.feature_shape,
            directions=kernel[shown],
        ),
        "Top examples",
        f"For {len(shown)} latents, evenly spaced in descending order of the fraction of examples "
        "on which they are active: that fraction, the direction of the decoder, and the test "
        "examples with the largest activations.",
        "Rows of images, each with the direction of a latent and the examples that activate it.",
    )


def _directions(
    schema: Schema | None, kernel: np.ndarray, found: DictionaryStatistics, shown: np.ndarray
) -> str:
    """Table of the features with the largest weights of each direction, if features have names."""
    if schema is None:
        return ""
    names = feature_names(schema.columns)

    def text(direction: np.ndarray) -> str:
        largest = np.argsort(-np.abs(direction), kind="stable")[:TOP_FEATURES]
        return ", ".join(f"{names[i]} {direction[i]:+.2f}".replace("-", "−") for i in largest)

    records: list[dict[str, Any]] = [
        {
            "latent": str(unit),
            "active on": _percent(float(found.frequency[unit])),
            "features with the largest weights in its direction": text(kernel[unit]),
        }
        for unit in shown
    ]
    note = (
        "An active latent adds its activation times its direction to the reconstruction; weights "
        "are those of normalised features."
    )
    return f"<h3>Directions by feature</h3>\n<p>{escape(note)}</p>\n{table(records)}"


def _named_table(
    examples: ShownExamples, found: DictionaryStatistics, top: TopExamples, shown: np.ndarray
) -> str:
    kind, names = _names(examples)
    order, activations = np.asarray(top.examples), np.asarray(top.activations)
    records: list[dict[str, Any]] = [
        {
            "latent": str(unit),
            "active on": _percent(float(found.frequency[unit])),
            "largest activation": float(activations[unit, 0]),
            f"{kind} with the largest activations": ", ".join(
                names(row) for row in order[unit] if row >= 0
            ),
        }
        for unit in shown
    ]
    return f"<h3>Examples by name</h3>\n{table(records)}"


def _names(examples: ShownExamples) -> tuple[str, Callable[[int], str]]:
    """Kind of names, and index of an example -> columns of text, its class, or its index."""
    columns = {name: each for name, each in (examples.others or {}).items() if name != ROW_INDEX}
    classes, kind = examples.class_names, "examples"
    if not columns and classes is not None and classes.ndim == 1:
        columns, kind = {"class": classes}, "classes of the examples"
    if not columns:
        return kind, lambda row: f"example {row}"
    used = list(columns.values())[:MAX_NAME_COLUMNS]
    return kind, lambda row: " · ".join(str(column[row])[:MAX_NAME_LENGTH] for column in used)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.3g}\u00a0%"
