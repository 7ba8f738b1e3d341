"""What the explorer shows, as plain numbers in the units of the data."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.runs.in_memory_examples import ShownExamples
from aejax.runs.inference import Map, decoder, encoder, model_inputs
from aejax.runs.run import Run
from aejax.types import Array

EXCITING = 12
"""Examples that are shown of each unit."""

AVERAGED = 256
"""Examples over which a unit's gradient is averaged."""


class View(NamedTuple):
    """A run with the test examples that it is looked at with.

    A unit is one scalar of the code, whatever the code's shape, in C order.

    title:    of the page.
    x:        raw test examples, [examples, *features].
    labels:   their classes, or None.
    codes:    of the examples, [examples, units].
    encode:   raw examples to codes [examples, units].
    decode:   codes [examples, units] to raw examples.
    gradient: (raw examples, unit) -> the unit's mean gradient in raw units, [*features].
    """

    title: str
    x: np.ndarray
    labels: np.ndarray | None
    codes: np.ndarray
    encode: Map
    decode: Map
    gradient: Callable[[np.ndarray, int], np.ndarray]


class Unknown(LookupError):  # noqa: N818 -- what it names does not exist, and nothing went wrong
    """No example or unit has this number."""


def view(run: Run, examples: ShownExamples) -> View:
    """A run and the test examples of its data.

    Args:
        run: the run.
        examples: those of its data.

    Returns:
        The `View`, with the codes of all test examples.
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
    )


def _unit_gradient(run: Run) -> Callable[[np.ndarray, int], np.ndarray]:
    """The mean gradient ∂h/∂x of one unit over raw examples, compiled once for all units."""

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
    """How the page is laid out.

    Args:
        view: what is looked at.

    Returns:
        The image's shape, [height, width, channels] (other examples are a strip one pixel high),
        the number of examples, their lowest and highest value, and of each unit the lowest and
        highest activation.
    """
    shape = view.x.shape[1:]
    image = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
    return {
        "title": view.title,
        "shape": (*shape, 1)[:3] if image else (1, math.prod(shape), 1),
        "examples": len(view.x),
        "low": float(view.x.min()),
        "high": float(view.x.max()),
        "units": np.stack([view.codes.min(axis=0), view.codes.max(axis=0)], axis=1).tolist(),
    }


def example(view: View, number: int) -> dict[str, Any]:
    """A test example, its code and its reconstruction.

    Args:
        view: what is looked at.
        number: index of the example.

    Returns:
        Its class (or None), x, code, x_hat, and their squared error.

    Raises:
        Unknown: where there is no such example.
    """
    x = view.x[_known("example", number, len(view.x))]
    label = None if view.labels is None else int(view.labels[number])
    code = view.codes[number]
    return {"label": label, "x": _numbers(x), "code": _numbers(code)} | _against(view, x, code)


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused
def decoded(view: View, number: int, code: Any) -> dict[str, Any]:
    """What a code is decoded to, against an example.

    Args:
        view: what is looked at.
        number: of the example.
        code: one number a unit, as JSON gives it.

    Returns:
        x_hat, and its squared error against the example.

    Raises:
        Unknown: where there is no such example.
        ValueError: for a code of another size, of what is no finite number, or so large that a
            squared error is not finite.
    """
    x = view.x[_known("example", number, len(view.x))]
    return _against(view, x, _given("a code", code, view.codes.shape[1:]).astype(np.float32))


def unit(view: View, number: int) -> dict[str, Any]:
    """What a unit answers to.

    Args:
        view: what is looked at.
        number: of the unit.

    Returns:
        Its filter, the mean gradient ∂h/∂x over test examples (of a single layer that is its
        kernel, but for a factor); and the examples that excite it most, with their activations.

    Raises:
        Unknown: where there is no such unit.
    """
    activations = view.codes[:, _known("unit", number, view.codes.shape[1])]
    highest = np.argsort(-activations, kind="stable")[:EXCITING]
    return {
        "filter": _numbers(view.gradient(view.x[:AVERAGED], number)),
        "examples": highest.tolist(),
        "activations": _numbers(activations[highest]),
        "x": [_numbers(x) for x in view.x[highest]],
    }


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused
def repaired(view: View, number: int, x: Any) -> dict[str, Any]:
    """What the run makes of an example that has been drawn on.

    Args:
        view: what is looked at.
        number: of the example.
        x: what became of it, flat, as JSON gives it.

    Returns:
        code, x_hat, its squared error against the example, and that of x as "damage".

    Raises:
        Unknown: where there is no such example.
        ValueError: for an x of another size, of what is no finite number, or so large that a
            squared error is not finite.
    """
    clean = view.x[_known("example", number, len(view.x))]
    drawn = _given("an example", x, (clean.size,)).reshape(clean.shape)
    code = view.encode(drawn[None])[0]
    found = {"code": _numbers(code), "damage": _error(drawn, clean)}
    return found | _against(view, clean, code)


def _against(view: View, x: np.ndarray, code: np.ndarray) -> dict[str, Any]:
    """What a code is decoded to, and its squared error against an example."""
    x_hat = view.decode(code[None])[0]
    error = _error(x_hat, x)
    if not math.isfinite(error):
        raise ValueError("the values are so large that the squared error is not finite")
    return {"x_hat": _numbers(x_hat), "error": error}


def _known(what: str, number: int, count: int) -> int:
    if not 0 <= number < count:
        raise Unknown(f"there is no {what} {number}: they are 0 to {count - 1}")
    return number


def _given(what: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A list of finite JSON numbers, float64."""
    refusal = ValueError(f"{what} is a list of {math.prod(shape)} numbers")
    try:
        leaves = np.asarray(values, object)
        numbers = leaves.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise refusal from error
    if not all(type(leaf) in (int, float) for leaf in leaves.flat):  # NumPy takes "1" and True
        raise refusal
    if numbers.shape != shape:
        raise ValueError(f"{what} has {math.prod(shape)} numbers, got shape {list(numbers.shape)}")
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} holds a value that is NaN or infinite")
    return numbers


def _error(x_hat: np.ndarray, x: np.ndarray) -> float:
    return float(np.sum(np.square(np.asarray(x_hat, np.float64) - x)))


def _numbers(array: np.ndarray) -> list[float]:
    return np.asarray(array, float).ravel().tolist()
