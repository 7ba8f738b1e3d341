"""Which part of the code's tree a penalty means, and the encoder of that part."""

from collections.abc import Callable

from aejax.types import Array, Code, Pass

Select = Callable[[Code], Array]
"""The part of the code's tree that is meant: code -> array [batch, *code]."""


def selected_encoder(record: Pass, select: Select) -> Callable[[Array], Array]:
    """x -> the selected part of its code, with the pass's parameters.

    Args:
        record: gives the model and its parameters.
        select: the part of the code's tree that is meant.

    Returns:
        The function, from [batch, *input] to [batch, *code].
    """
    return lambda x: select(record.model.encode(record.params, x))
