"""Bytes that an instruction of a compiled program reads from and writes to a device's memory."""

import re
from collections.abc import Iterator

from aejax.planning.hlo_text import Computation, Execution, Instruction
from aejax.sharding.hlo_types import array_bytes, arrays_of, type_bytes

_ON_CHIP = re.compile(r"\w+\[[\d,]*\]\{[^{}]*S\(1\)[^{}]*\}")
"""Array in a TPU's vector memory (VMEM), beside the cores: its use does not reach the memory."""

_SLICES = {"dynamic-slice", "gather", "slice"}
_SAME_VALUES = {"bitcast", "copy", "reshape", "transpose"}
_UNSTORED = {
    "after-all",
    "async-start",
    "async-update",
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


def memory_traffic(execution: Execution) -> int:
    """Bytes that one execution of an instruction reads and writes; 0 within a fusion.

    Of an array of which only slices are read, only these count; of one that is updated in place,
    only the update. Both are usual in loops over stacked arrays.

    Args:
        execution: the instruction.

    Returns:
        The number of bytes.
    """
    instruction, fused = execution.instruction, execution.fused
    kind = instruction.kind
    if not execution.is_top_level or kind in _UNSTORED or kind.endswith("-done"):
        return 0
    if fused is not None:
        sources = [each for each in fused.values() if each.kind == "parameter"]
        return sum(_read_from(fused, each) for each in sources) + _written(fused, _last(fused))
    sizes, result = [_bytes(each) for each in execution.operands], _bytes(instruction.result)
    if kind in _SLICES:
        return 2 * result + sum(sizes[1:])
    if kind == "dynamic-update-slice":
        return 2 * sizes[1] + sum(sizes[2:])
    if kind.endswith("-start") and kind != "all-reduce-start":  # the result repeats the operands
        result -= sum(sizes)
    if kind == "slice-start":
        sizes = [array_bytes(*arrays_of(instruction.result)[len(sizes)])]
    return result + sum(sizes)


def _read_from(fused: Computation, source: Instruction) -> int:
    """Bytes that a fusion reads of a parameter, or of a value that is one in another form."""
    whole = _bytes(source.result)
    read = sum(_read_by(fused, source, user) for user in _users(fused, source.name))
    return min(read, whole)


def _read_by(fused: Computation, source: Instruction, user: Instruction) -> int:
    is_first_alone = user.operands.index(source.name) == 0 and user.operands.count(source.name) == 1
    if user.kind in _SLICES and is_first_alone:
        return min(_bytes(source.result), type_bytes(user.result))
    if user.kind == "dynamic-update-slice" and is_first_alone:
        return 0
    if user.kind in _SAME_VALUES and not _is_result(fused, user):
        return _read_from(fused, user)
    return _bytes(source.result)


def _written(fused: Computation, result: Instruction) -> int:
    """Bytes that a fusion writes: of an array that it updates in place, the update."""
    if result.kind == "tuple":
        return sum(_written(fused, fused[each]) for each in result.operands)
    source = result
    while source.kind in _SAME_VALUES:
        source = fused[source.operands[0]]
    if source.kind == "dynamic-update-slice":
        return min(_bytes(result.result), type_bytes(fused[source.operands[1]].result))
    return _bytes(result.result)


def _users(fused: Computation, name: str) -> Iterator[Instruction]:
    return (each for each in fused.values() if name in each.operands)


def _is_result(fused: Computation, instruction: Instruction) -> bool:
    last = _last(fused)
    return instruction.name == last.name or (
        last.kind == "tuple" and instruction.name in last.operands
    )


def _last(fused: Computation) -> Instruction:
    """Result of a computation."""
    return list(fused.values())[-1]


def _bytes(type_text: str) -> int:
    """Bytes of the arrays of a type that are in a device's memory."""
    return type_bytes(_ON_CHIP.sub("", type_text))
