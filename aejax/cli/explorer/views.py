"""Data of the explorer page, as JSON values in the units of the data set."""

import math
from typing import Any

import numpy as np

from aejax.cli.explorer.explored_run import View
from aejax.cli.explorer.json_values import UnknownIndexError, as_list, checked_index, finite_array
from aejax.cli.explorer.uploaded_image import read_png
from aejax.data import feature_names
from aejax.data.image_size import is_image_shape

MAX_UNIT_EXAMPLES = 12
"""Maximum number of examples that are shown for a unit."""

MAX_NAMED_FEATURES = 200
"""Maximum number of features that are listed by name."""

MAX_GRADIENT_EXAMPLES = 256
"""Maximum number of examples that the gradient of a unit is averaged over."""


def description(view: View) -> dict[str, Any]:
    """Shape and ranges of the examples and units.

    Args:
        view: run and examples.

    Returns:
        The shape of an image, [height, width, channels] (other examples are one row), whether
        examples are images, the names of the features of a table (None for other data or many
        features), the number of examples, their minimum and maximum value, and the minimum and
        maximum activation of each unit, of a variational run at least three standard deviations
        of the prior, whose samples are available if "prior" is true; of a discrete code, whose
        units are integers if "integers" is true, all values of an index. For examples that are no
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
        "integers": _is_discrete(view),
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
        ValueError: the code has another size, contains something else than finite numbers, is so
            large that the squared error is not finite, or is discrete and out of range.
    """
    x = view.x[checked_index("example", number, len(view.x))]
    values = finite_array("a code", code, view.codes.shape[1:])
    if _is_discrete(view):
        low, high = np.transpose(_ranges(view.codes, *(view.span or ())))
        if np.any((values < low) | (values > high) | (values != np.rint(values))):
            raise ValueError(f"an index is an integer from {low.min():.0f} to {high.max():.0f}")
    return _compared(view, x, values.astype(np.int32 if _is_discrete(view) else np.float32))


def unit(view: View, number: int) -> dict[str, Any]:
    """Filter of a unit, and the examples with its highest activations.

    Args:
        view: run and examples.
        number: index of the unit.

    Returns:
        The filter, that is, the mean gradient ∂h/∂x over test examples (for a single layer, a
        multiple of the unit's kernel); the examples with the highest activations, and these.

    Raises:
        UnknownIndexError: there is no such unit, or the units are indices of a discrete code.
    """
    if view.gradient is None:
        raise UnknownIndexError("an index of a discrete code has no filter and no activations")
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


def _is_discrete(view: View) -> bool:
    """Whether the units are indices."""
    return np.issubdtype(view.codes.dtype, np.integer)


def _ranges(values: np.ndarray, *others: np.ndarray) -> list[list[float]]:
    """Minimum and maximum of each column and of other rows."""
    every = np.concatenate([values, *(row[None] for row in others)])
    return np.stack([every.min(axis=0), every.max(axis=0)], axis=1).astype(float).tolist()


def _error(x_hat: np.ndarray, x: np.ndarray) -> float:
    return float(np.sum(np.square(np.asarray(x_hat, np.float64) - x)))
