"""Change of sharding whose transpose restores the first: gathers become reduce-scatters.

The transpose of `jax.lax.with_sharding_constraint` constrains the cotangent to the same sharding. A
parameter array that is stored divided and used whole would so get a gradient that is summed whole
on every device, then divided: an all-reduce, which sends twice the bytes of a reduce-scatter.

XLA's compiler for TPUs makes a reduce-scatter of neither a sum over all devices of a large torus
nor one into parts of a tile along the axis of its columns. For TPUs a gradient is therefore divided
in two stages, over groups of devices and then within them, and parts that do not fill whole tiles
get a layout whose slowest axis is the divided one. A sum over four devices is divided at once,
because halves of gradients would take memory.
"""

import math
from collections.abc import Sequence

import jax
from jax.core import ShapedArray
from jax.experimental.layout import Layout, with_layout_constraint
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.sharding import AbstractMesh, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from aejax.types import Array

OUTER, INNER = "_outer", "_inner"
"""Suffixes of the two axes of a mesh into which one axis is divided."""

TILE_ROWS, TILE_COLUMNS = 8, 128
"""Size of a TPU's tiles, in which the last two axes of an array are stored."""


def fills_tiles(shape: Sequence[int], axis: int, parts: int) -> bool:
    """Whether the parts of a divided array fill whole tiles of a TPU.

    Args:
        shape: shape of the array.
        axis: divided axis.
        parts: number of parts, which divides the size of the axis.

    Returns:
        True if a part is a multiple of a tile's rows, or of its columns along the last axis.
    """
    return shape[axis] // parts % (TILE_COLUMNS if axis == len(shape) - 1 else TILE_ROWS) == 0


def reshard(array: Array, *, used: NamedSharding, stored: NamedSharding) -> Array:
    """Constrain an array to a sharding, and its cotangent to another.

    Args:
        array: traced array, stored with one sharding.
        used: sharding of the result.
        stored: sharding of the cotangent.

    Returns:
        The array, with unchanged values.
    """
    return _reshard_p.bind(array, used=used, stored=stored)


_reshard_p = Primitive("reshard")
"""The identity; a linear function, and its own transpose with the shardings exchanged."""


def _constrain(array: Array, *, used: NamedSharding, stored: NamedSharding) -> Array:  # noqa: ARG001
    return jax.lax.with_sharding_constraint(array, used)


def _constrain_on_tpu(array: Array, *, used: NamedSharding, stored: NamedSharding) -> Array:
    """Divide a sum over devices in two stages, into parts of which the divided axis is slowest."""
    divided = [
        (axis, name)
        for axis, (name, other) in enumerate(zip(*_padded(array.ndim, used, stored), strict=True))
        if isinstance(name, str) and other is None
    ]
    if len(divided) != 1:
        return _constrain(array, used=used, stored=stored)
    ((axis, name),) = divided
    devices = used.mesh.shape[name]
    if 2 < (groups := _count_groups(devices)) < devices:
        array = jax.lax.with_sharding_constraint(array, _coarse(used, axis, name, groups))
    array = jax.lax.with_sharding_constraint(array, used)
    # A layout keeps XLA from gathering in bfloat16, so only where it is needed. shard_map cannot
    # leave a vectorised axis open.
    if fills_tiles(array.shape, axis, devices) or P.UNCONSTRAINED in used.spec:
        return array
    order = (axis, *(other for other in range(array.ndim) if other != axis))
    return jax.shard_map(
        lambda part: with_layout_constraint(part, Layout(order)),
        mesh=used.mesh,
        in_specs=used.spec,
        out_specs=used.spec,
    )(array)


def _padded(ndim: int, *shardings: NamedSharding) -> list[Sequence]:
    """Partition specs with an entry for every axis of an array."""
    return [(*each.spec, *[None] * (ndim - len(each.spec))) for each in shardings]


def _count_groups(devices: int) -> int:
    """Number of groups of devices, the smallest divisor from the square root; n for a prime n."""
    return next(n for n in range(math.isqrt(devices - 1) + 1, devices + 1) if devices % n == 0)


def _coarse(sharding: NamedSharding, axis: int, name: str, groups: int) -> NamedSharding:
    """Sharding whose axis is divided over groups of the devices that share it."""
    mesh, spec = sharding.mesh, list(sharding.spec)
    sizes: dict[str, int] = {}
    for each, size in mesh.shape.items():
        parts = {each + OUTER: groups, each + INNER: size // groups}
        sizes |= parts if each == name else {each: size}
    spec[axis] = name + OUTER
    shape, names = tuple(sizes.values()), tuple(sizes)
    types = (mesh.axis_types[0],) * len(names)
    if isinstance(mesh, Mesh):
        return NamedSharding(Mesh(mesh.devices.reshape(shape), names, types), P(*spec))
    return NamedSharding(AbstractMesh(shape, names, types), P(*spec))


def _abstract(array: ShapedArray, *, used: NamedSharding, stored: NamedSharding) -> ShapedArray:  # noqa: ARG001
    return array


def _batched(
    operands: tuple, axes: tuple, *, used: NamedSharding, stored: NamedSharding
) -> tuple[Array, int]:
    def with_axis(sharding: NamedSharding) -> NamedSharding:
        spec = [*sharding.spec, *[None] * (operands[0].ndim - 1 - len(sharding.spec))]
        spec.insert(axes[0], P.UNCONSTRAINED)
        return NamedSharding(sharding.mesh, P(*spec))

    return reshard(operands[0], used=with_axis(used), stored=with_axis(stored)), axes[0]


_reshard_p.def_impl(jax.jit(_reshard_p.bind, static_argnames=("used", "stored")))
_reshard_p.def_abstract_eval(_abstract)
mlir.register_lowering(_reshard_p, mlir.lower_fun(_constrain, multiple_results=False))
mlir.register_lowering(
    _reshard_p, mlir.lower_fun(_constrain_on_tpu, multiple_results=False), platform="tpu"
)
batching.primitive_batchers[_reshard_p] = _batched
ad.deflinear(
    _reshard_p,
    lambda cotangent, used, stored: [reshard(cotangent, used=stored, stored=used)],
)
