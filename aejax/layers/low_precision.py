"""Low-precision matrix product with float32 accumulation, in the forward and the backward pass.

XLA accumulates a bfloat16 product in float32, and runs it on AMX or tensor cores, only if
`preferred_element_type` asks for float32. JAX's gradient of such a product multiplies operands
of two dtypes, which this hardware does not support. `matmul` is therefore a custom primitive, whose
transpose rules bind the same primitive. `transposed` is one too, because only XLA's CPU compiler
needs the copy: each platform has its own lowering rule, so one traced program is right on each.
"""

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Float, Shaped

from aejax.types import Array


def matmul(
    x: Float[Array, "*batch features"], kernel: Float[Array, "features units"]
) -> Float[Array, "*batch units"]:
    """x W, accumulated in float32 or wider and rounded once to the dtype of the operands.

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
    return _matmul_p.bind(rows, kernel).reshape(*x.shape[:-1], kernel.shape[-1])


def transposed(
    matrices: Shaped[Array, "*batch rows columns"],
) -> Shaped[Array, "*batch columns rows"]:
    """Transposed matrices, copied to a contiguous layout on a CPU.

    On a CPU, an `optimization_barrier` on the flat array keeps XLA from fusing the transpose into a
    matrix product, which it would then compute in float32. On other platforms the transpose is
    left to XLA, which reads the operand of a product in either layout without a copy.

    Args:
        matrices: matrices of any dtype.

    Returns:
        The matrices with their last two axes exchanged.
    """
    return _transpose_p.bind(matrices)


_matmul_p = Primitive("low_precision_matmul")
"""[*batch, m, k] times [*batch, k, n], both of the same dtype of fewer than 32 bits."""


def _multiply(left: Array, right: Array) -> Array:
    accumulated = jnp.matmul(left, right, preferred_element_type=jnp.float32)
    return accumulated.astype(left.dtype)


def _exchange(matrices: Array) -> Array:
    return jnp.swapaxes(matrices, -1, -2)


def _exchange_and_copy(matrices: Array) -> Array:
    exchanged = _exchange(matrices)
    return jax.lax.optimization_barrier(exchanged.reshape(-1)).reshape(exchanged.shape)


def _abstract(left: ShapedArray, right: ShapedArray) -> ShapedArray:
    return left.update(shape=(*left.shape[:-1], right.shape[-1]))


def _batched(operands: tuple, axes: tuple) -> tuple[Array, int]:
    size = next(o.shape[a] for o, a in zip(operands, axes, strict=True) if a is not None)
    left, right = (
        batching.bdim_at_front(operand, axis, size)
        for operand, axis in zip(operands, axes, strict=True)
    )
    return _matmul_p.bind(left, right), 0


_matmul_p.def_impl(jax.jit(_multiply))
_matmul_p.def_abstract_eval(_abstract)
mlir.register_lowering(_matmul_p, mlir.lower_fun(_multiply, multiple_results=False))
batching.primitive_batchers[_matmul_p] = _batched
ad.defbilinear(
    _matmul_p,
    lambda cotangent, _, right: _matmul_p.bind(cotangent, transposed(right)),
    lambda cotangent, left, _: _matmul_p.bind(transposed(left), cotangent),
)

_transpose_p = Primitive("contiguous_transpose")
"""[*batch, rows, columns] to [*batch, columns, rows]; a linear function, and its own transpose."""


def _abstract_transpose(matrices: ShapedArray) -> ShapedArray:
    *batch, rows, columns = matrices.shape
    return matrices.update(shape=(*batch, columns, rows))


def _batched_transpose(operands: tuple, axes: tuple) -> tuple[Array, int]:
    return _transpose_p.bind(jnp.moveaxis(operands[0], axes[0], 0)), 0


_transpose_p.def_impl(jax.jit(lambda matrices: _transpose_p.bind(matrices)))
_transpose_p.def_abstract_eval(_abstract_transpose)
mlir.register_lowering(_transpose_p, mlir.lower_fun(_exchange, multiple_results=False))
mlir.register_lowering(
    _transpose_p, mlir.lower_fun(_exchange_and_copy, multiple_results=False), platform="cpu"
)
batching.primitive_batchers[_transpose_p] = _batched_transpose
ad.deflinear(_transpose_p, lambda cotangent: [_transpose_p.bind(cotangent)])
