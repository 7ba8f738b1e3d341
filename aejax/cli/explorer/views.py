"""Data of the explorer page, as JSON values in the units of the data set."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data import Schema, feature_names
from aejax.runs.examples import ShownExamples
from aejax.runs.inference import Map, decoder, encoder, model_inputs
from aejax.runs.run import Run
from aejax.types import Array

MAX_UNIT_EXAMPLES = 12
"""Maximum number of examples that are shown for a unit."""

MAX_NAMED_FEATURES = 200
"""Maximum number of features that are listed by name."""

MAX_GRADIENT_EXAMPLES = 256
"""Maximum number of examples that the gradient of a unit is averaged over."""


class View(NamedTuple):
    """A run and its test examples.

    A unit is one scalar of the code; spatial codes are flattened in C order.

    title:    title of the page.
    x:        raw test examples, [examples, *features].
    labels:   classes of the examples, or None.
    codes:    codes of the examples, [examples, units].
    encode:   raw examples -> codes [examples, units].
    decode:   codes [examples, units] -> raw examples.
    gradient: (raw examples, unit) -> mean gradient of the unit in raw units, [*features].
    schema:   columns of a table, or None.
    """

    title: str
    x: np.ndarray
    labels: np.ndarray | None
    codes: np.ndarray
    encode: Map
    decode: Map
    gradient: Callable[[np.ndarray, int], np.ndarray]
    schema: Schema | None = None


class UnknownIndexError(LookupError):
    """There is no example or unit with this index."""


def view(run: Run, examples: ShownExamples) -> View:
    """Encode the test examples of a run for the explorer.

    Args:
        run: trained run.
        examples: test examples of its data.

    Returns:
        The run, the examples and their codes.
    """
    encoded, decoded = encoder(run), decoder(run)
    codes = encoded(examples.raw)
    shape = codes.shape[1:]
    return View(
        title=f"An autoencoder of {run.configuration.data}",
        x=examples.raw,
        labels=examples.labels,
        codes=codes.reshape(len(codes), -1),
        encode=lambda x: encoded(x).reshape(len(x), -1),
        decode=lambda code: decoded(code.reshape(len(code), *shape)),
        gradient=_unit_gradient(run),
        schema=run.about.schema,
    )


def _unit_gradient(run: Run) -> Callable[[np.ndarray, int], np.ndarray]:
    """Make the mean gradient ∂h/∂x of one unit over raw examples, compiled once for all units."""

    @jax.jit
    def normalised(x: Array, unit: Array) -> Array:
        def activation(x: Array) -> Array:
            return jnp.sum(run.objective.model.encode(run.params, x).reshape(len(x), -1)[:, unit])

        return jnp.mean(jax.grad(activation)(x), axis=0)

    def gradient(x: np.ndarray, unit: int) -> np.ndarray:
        found = normalised(model_inputs(run, x), jnp.asarray(unit))
        return np.asarray(found, np.float64).reshape(x.shape[1:]) / run.normalisation.scale

    return gradient


def description(view: View) -> dict[str, Any]:
    """Shape and ranges of the examples and units.

    Args:
        view: run and examples.

    Returns:
        The shape of an image, [height, width, channels] (other examples are shown as one row of
        pixels), the names of the features of a table (None for other data or many features), the
        number of examples, their minimum and maximum value, and the minimum and maximum activation
        of each unit.
    """
    shape = view.x.shape[1:]
    names = [] if view.schema is None else feature_names(view.schema.columns)
    image = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
    return {
        "title": view.title,
        "shape": (*shape, 1)[:3] if image else (1, math.prod(shape), 1),
        "features": names if 0 < len(names) <= MAX_NAMED_FEATURES else None,
        "examples": len(view.x),
        "low": float(view.x.min()),
        "high": float(view.x.max()),
        "units": np.stack([view.codes.min(axis=0), view.codes.max(axis=0)], axis=1).tolist(),
    }


def example(view: View, number: int) -> dict[str, Any]:
    """A test example, its code and its reconstruction.

    Args:
        view: run and examples.
        number: index of the example.

    Returns:
        Class (or None; of a table, its name), x, code, x_hat, and squared error.

    Raises:
        UnknownIndexError: there is no such example.
    """
    x = view.x[_checked_index("example", number, len(view.x))]
    label = None if view.labels is None else int(view.labels[number])
    if label is not None and view.schema is not None and view.schema.classes is not None:
        label = view.schema.classes[label]
    code = view.codes[number]
    return {"label": label, "x": _as_list(x), "code": _as_list(code)} | _compared(view, x, code)


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
    x = view.x[_checked_index("example", number, len(view.x))]
    return _compared(
        view, x, _finite_array("a code", code, view.codes.shape[1:]).astype(np.float32)
    )


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
    activations = view.codes[:, _checked_index("unit", number, view.codes.shape[1])]
    highest = np.argsort(-activations, kind="stable")[:MAX_UNIT_EXAMPLES]
    return {
        "filter": _as_list(view.gradient(view.x[:MAX_GRADIENT_EXAMPLES], number)),
        "examples": highest.tolist(),
        "activations": _as_list(activations[highest]),
        "x": [_as_list(x) for x in view.x[highest]],
    }


@np.errstate(over="ignore", invalid="ignore")  # errors that are not finite are refused below
def repaired(view: View, number: int, x: Any) -> dict[str, Any]:
    """Reconstruct an edited example.

    Args:
        view: run and examples.
        number: index of the original example.
        x: parsed JSON, the values of the edited example in C order.

    Returns:
        code, x_hat, and the squared errors of x_hat ("error") and of x ("damage") against the
        original example.

    Raises:
        UnknownIndexError: there is no such example.
        ValueError: x has another size, contains something else than finite numbers, or is so large
            that a squared error is not finite.
    """
    clean = view.x[_checked_index("example", number, len(view.x))]
    drawn = _finite_array("an example", x, (clean.size,)).reshape(clean.shape)
    code = view.encode(drawn[None])[0]
    found = {"code": _as_list(code), "damage": _error(drawn, clean)}
    return found | _compared(view, clean, code)


def _compared(view: View, x: np.ndarray, code: np.ndarray) -> dict[str, Any]:
    """Decoded code, and its squared error against an example."""
    x_hat = view.decode(code[None])[0]
    error = _error(x_hat, x)
    if not math.isfinite(error):
        raise ValueError("the values are so large that the squared error is not finite")
    return {"x_hat": _as_list(x_hat), "error": error}


def _checked_index(what: str, number: int, count: int) -> int:
    """Index below count; raises UnknownIndexError otherwise."""
    if not 0 <= number < count:
        raise UnknownIndexError(f"there is no {what} {number}: they are 0 to {count - 1}")
    return number


def _finite_array(what: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Convert a list of finite JSON numbers to float64."""
    refusal = ValueError(f"{what} is a list of {math.prod(shape)} numbers")
    try:
        leaves = np.asarray(values, object)
        numbers = leaves.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise refusal from error
    if not all(type(leaf) in (int, float) for leaf in leaves.flat):  # NumPy converts "1" and True
        raise refusal
    if numbers.shape != shape:
        raise ValueError(f"{what} has {math.prod(shape)} numbers, got shape {list(numbers.shape)}")
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} contains a value that is NaN or infinite")
    return numbers


def _error(x_hat: np.ndarray, x: np.ndarray) -> float:
    return float(np.sum(np.square(np.asarray(x_hat, np.float64) - x)))


def _as_list(array: np.ndarray) -> list[float]:
    return np.asarray(array, float).ravel().tolist()
