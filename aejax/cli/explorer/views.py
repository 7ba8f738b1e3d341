"""Data of the explorer page, as JSON values in the units of the data set."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax.cli.explorer.json_values import as_list, checked_index, finite_array
from aejax.cli.explorer.unit_gradients import unit_gradient
from aejax.cli.explorer.uploaded_image import read_png
from aejax.data import Schema, denormalise, feature_names
from aejax.data.image_size import is_image_shape
from aejax.runs.code_posteriors import prior_range, prior_sampler
from aejax.runs.code_units import (
    array_of,
    code_like,
    count_units,
    from_units,
    has_units,
    to_units,
)
from aejax.runs.examples import ShownExamples
from aejax.runs.inference import Map, TrainedRun, decoder, encoder, model_inputs
from aejax.runs.pca_baseline import fit_pca_baseline, project
from aejax.runs.presentation import check_comparable_output, title

MAX_UNIT_EXAMPLES = 12
"""Maximum number of examples that are shown for a unit."""

MAX_NAMED_FEATURES = 200
"""Maximum number of features that are listed by name."""

MAX_GRADIENT_EXAMPLES = 256
"""Maximum number of examples that the gradient of a unit is averaged over."""


class View(NamedTuple):
    """A run and its test examples.

    A unit is one scalar of the code; spatial codes are flattened in C order, and the arrays of a
    tree concatenated.

    title:    title of the page.
    x:        raw test examples, [examples, *features].
    labels:   class of each example, a number or a name, or None.
    codes:    codes of the examples, [examples, units].
    encode:   raw examples -> codes [examples, units].
    decode:   codes [examples, units] -> raw examples.
    gradient: (raw examples, unit) -> mean gradient of the unit in raw units, [*features].
    schema:   columns of a table, or None.
    pca:      raw examples -> reconstructions by PCA with as many components as units, or None.
    scale:    unit of the normalisation of each feature, [*features] or a scalar.
    span:     lowest and highest value that the range of each unit contains, as those of a prior,
              each [units]; or None.
    sample:   seed -> sample of the prior of a variational run, [units], or None.
    """

    title: str
    x: np.ndarray
    labels: np.ndarray | None
    codes: np.ndarray
    encode: Map
    decode: Map
    gradient: Callable[[np.ndarray, int], np.ndarray]
    schema: Schema | None = None
    pca: Map | None = None
    scale: np.ndarray | float = 1.0
    span: tuple[np.ndarray, np.ndarray] | None = None
    sample: Callable[[int], np.ndarray] | None = None


def view(run: TrainedRun, examples: ShownExamples, x_train: np.ndarray | None = None) -> View:
    """Encode the test examples of a run for the explorer, a variational one by its posterior mean.

    Args:
        run: trained run.
        examples: test examples of its data.
        x_train: normalised train examples that PCA is fitted to (default: without PCA).

    Returns:
        The run, the examples and their codes.

    Raises:
        ValueError: if the code has integers, or reconstructions have another shape than examples.
    """
    like = array_of(code_like(run))
    if not has_units(like):
        raise ValueError(
            "the code contains integers, such as indices of codewords or of pooling, which no "
            "slider can vary: use aejax.runs.encode and aejax.runs.reconstruct in Python"
        )
    check_comparable_output(run)
    encoded, decoded = encoder(run), decoder(run)

    def encode(x: np.ndarray) -> np.ndarray:
        return np.asarray(to_units(array_of(encoded(x))))

    # Not beside a code that is a tree, whose size is not comparable.
    rows = x_train if isinstance(like, jax.ShapeDtypeStruct) else None
    return View(
        title=title(run),
        x=examples.raw,
        labels=examples.class_names,
        codes=encode(examples.raw),
        encode=encode,
        decode=lambda code: decoded(from_units(code, like)),
        gradient=unit_gradient(run),
        schema=run.about.schema,
        scale=np.asarray(run.normalisation.scale, np.float64),
        pca=None if rows is None else _pca_reconstruction(run, rows, count_units(like)),
        span=prior_range(run),
        sample=prior_sampler(run),
    )


def _pca_reconstruction(run: TrainedRun, x_train: np.ndarray, units: int) -> Map | None:
    """Make the reconstruction of raw examples by PCA; None if it would be exact."""
    baseline = fit_pca_baseline(x_train.reshape(len(x_train), -1), units)
    if baseline is None:
        return None

    def reconstructed(x: np.ndarray) -> np.ndarray:
        rows = np.asarray(model_inputs(run, x), np.float64).reshape(len(x), -1)
        x_hat = project(baseline.analysis, rows).reshape(len(x), *run.about.feature_shape)
        return np.asarray(denormalise(run.normalisation, x_hat))

    return reconstructed


def description(view: View) -> dict[str, Any]:
    """Shape and ranges of the examples and units.

    Args:
        view: run and examples.

    Returns:
        The shape of an image, [height, width, channels] (other examples are one row), whether
        examples are images, the names of the features of a table (None for other data or many
        features), the number of examples, their minimum and maximum value, and the minimum and
        maximum activation of each unit, of a variational run at least three standard deviations
        of the prior, whose samples are available if "prior" is true. For examples that are no
        images also the minimum and maximum of each feature, and the unit that it was normalised
        with.
    """
    shape = view.x.shape[1:]
    image = is_image_shape(shape)
    names = [] if view.schema is None else feature_names(view.schema.columns)
    return {
        "title": view.title,
        "shape": (*shape, 1)[:3] if image else (1, math.prod(shape), 1),
        "image": image,
        "features": names if 0 < len(names) <= MAX_NAMED_FEATURES else None,
        "ranges": None if image else _ranges(view.x.reshape(len(view.x), -1)),
        "scales": None if image else as_list(np.broadcast_to(view.scale, shape)),
        "examples": len(view.x),
        "low": float(view.x.min()),
        "high": float(view.x.max()),
        "units": _ranges(view.codes, *(view.span or ())),
        "prior": view.sample is not None,
    }


def example(view: View, number: int) -> dict[str, Any]:
    """A test example, its code and its reconstruction.

    Args:
        view: run and examples.
        number: index of the example.

    Returns:
        Class (a number, a name or None), x, code, x_hat, squared error, and the reconstruction by
        PCA (or None).

    Raises:
        UnknownIndexError: there is no such example.
    """
    x = view.x[checked_index("example", number, len(view.x))]
    code = view.codes[number]
    found = {"label": class_of(view, number), "x": as_list(x), "code": as_list(code)}
    return found | _compared(view, x, code) | _by_pca(view, x)


@np.errstate(over="ignore", invalid="ignore")  # as in `decoded`
def uploaded(view: View, content: bytes) -> dict[str, Any]:
    """Code and reconstruction of a user's image.

    Args:
        view: run and examples.
        content: PNG file of the size of the examples. Black is their minimum, white their maximum.

    Returns:
        As `example`, with the class None.

    Raises:
        ValueError: the examples are no images, or the content is not such a file.
    """
    if not is_image_shape(view.x.shape[1:]):
        raise ValueError("the run was not trained on images: there is nothing to upload")
    x = read_png(content, view.x.shape[1:], low=float(view.x.min()), high=float(view.x.max()))
    code = view.encode(x[None])[0]
    found = {"label": None, "x": as_list(x), "code": as_list(code)}
    return found | _compared(view, x, code) | _by_pca(view, x)


@np.errstate(over="ignore", invalid="ignore")  # errors that are not finite are refused below
def decoded(view: View, number: int, code: Any) -> dict[str, Any]:
    """Decode a code and compare the output with an example.

    Args:
        view: run and examples.
        number: index of the example.
        code: parsed JSON, one number per unit.

    Returns:
        x_hat and its squared error.

    Raises:
        UnknownIndexError: there is no such example.
        ValueError: the code has another size, contains something else than finite numbers, or is
            so large that the squared error is not finite.
    """
    x = view.x[checked_index("example", number, len(view.x))]
    return _compared(view, x, finite_array("a code", code, view.codes.shape[1:]).astype(np.float32))


def unit(view: View, number: int) -> dict[str, Any]:
    """Filter of a unit, and the examples with its highest activations.

    Args:
        view: run and examples.
        number: index of the unit.

    Returns:
        The filter, that is, the mean gradient ∂h/∂x over test examples (for a single layer, a
        multiple of the unit's kernel); the examples with the highest activations, and these.

    Raises:
        UnknownIndexError: there is no such unit.
    """
    activations = view.codes[:, checked_index("unit", number, view.codes.shape[1])]
    highest = np.argsort(-activations, kind="stable")[:MAX_UNIT_EXAMPLES]
    return {
        "filter": as_list(view.gradient(view.x[:MAX_GRADIENT_EXAMPLES], number)),
        "examples": highest.tolist(),
        "activations": as_list(activations[highest]),
        "x": [as_list(x) for x in view.x[highest]],
    }


@np.errstate(over="ignore", invalid="ignore")  # errors that are not finite are refused below
def repaired(view: View, number: int, x: Any) -> dict[str, Any]:
    """Reconstruct an edited example.

    Args:
        view: run and examples.
        number: index of the original example.
        x: parsed JSON, the values of the edited example in C order.

    Returns:
        code, x_hat, the squared errors of x_hat ("error") and of x ("damage") against the original
        example, and the reconstruction by PCA (or None).

    Raises:
        UnknownIndexError: there is no such example.
        ValueError: x has another size, contains something else than finite numbers, or is so large
            that a squared error is not finite.
    """
    clean = view.x[checked_index("example", number, len(view.x))]
    drawn = finite_array("an example", x, (clean.size,)).reshape(clean.shape)
    code = view.encode(drawn[None])[0]
    found = {"code": as_list(code), "damage": _error(drawn, clean)}
    return found | _compared(view, clean, code) | _by_pca(view, drawn)


def _compared(view: View, x: np.ndarray, code: np.ndarray) -> dict[str, Any]:
    """Decoded code, and its squared error against an example."""
    x_hat = view.decode(code[None])[0]
    error = _error(x_hat, x)
    if not math.isfinite(error):
        raise ValueError("the values are so large that the squared error is not finite")
    return {"x_hat": as_list(x_hat), "error": error}


def _by_pca(view: View, x: np.ndarray) -> dict[str, Any]:
    """Reconstruction of an example by PCA, or None."""
    return {"pca": None if view.pca is None else as_list(view.pca(x[None])[0])}


def class_of(view: View, number: int) -> int | str | None:
    """Class of an example.

    Args:
        view: run and examples.
        number: index of the example.

    Returns:
        The class, a number or a name; None without labels.
    """
    if view.labels is None or view.labels.ndim > 1:  # labels of pixels
        return None
    return view.labels[number].item()


def _ranges(values: np.ndarray, *others: np.ndarray) -> list[list[float]]:
    """Minimum and maximum of each column and of other rows."""
    every = np.concatenate([values, *(row[None] for row in others)])
    return np.stack([every.min(axis=0), every.max(axis=0)], axis=1).astype(float).tolist()


def _error(x_hat: np.ndarray, x: np.ndarray) -> float:
    return float(np.sum(np.square(np.asarray(x_hat, np.float64) - x)))
