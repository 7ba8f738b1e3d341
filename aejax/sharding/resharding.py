"""Change of sharding whose transpose restores the first: gathers become reduce-scatters.

The transpose of `jax.lax.with_sharding_constraint` constrains the cotangent to the same sharding. A
parameter array that is stored divided and used whole would so get a gradient that is summed whole
on every device, then divided: an all-reduce, which sends twice the bytes of a reduce-scatter.
"""

import jax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from aejax.types import Array


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
batching.primitive_batchers[_reshard_p] = _batched
ad.deflinear(
    _reshard_p,
    lambda cotangent, used, stored: [reshard(cotangent, used=stored, stored=used)],
)
