"""Counts of a compiled program: operations, bytes, instructions that move data, fusions."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from aejax.planning.hlo_text import Execution
from aejax.planning.window_reads import window_reads
from aejax.sharding.hlo_types import arrays_of, dtype_bits, type_bytes

_CONTRACTED = re.compile(r"lhs_contracting_dims=\{([\d,]*)\}")
_LABELS = re.compile(r"dim_labels=(\w+)_(\w+)->(\w+)")
_HOST = re.compile(r'"[^"]*(?:callback|SendToHost|RecvFromHost)[^"]*"')
_UNSTORED = {
    "after-all",
    "bitcast",
    "call",
    "conditional",
    "constant",
    "get-tuple-element",
    "iota",
    "opt-barrier",
    "parameter",
    "partition-id",
    "replica-id",
    "tuple",
    "while",
}
"""Instructions that neither read nor write the memory themselves."""


class OperationCounts(NamedTuple):
    """Counts of one run of a program, on one device.

    operations:      multiplications and additions of all matrix products and convolutions.
    low_precision:   the part of them whose operands have fewer than 32 bits.
    bytes:           bytes of the operands and results of all instructions outside of fusions.
    products:        number of matrix products and convolutions.
    fusions:         number of fusions.
    transposes:      number of transposes that are stored in memory, in fusions or alone.
    copies:          number of copies outside of fusions.
    host_transfers:  number of calls to the host, and transfers from and to it.
    loops:           number of loops.
    """

    operations: int
    low_precision: int
    bytes: int
    products: int
    fusions: int
    transposes: int
    copies: int
    host_transfers: int
    loops: int


def count_operations(program: Iterable[Execution]) -> OperationCounts:
    """Count the operations of a compiled program.

    Args:
        program: instructions of the program, from `hlo_text.executions`.

    Returns:
        The counts. Elementwise operations are not counted, because products take most of the time.
    """
    kinds: Counter[str] = Counter()
    operations = low_precision = traffic = products = host = 0
    for execution in program:
        instruction, times = execution.instruction, execution.times
        kinds[instruction.kind] += times
        if instruction.kind == "copy" and not execution.is_top_level:
            kinds["copy"] -= times
        own = times * _operations(execution)
        products += times * bool(own)
        operations += own
        low_precision += own if _is_low_precision(execution) else 0
        traffic += times * _bytes(execution)
        host += times * bool(
            instruction.kind in ("infeed", "outfeed")
            or (instruction.kind == "custom-call" and _HOST.search(instruction.attributes))
        )
    return OperationCounts(
        operations,
        low_precision,
        traffic,
        products,
        kinds["fusion"],
        kinds["transpose"],
        kinds["copy"],
        host,
        kinds["while"],
    )


def _operations(execution: Execution) -> int:
    """Operations of a product or convolution; 0 for another instruction."""
    kind, attributes = execution.instruction.kind, execution.instruction.attributes
    if kind not in ("dot", "convolution"):
        return 0
    ((_, left), (_, right)) = arrays_of(execution.operands[0]) + arrays_of(execution.operands[1])
    result = arrays_of(execution.instruction.result)[0][1]
    if kind == "dot":
        contracted = _CONTRACTED.search(attributes)
        axes = [int(axis) for axis in contracted[1].split(",") if axis] if contracted else []
        return 2 * math.prod(result) * math.prod(left[axis] for axis in axes)
    labels = _LABELS.search(attributes)
    assert labels, attributes
    spatial = sorted(filter(str.isdigit, labels[1]))
    sides = zip(labels.groups(), (left, right, result), strict=True)
    axes = ([array[names.index(axis)] for axis in spatial] for names, array in sides)
    features = right[labels[2].index("i")] * result[labels[3].index("f")]
    return 2 * result[labels[3].index("b")] * features * window_reads(attributes, *axes)


def _is_low_precision(execution: Execution) -> bool:
    dtypes = [dtype for operand in execution.operands for dtype, _ in arrays_of(operand)]
    return bool(dtypes) and all(dtype_bits(dtype) < 32 for dtype in dtypes)


def _bytes(execution: Execution) -> int:
    kind = execution.instruction.kind
    if not execution.is_top_level or kind in _UNSTORED or kind.endswith("-done"):
        return 0
    types = (execution.instruction.result, *execution.operands)
    return sum(type_bytes(each) for each in types)
