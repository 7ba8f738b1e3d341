"""Number of elements that the window of a convolution reads, without padding and dilation."""

import math
import re
from collections.abc import Sequence

import numpy as np

_WINDOW = re.compile(r"window=\{(?P<fields>[^}]*)\}")


def window_reads(
    attributes: str, inputs: Sequence[int], sizes: Sequence[int], outputs: Sequence[int]
) -> int:
    """Count the pairs of an output position and a window position that read an element.

    Where a window reads padding, or the zeros between the elements of a dilated input, nothing is
    multiplied. XLA writes a batch of matrix products as a convolution most of whose window does.

    Args:
        attributes: attributes of the HLO instruction.
        inputs: number of elements along each spatial axis of the input.
        sizes: size of the window along each spatial axis.
        outputs: number of elements along each spatial axis of the output.

    Returns:
        The product of the counts along the axes.
    """
    match = _WINDOW.search(attributes)
    fields = dict(field.split("=") for field in match["fields"].split()) if match else {}
    axes = range(len(sizes))
    return math.prod(
        _reads(inputs[axis], sizes[axis], outputs[axis], *_geometry(fields, axis)) for axis in axes
    )


def _geometry(fields: dict[str, str], axis: int) -> tuple[int, int, int, int]:
    """Stride, padding before the first element, and dilations of the input and the window."""
    stride, dilation, spacing = (
        int(fields[name].split("x")[axis]) if name in fields else 1
        for name in ("stride", "lhs_dilate", "rhs_dilate")
    )
    before = int(fields["pad"].split("x")[axis].split("_")[0]) if "pad" in fields else 0
    return stride, before, dilation, spacing


def _reads(
    inputs: int, size: int, outputs: int, stride: int, before: int, dilation: int, spacing: int
) -> int:
    """Pairs (o, k) for which o·stride + k·spacing − before is the place of an element.

    For each k, the outputs o are those of an interval that equal `first` modulo `period`.
    """
    offsets = np.arange(size) * spacing - before
    common = math.gcd(stride, dilation)
    period = dilation // common
    offsets = offsets[offsets % common == 0]
    first = -offsets // common * pow(stride // common, -1, period) % period
    low = np.maximum(-(offsets // stride), 0)
    high = np.minimum(((inputs - 1) * dilation - offsets) // stride, outputs - 1)
    counts = (high - first) // period - (low - 1 - first) // period
    return int(np.maximum(counts, 0).sum())
