"""Multiplications and additions of a matrix product or a convolution, from its HLO."""

import math
import re
from collections.abc import Mapping

from aejax.planning.hlo_text import Execution
from aejax.planning.window_reads import window_reads
from aejax.sharding.hlo_types import arrays_of

_CONTRACTED = re.compile(r"lhs_contracting_dims=\{([\d,]*)\}")
_LABELS = re.compile(r"dim_labels=(\w+)_(\w+)->(\w+)")
_CUDNN = re.compile(r'custom_call_target="__cudnn\$conv(?P<name>\w+)"')
_CUBLAS = re.compile(r'custom_call_target="__cublas\$')
_CUBLAS_CONTRACTED = re.compile(r'"lhs_contracting_dimensions":\[([^\]]*)\]')

Shape = tuple[int, ...]


def product_operations(execution: Execution) -> int:
    """Operations of one execution of a product or convolution, also by NVIDIA's cuDNN or cuBLAS.

    Args:
        execution: any instruction.

    Returns:
        Twice the number of multiplications; 0 for another instruction.
    """
    kind, attributes = execution.instruction.kind, execution.instruction.attributes
    cudnn = _CUDNN.search(attributes) if kind == "custom-call" else None
    cublas = _CUBLAS.search(attributes) if kind == "custom-call" else None
    if kind not in ("dot", "convolution") and not cudnn and not cublas:
        return 0
    left, right = (arrays_of(operand)[0][1] for operand in execution.operands[:2])
    result = arrays_of(execution.instruction.result)[0][1]
    if kind == "dot" or cublas:
        contracted = (_CUBLAS_CONTRACTED if cublas else _CONTRACTED).search(attributes)
        axes = map(int, re.findall(r"\d+", contracted[1])) if contracted else ()
        return 2 * math.prod(result) * math.prod(left[axis] for axis in axes)
    # cuDNN's backward passes have the window and labels of the forward pass.
    if cudnn and cudnn["name"] == "BackwardInput":
        left, right, result = result, right, left
    if cudnn and cudnn["name"] == "BackwardFilter":
        left, right, result = left, result, right
    return _convolution_operations(attributes, {"input": left, "kernel": right, "output": result})


def _convolution_operations(attributes: str, shapes: Mapping[str, Shape]) -> int:
    labels = _LABELS.search(attributes)
    assert labels, attributes
    names = dict(zip(shapes, labels.groups(), strict=True))
    spatial = sorted(filter(str.isdigit, names["input"]))
    axes = ([shapes[side][names[side].index(axis)] for axis in spatial] for side in shapes)

    def size(side: str, label: str) -> int:
        return shapes[side][names[side].index(label)]

    features = size("kernel", "i") * size("output", "f")
    return 2 * size("output", "b") * features * window_reads(attributes, *axes)
