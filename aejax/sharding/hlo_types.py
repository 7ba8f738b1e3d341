"""Types of arrays in the text of HLO: dtypes, shapes and sizes."""

import math
import re

_ARRAY = re.compile(r"\b(pred|[a-z]+\d+\w*)\[([\d,]*)\]")


def arrays_of(type_text: str) -> list[tuple[str, tuple[int, ...]]]:
    """Dtypes and shapes in the type of a result, e.g. "(f32[8,3]{1,0}, u32[])".

    Args:
        type_text: type of an array, or of a tuple of arrays.

    Returns:
        HLO's name of the dtype, such as "bf16", and shape of each array.
    """
    return [
        (dtype, tuple(int(size) for size in shape.split(",") if size))
        for dtype, shape in _ARRAY.findall(type_text)
    ]


def dtype_bits(dtype: str) -> int:
    """Number of bits of an element, from HLO's name of its dtype; a boolean takes a byte."""
    return 8 if dtype == "pred" else int(re.findall(r"\d+", dtype)[0])


def array_bytes(dtype: str, shape: tuple[int, ...]) -> int:
    """Number of bytes of an array; an element takes whole bytes."""
    return math.prod(shape) * -(-dtype_bits(dtype) // 8)


def type_bytes(type_text: str) -> int:
    """Number of bytes of an array, or of all arrays of a tuple, of this type."""
    return sum(array_bytes(*each) for each in arrays_of(type_text))
