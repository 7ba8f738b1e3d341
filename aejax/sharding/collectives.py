"""Counts of the collectives of a compiled program, and of the bytes that they move."""

import math
import re
from typing import NamedTuple

import jax

_KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
_INSTRUCTION = re.compile(rf"= (?P<result>.+?) (?P<kind>{_KINDS})(?P<start>-start)?\((?P<rest>.*)")
_ARRAY = re.compile(r"\b(pred|[a-z]+\d+\w*)\[([\d,]*)\]")
_GROUP = re.compile(
    r"replica_groups=(?:\{\{(?P<listed>[\d,]+)\}|\[\d+,(?P<size>\d+)\]<="
    r"|mesh\[(?P<axes>[^\]]+)\][^{]*\{(?P<along>[^}]+)\})"
)


class Traffic(NamedTuple):
    """Collectives of one kind, per device.

    instructions: number of instructions.
    bytes:        total size of their results.
    sent:         bytes sent by a ring algorithm on n devices: 2(n−1)/n of the result of an
                  all-reduce, (n−1)/n of an all-gather or all-to-all, n−1 times a reduce-scatter,
                  and all of a permutation.
    """

    instructions: int
    bytes: int
    sent: float


def collectives(program: jax.stages.Compiled) -> dict[str, Traffic]:
    """Count the collectives of a compiled program.

    An instruction inside a loop counts once, so analyse a step, not an epoch.

    Args:
        program: compiled program, `jax.jit(function).lower(…).compile()`.

    Returns:
        A `Traffic` for each kind of collective that occurs.
    """
    return collectives_of(program.as_text() or "")


def collectives_of(text: str) -> dict[str, Traffic]:
    """Count the collectives in the optimised HLO of a program.

    Args:
        text: HLO text. A collective without replica groups spans all partitions of the header.

    Returns:
        A `Traffic` for each kind of collective that occurs.
    """
    partitions = re.search(r"num_partitions=(\d+)", text)
    devices = int(partitions[1]) if partitions else 1
    found: dict[str, Traffic] = {}
    for match in filter(None, map(_INSTRUCTION.search, text.splitlines())):
        kind, size = match["kind"], _result_bytes(match)
        count, total, sent = found.get(kind, Traffic(0, 0, 0.0))
        share = _sent_share(kind, _group(match["rest"], devices))
        found[kind] = Traffic(count + 1, total + size, sent + share * size)
    return found


def _sent_share(kind: str, n: int) -> float:
    return {
        "all-reduce": 2 * (n - 1) / n,
        "all-gather": (n - 1) / n,
        "all-to-all": (n - 1) / n,
        "reduce-scatter": n - 1,
        "collective-permute": 1,
    }[kind]


def _group(rest: str, devices: int) -> int:
    """Number of devices per replica group of an instruction, in any of the syntaxes of HLO."""
    match = _GROUP.search(rest)
    if match is None:
        return devices
    if match["listed"]:
        return match["listed"].count(",") + 1
    if match["size"]:
        return int(match["size"])
    sizes = dict(re.findall(r"'(\w+)'=(\d+)", match["axes"]))
    along = re.findall(r"'(\w+)'(?::\(\d+\)(\d+))?", match["along"])  # a size only for sub-axes
    return math.prod(int(part or sizes[axis]) for axis, part in along)


def _result_bytes(match: re.Match[str]) -> int:
    arrays = _ARRAY.findall(match["result"])
    if match["start"] and match["kind"] == "all-gather":
        arrays = arrays[len(arrays) // 2 :]  # the results follow the operands
    if match["start"] and match["kind"] == "collective-permute":
        arrays = arrays[1:2]  # operand, result, context
    return sum(_bytes(dtype, shape) for dtype, shape in arrays)


def _bytes(dtype: str, shape: str) -> int:
    bits = 8 if dtype == "pred" else int(re.findall(r"\d+", dtype)[0])
    return math.prod(int(size) for size in shape.split(",") if size) * -(-bits // 8)
