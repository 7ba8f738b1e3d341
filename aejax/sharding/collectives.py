"""Counts of the collectives of a compiled program, and of the bytes that they move."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from aejax.sharding.hlo_types import array_bytes, arrays_of, type_bytes

_KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
_INSTRUCTION = re.compile(
    rf"%?(?P<name>[\w.\-]+) = (?P<result>.+?) (?P<kind>{_KINDS})(?P<start>-start)?\((?P<rest>.*)"
)
_COMPUTATION = re.compile(r"^(?:ENTRY )?%?[\w.\-]+ \(.*\{\s*$")
# On a TPU, a reduce-scatter is a fusion of an all-reduce and a slice.
_SCATTER = re.compile(r"^%?all-reduce-scatter[\w.\-]* \(.*\) -> (?P<result>.+) \{")
# An asynchronous collective of a TPU is repeated in each computation that runs beside it.
_CHAIN = re.compile(r'channel_id=\d+(?=.*\bchain_id="\d+")')
_LISTED = re.compile(r"(?:replica_groups|source_target_pairs)=\{\{(?P<first>[\d,]+)\}")
_IOTA = r"\[(?P<{0}>[\d,]+)\](?:T\((?P<{0}_order>[\d,]+)\))?"
_TILED = re.compile(r"replica_groups=\[(?P<groups>[\d,]+)\]<=" + _IOTA.format("devices"))
_MESH = re.compile(
    r"replica_groups=mesh\[(?P<axes>[^\]]+)\](?:, device_ids=\("
    + _IOTA.format("devices")
    + r"\))? \{(?P<along>[^}]+)\}"
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


class Collective(NamedTuple):
    """One collective of a program, per device.

    name:  its name, unique in the program.
    kind:  its operation, such as "all-reduce".
    bytes: size of its result.
    sent:  bytes sent by a ring algorithm, as in `Traffic`.
    group: indices of the devices that take part, those of the first group.
    """

    name: str
    kind: str
    bytes: int
    sent: float
    group: tuple[int, ...]


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
    found: dict[str, Traffic] = {}
    for each in each_collective(text):
        count, total, sent = found.get(each.kind, Traffic(0, 0, 0.0))
        found[each.kind] = Traffic(count + 1, total + each.bytes, sent + each.sent)
    return found


def each_collective(text: str) -> list[Collective]:
    """List the collectives in the optimised HLO of a program.

    Args:
        text: HLO text, as `collectives_of` takes it.

    Returns:
        The collectives, in the order of the text.
    """
    partitions = re.search(r"num_partitions=(\d+)", text)
    devices = int(partitions[1]) if partitions else 1
    found, repeated, scattered = [], set(), None
    for line in text.splitlines():
        if _COMPUTATION.match(line):
            scattered = _scattered_bytes(line)
        match = _INSTRUCTION.search(line)
        if match is None or (chain := _chain(match)) in repeated:
            continue
        repeated |= {chain} - {None}
        kind, size = match["kind"], _result_bytes(match)
        if scattered is not None:
            kind, size = "reduce-scatter", scattered
        group = _group(match["rest"], devices)
        sent = _sent_share(kind, len(group)) * size
        found.append(Collective(match["name"], kind, size, sent, group))
    return found


def axes_along(group: Sequence[int], mesh: Mapping[str, int]) -> tuple[str, ...]:
    """Axes of a mesh along which the devices of a group differ.

    Args:
        group: indices of devices in the flattened mesh.
        mesh: size of each axis by name, in order.

    Returns:
        The names of the axes, in the order of the mesh.

    Example:
        >>> from aejax.sharding.collectives import axes_along
        >>> axes_along([0, 4], {"data": 2, "model": 4})
        ('data',)
    """
    positions = np.unravel_index(np.asarray(group), tuple(mesh.values()))
    return tuple(
        axis for axis, each in zip(mesh, positions, strict=True) if np.unique(each).size > 1
    )


def _chain(match: re.Match[str]) -> tuple[str, str] | None:
    """Identity of an asynchronous collective that is repeated; None for any other."""
    chain = _CHAIN.search(match["rest"])
    return (match["kind"], chain[0]) if chain else None


def _scattered_bytes(line: str) -> int | None:
    """Size of the result of a fused reduce-scatter, from the header of its computation."""
    header = _SCATTER.match(line)
    return type_bytes(header["result"]) if header else None


def _sent_share(kind: str, n: int) -> float:
    return {
        "all-reduce": 2 * (n - 1) / n,
        "all-gather": (n - 1) / n,
        "all-to-all": (n - 1) / n,
        "reduce-scatter": n - 1,
        "collective-permute": 1,
    }[kind]


def _group(rest: str, devices: int) -> tuple[int, ...]:
    """Devices of the first replica group of an instruction, in any of the syntaxes of HLO."""
    if listed := _LISTED.search(rest):
        return _integers(listed["first"])
    if tiled := _TILED.search(rest):
        groups = _iota(tiled).reshape(_integers(tiled["groups"]))
        return tuple(map(int, groups.reshape(-1, groups.shape[-1])[0]))
    if match := _MESH.search(rest):
        return _group_of_mesh(match)
    return tuple(range(devices))


def _group_of_mesh(match: re.Match[str]) -> tuple[int, ...]:
    """First group of the syntax mesh['a'=4,'b'=2] {'b'}, with parts of axes: 'a':(1)2."""
    sizes = {name: int(size) for name, size in re.findall(r"'(\w+)'=(\d+)", match["axes"])}
    count = math.prod(sizes.values())
    devices = _iota(match) if match["devices"] else np.arange(count)
    index: list[int | slice] = []
    for axis, size in sizes.items():
        part = re.search(rf"'{axis}'(?::\((\d+)\)(\d+))?", match["along"])
        if part is None:
            index.append(0)
        elif part[1] is None:
            index.append(slice(None))
        else:
            step = size // (int(part[1]) * int(part[2]))
            index.append(slice(0, step * int(part[2]), step))
    return tuple(map(int, devices.reshape(tuple(sizes.values()))[tuple(index)].ravel()))


def _iota(match: re.Match[str]) -> np.ndarray:
    """The devices in the order [sizes]T(axes): counted, then transposed."""
    sizes = _integers(match["devices"])
    devices = np.arange(math.prod(sizes)).reshape(sizes)
    order = match["devices_order"]
    return devices if order is None else devices.transpose(_integers(order))


def _integers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def _result_bytes(match: re.Match[str]) -> int:
    arrays = arrays_of(match["result"])
    if match["start"] and match["kind"] != "all-reduce":  # operands, results, context
        operands = max(1, match["rest"].partition(")")[0].count("%"))
        arrays = arrays[operands : 2 * operands]
    return sum(array_bytes(*each) for each in arrays)
