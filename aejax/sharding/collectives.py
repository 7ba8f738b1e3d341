"""What the devices of a mesh tell each other: the collectives of a compiled program, counted."""

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
    """Collectives of one kind: how many, the bytes of their results, and those that travel.

    Both are of one device. A ring of n devices sends, from each, 2(n−1)/n of an all-reduce's
    bytes, (n−1)/n of an all-gather's or all-to-all's, n−1 times a reduce-scatter's, and all of a
    permutation's.
    """

    instructions: int
    bytes: int
    sent: float


def collectives(program: jax.stages.Compiled) -> dict[str, Traffic]:
    """The collectives of a compiled program, by kind.

    An instruction counts once, however often a loop runs it: measure a step, not an epoch.

    Args:
        program: `jax.jit(function).lower(…).compile()`.

    Returns:
        A `Traffic` for each kind that occurs.
    """
    return collectives_of(program.as_text() or "")


def collectives_of(text: str) -> dict[str, Traffic]:
    """As `collectives`, of a program's optimised HLO.

    Args:
        text: the HLO; the devices of a collective without groups are its header's partitions.

    Returns:
        A `Traffic` for each kind that occurs.
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
    """How many devices an instruction's groups hold, in any of the ways that HLO writes them."""
    match = _GROUP.search(rest)
    if match is None:
        return devices
    if match["listed"]:
        return match["listed"].count(",") + 1
    if match["size"]:
        return int(match["size"])
    sizes = dict(re.findall(r"'(\w+)'=(\d+)", match["axes"]))
    along = re.findall(r"'(\w+)'(?::\(\d+\)(\d+))?", match["along"])  # a part of an axis has a size
    return math.prod(int(part or sizes[axis]) for axis, part in along)


def _result_bytes(match: re.Match[str]) -> int:
    arrays = _ARRAY.findall(match["result"])
    if match["start"] and match["kind"] == "all-gather":
        arrays = arrays[len(arrays) // 2 :]  # after its operands
    if match["start"] and match["kind"] == "collective-permute":
        arrays = arrays[1:2]  # between its operand and its context
    return sum(_bytes(dtype, shape) for dtype, shape in arrays)


def _bytes(dtype: str, shape: str) -> int:
    bits = 8 if dtype == "pred" else int(re.findall(r"\d+", dtype)[0])
    return math.prod(int(size) for size in shape.split(",") if size) * -(-bits // 8)
