"""Selection of the array in the code's pytree that a penalty applies to."""

from collections.abc import Callable

import jax

from aejax.contracts import describe
from aejax.types import Array, Code, Pass

Select = Callable[[Code], Array]
"""Selects one array of the code's pytree: code -> array [batch, *code]."""


def selected_array(code: Code, select: Select) -> Array:
    """Select an array of the code.

    Args:
        code: pytree of arrays.
        select: code -> the array of the code's pytree; `jax.nn.identity` for the code itself.

    Returns:
        The array, [batch, *code].

    Raises:
        ValueError: if the result is not one array.
    """
    selected = code if select is jax.nn.identity else select(code)
    if not hasattr(selected, "shape"):
        raise ValueError(
            f"a penalty on the code applies to one array, got {describe(selected)}; choose "
            "one with select=, such as select=lambda code: code[…]"
        )
    return selected


def encoder_input(record: Pass) -> Array:
    """Input of the encoder, from which a penalty of a dictionary computes pre-activations.

    Args:
        record: forward pass.

    Returns:
        The input, [batch, features].

    Raises:
        ValueError: for a model that normalises each example itself, as `normalised_examples` does,
            so that its pre-activations are not those of this input.
    """
    if {"shift", "scale"} <= set(getattr(record.code, "_fields", ())):
        raise ValueError(
            "this penalty computes the pre-activations of the examples as given, but the model "
            "normalises each example: normalise the data instead, and use the model in it"
        )
    return record.x_corrupted


def selected_encoder(record: Pass, select: Select) -> Callable[[Array], Array]:
    """Encoder that returns the selected array of the code.

    Args:
        record: forward pass, with the model and its parameters.
        select: code -> the array of the code's pytree.

    Returns:
        The function from [batch, *input] to [batch, *code].

    Raises:
        ValueError: if the selection is not one array, before any derivative is taken.
    """
    selected_array(record.code, select)
    return lambda x: selected_array(record.model.encode(record.params, x), select)
