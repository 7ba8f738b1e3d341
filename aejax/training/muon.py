"""Muon: momentum whose every matrix is made nearly orthogonal before it is a step."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float

from aejax.layers.low_precision import matmul, transposed
from aejax.promotion import promote_dtypes
from aejax.types import Array

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""a, b, c of the polynomial, of the greatest slope at zero: Jordan et al. 2024."""


def muon(
    learning_rate: optax.ScalarOrSchedule,
    *,
    momentum: float = 0.95,
    steps: int = 5,
    dtype: jax.typing.DTypeLike | None = None,
) -> optax.GradientTransformation:
    """Kernels, which are matrices, by orthogonalised Nesterov momentum; all else by Adam.

    A kernel's step is η · 0.2 √max(m, n) times `orthogonalise` of its momentum, so that the
    entries are of the size of Adam's at the same rate η. It is `optax.contrib.muon` but for the
    dtype of the products, which are most of its time: processors and accelerators have matrix
    units for bfloat16.

    Args:
        learning_rate: η, a number or an optax schedule.
        momentum: in [0, 1).
        steps: of the iteration that orthogonalises.
        dtype: of its products; None keeps the gradient's.

    Returns:
        The optimizer.

    Source: Jordan et al. 2024; the scale: Liu et al. 2025, eq. 4.
    """

    def orthogonalised(update: Array) -> Array:
        found = orthogonalise(update.astype(dtype or update.dtype), steps=steps)
        return found.astype(update.dtype) * (0.2 * max(update.shape) ** 0.5)

    kernels = optax.chain(
        optax.trace(momentum, nesterov=True),
        optax.stateless(lambda updates, _: jax.tree.map(orthogonalised, updates)),
        optax.scale_by_learning_rate(learning_rate),
    )

    def kinds(params: optax.Params) -> optax.Params:
        return jax.tree.map(lambda leaf: "kernels" if leaf.ndim == 2 else "others", params)

    return optax.partition({"kernels": kernels, "others": optax.adam(learning_rate)}, kinds)


def orthogonalise(
    matrix: Float[Array, "rows columns"], *, steps: int = 5
) -> Float[Array, "rows columns"]:
    """U S' Vᵀ of a matrix U S Vᵀ, with S' near one where S is not far below its norm.

    X ← a X + (b X Xᵀ + c (X Xᵀ)²) X, from X = matrix / ‖matrix‖_F: an odd polynomial of the
    singular values, which takes them to about [0.7, 1.2] and keeps the vectors.

    Args:
        matrix: of any floating dtype, in which it is done.
        steps: of the iteration.

    Returns:
        The matrix; zero for zero.

    Source: Jordan et al. 2024; Higham 2008, §8.3 (Newton and Schulz's iteration).
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    # Entry by entry first: squares of small entries would vanish from the norm, and the iteration
    # diverges from a norm above one.
    x = matrix.astype(promote_dtypes(matrix.dtype, jnp.float32))
    x = x / jnp.maximum(jnp.max(jnp.abs(x)), jnp.finfo(x.dtype).tiny)
    x = (x / jnp.maximum(jnp.linalg.norm(x), 1)).astype(matrix.dtype)

    def nearer(_: Array | int, x: Array) -> Array:
        gram = matmul(x, transposed(x))
        return a * x + matmul(b * gram + c * matmul(gram, gram), x)

    x = jax.lax.fori_loop(0, steps, nearer, transposed(x) if tall else x)
    return transposed(x) if tall else x
