"""Products of matrices of few bits, summed in float32: what matrix units do, forwards and back.

XLA keeps the sums of a bfloat16 product in float32 only where it is asked to, and only then do a
processor's matrix units take part. JAX's own transpose of such a product has operands of two
dtypes, which no matrix unit takes: so this one is a primitive, whose transposes are its like.
"""

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Float, Shaped

from aejax.types import Array


def product(
    x: Float[Array, "*batch features"], kernel: Float[Array, "features units"]
) -> Float[Array, "*batch units"]:
    """x W, each sum in float32 or better and then rounded to the operands' dtype.

    Args:
        x: rows.
        kernel: W, of the same dtype.

    Returns:
        x W in that dtype.

    Source: Micikevicius et al. 2018, §3.3.
    """
    if jnp.finfo(x.dtype).bits >= 32:
        return x @ kernel
    rows = x.reshape(-1, x.shape[-1])
    return _product_p.bind(rows, kernel).reshape(*x.shape[:-1], kernel.shape[-1])


def transposed(
    matrices: Shaped[Array, "*same rows columns"],
) -> Shaped[Array, "*same columns rows"]:
    """Matrices transposed and laid out anew, by way of a flat array that XLA may not look through.

    It would fold the transpose into a product otherwise, and widen a product so folded.

    Args:
        matrices: of any dtype.

    Returns:
        The last two axes exchanged.
    """
    turned = jnp.swapaxes(matrices, -1, -2)
    return jax.lax.optimization_barrier(turned.reshape(-1)).reshape(turned.shape)


_product_p = Primitive("product")
"""[*same, m, k] and [*same, k, n] of one dtype of less than 32 bits."""


def _multiply(left: Array, right: Array) -> Array:
    summed = jnp.matmul(left, right, preferred_element_type=jnp.float32)
    return summed.astype(left.dtype)


def _abstract(left: ShapedArray, right: ShapedArray) -> ShapedArray:
    return left.update(shape=(*left.shape[:-1], right.shape[-1]))


def _batched(operands: tuple, axes: tuple) -> tuple[Array, int]:
    size = next(o.shape[a] for o, a in zip(operands, axes, strict=True) if a is not None)
    left, right = (
        batching.bdim_at_front(operand, axis, size)
        for operand, axis in zip(operands, axes, strict=True)
    )
    return _product_p.bind(left, right), 0


_product_p.def_impl(jax.jit(_multiply))
_product_p.def_abstract_eval(_abstract)
mlir.register_lowering(_product_p, mlir.lower_fun(_multiply, multiple_results=False))
batching.primitive_batchers[_product_p] = _batched
ad.defbilinear(
    _product_p,
    lambda cotangent, _, right: _product_p.bind(cotangent, transposed(right)),
    lambda cotangent, left, _: _product_p.bind(transposed(left), cotangent),
)
