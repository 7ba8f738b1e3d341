"""Selection of the array in the code's pytree that a penalty applies to."""

from collections.abc import Callable

from aejax.types import Array, Code, Pass

Select = Callable[[Code], Array]
"""Selects one array of the code's pytree: code -> array [batch, *code]."""


def selected_encoder(record: Pass, select: Select) -> Callable[[Array], Array]:
    """Encoder that returns the selected array of the code.

    Args:
        record: forward pass, with the model and its parameters.
        select: code -> the array of the code's pytree.

    Returns:
        The function from [batch, *input] to [batch, *code].
    """
    return lambda x: select(record.model.encode(record.params, x))
