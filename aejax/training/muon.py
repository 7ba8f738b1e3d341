"""Momentum-orthogonalising optimiser (Muon) in bfloat16.

`optax.contrib.muon` computes the same steps in the dtype of the gradient; the tests compare them.
This version exists because most of the time is spent in the Newton-Schulz iteration, whose products
run here in bfloat16 on AMX or tensor cores (times of both: `benchmarks.optimizers`), and because
gradients are scaled before their norm is taken: squares of small entries underflow, and the
iteration then diverges.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float

from aejax.layers.low_precision import matmul, transposed
from aejax.promotion import promote_dtypes
from aejax.types import Array

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients a, b, c of the polynomial, which maximise its slope at zero: Jordan et al. 2024."""


def muon(
    learning_rate: optax.ScalarOrSchedule,
    *,
    momentum: float = 0.95,
    steps: int = 5,
    dtype: jax.typing.DTypeLike | None = None,
) -> optax.GradientTransformation:
    """Orthogonalised Nesterov momentum for matrices, and Adam for all other parameters.

    The update of an m × n matrix is η · 0.2 √max(m, n) times its orthogonalised momentum, so that
    entries have about the size of Adam's at the same learning rate.

    Args:
        learning_rate: learning rate η, a scalar or an optax schedule.
        momentum: momentum coefficient in [0, 1).
        steps: number of steps of the Newton-Schulz iteration.
        dtype: dtype of its matrix products (default: that of the gradient).

    Returns:
        The optimizer.

    Source: Jordan et al. 2024; the scale: Liu et al. 2025, eq. 4.
    """

    def scaled_direction(update: Array) -> Array:
        found = orthogonalise(update.astype(dtype or update.dtype), steps=steps)
        return found.astype(update.dtype) * (0.2 * max(update.shape) ** 0.5)

    kernels = optax.chain(
        optax.trace(momentum, nesterov=True),
        optax.stateless(lambda updates, _: jax.tree.map(scaled_direction, updates)),
        optax.scale_by_learning_rate(learning_rate),
    )

    def labels(params: optax.Params) -> optax.Params:
        return jax.tree.map(lambda leaf: "kernels" if leaf.ndim == 2 else "others", params)

    return optax.partition({"kernels": kernels, "others": optax.adam(learning_rate)}, labels)


def orthogonalise(
    matrix: Float[Array, "rows columns"], *, steps: int = 5
) -> Float[Array, "rows columns"]:
    """Orthogonalise a matrix U S Vᵀ approximately: U S' Vᵀ, where S' ≈ 1 except for tiny S.

    Newton-Schulz iteration X ← a X + (b X Xᵀ + c (X Xᵀ)²) X from X = matrix / ‖matrix‖_F. It
    applies an odd polynomial to the singular values, which maps them to about [0.7, 1.2], and
    preserves the singular vectors.

    Args:
        matrix: floating-point matrix; its dtype is that of the computation.
        steps: number of steps.

    Returns:
        The approximately orthogonal matrix; zero for zero.

    Source: Jordan et al. 2024; Higham 2008, §8.3 (Newton and Schulz's iteration).
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    # Divide by the maximum first: squares of small entries would underflow in the norm, and the
    # iteration diverges if the norm of X is above one.
    x = matrix.astype(promote_dtypes(matrix.dtype, jnp.float32))
    x = x / jnp.maximum(jnp.max(jnp.abs(x)), jnp.finfo(x.dtype).tiny)
    x = (x / jnp.maximum(jnp.linalg.norm(x), 1)).astype(matrix.dtype)

    def newton_schulz_step(_: Array | int, x: Array) -> Array:
        gram = matmul(x, transposed(x))
        return a * x + matmul(b * gram + c * matmul(gram, gram), x)

    x = jax.lax.fori_loop(0, steps, newton_schulz_step, transposed(x) if tall else x)
    return transposed(x) if tall else x
