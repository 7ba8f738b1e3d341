"""Oja's and Sanger's (generalised Hebbian) rules: online learning of the linear autoencoder.

ΔW = η (x − x̂) yᵀ with y = Wᵀx. Oja's rule has x̂ = W y; in Sanger's rule unit j uses the
reconstruction from units 1 … j only. Oja's rule is the negative gradient of the squared error with
respect to the decoder only, at tied weights W_d = W_eᵀ.
"""

from collections.abc import Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64, Int, Shaped

from aejax.models import pca_params
from aejax.theory.analysis.moments import real_matrix
from aejax.types import Array, Key, Params

STEP_SIZE = 0.5
"""Step size η of the averaged rules for λ_1 = 1: half the stability limit of the rate 2λ_1."""


def hebbian_update(
    kernel: Float[Array, "features code"],
    rows: Float[Array, "rows features"],
    mask: Float[Array, "code code"],
) -> Float[Array, "features code"]:
    """RᵀR W − W (M ∘ WᵀRᵀR W): update of a batch R, with rows centred and divided by √batch.

    M_ij = 1 if unit j subtracts unit i's reconstruction from its input: all ones (Oja), upper
    triangular (Sanger), or diagonal (independent units). With R = T, where TᵀT = S, this is the
    expected update over the data.
    """
    code = rows @ kernel
    return rows.T @ code - kernel @ (mask * (code.T @ code))


def learn_online(
    key: Key,
    batches: Iterable[Shaped[np.ndarray | Array, "..."]],
    code: int,
    *,
    horizon: float,
    ordered: bool = True,
) -> Params:
    """Learn a linear autoencoder from a stream by Sanger's or Oja's rule, in float64.

    Rows are centred by the running mean and divided by the square root of their running total
    variance. Step t has size η = h/(h + t), so that Σ η = ∞ and Σ η² < ∞, as almost sure
    convergence requires. The squared sines of the angles decay as 1/t if h exceeds
    Σλ/(2 × the smallest gap of λ_1 … λ_{k+1}), else more slowly; a larger h means more noise.

    Args:
        key: PRNG key of the initial random orthonormal basis.
        batches: batches [examples, features] of any size; their distribution must not drift.
        code: code size k, from 1 to the number of features.
        horizon: h > 0, number of batches after which the step size is halved.
        ordered: Sanger's rule if true, Oja's if false (default: true).

    Returns:
        Parameters of `aejax.linear(n, k)` for x: W_e = W, W_d = Wᵀ, and biases.

    Raises:
        ValueError: if there is no batch, or a batch is not a finite real matrix.

    Source: Oja 1982; Sanger 1989.
    """
    kernel, mean, mask = None, 0.0, np.ones((code, code))
    with jax.enable_x64(True):
        for step, (rows, mean_so_far) in enumerate(_unit_rows(batches)):
            kernel = random_basis(key, rows.shape[1], code) if kernel is None else kernel
            update = _update(kernel, rows, np.triu(mask) if ordered else mask)
            kernel, mean = kernel + horizon / (horizon + step) * update, mean_so_far
        if kernel is None:
            raise ValueError("a stream must contain one batch or more, got none")
        return pca_params(kernel.T, jnp.asarray(mean))


@jax.jit
def averaged_rule(
    start: Float64[Array, "features code"],
    rows: Float64[Array, "rows features"],
    mask: Float64[Array, "code code"],
    momentum: float | Array,
    tolerance: float | Array,
    max_steps: int | Array,
) -> tuple[Float64[Array, "features code"], Int[Array, ""], Float64[Array, ""]]:
    """Iterate the expected update of a rule until the norm of the update is small.

    With momentum, U ← β U + ΔW and W ← W + η U, with η = `STEP_SIZE`. The fixed points are those of
    the rule, ΔW = 0, but the error of a mode with rate r is multiplied per step by about 1 − √(ηr)
    instead of 1 − ηr. β = t/(t + 3) at step t after the last restart (t = 0), which follows when
    the velocity U points against the update. A constant β would need tuning to r and may diverge.

    Args:
        start: initial W.
        rows: T, where TᵀT = S, scaled to λ_1 = 1.
        mask: M of `hebbian_update`.
        momentum: maximum β, in [0, 1]; zero for the rule without momentum.
        tolerance: norm of the update below which the iteration stops.
        max_steps: maximum number of steps.

    Returns:
        W, the number of steps, and the norm of the update at W.

    Source: Polyak 1964 (momentum); O'Donoghue & Candès 2015 (its restart).
    """

    def step(carry: tuple) -> tuple:
        kernel, velocity, update, steps, since = carry
        since = jnp.where(jnp.vdot(velocity, update) < 0, 0, since + 1)
        velocity = jnp.minimum(momentum, since / (since + 3)) * velocity + update
        kernel = kernel + STEP_SIZE * velocity
        return kernel, velocity, hebbian_update(kernel, rows, mask), steps + 1, since

    def unconverged(carry: tuple) -> Array:
        _, _, update, steps, _ = carry
        return (jnp.linalg.norm(update) > tolerance) & (steps < max_steps)

    zero, first = jnp.asarray(0), hebbian_update(start, rows, mask)
    carry = (start, jnp.zeros_like(start), first, zero, zero)
    kernel, _, update, steps, _ = jax.lax.while_loop(unconverged, step, carry)
    return kernel, steps, jnp.linalg.norm(update)


def random_basis(key: Key, features: int, code: int) -> Float64[Array, "features code"]:
    """W [n, k] with random orthonormal columns: the initial value of both rules."""
    return jnp.linalg.qr(jax.random.normal(key, (features, code), jnp.float64))[0]


def _unit_rows(
    batches: Iterable[Shaped[np.ndarray | Array, "..."]],
) -> Iterator[tuple[Float64[np.ndarray, "rows n"], Float64[np.ndarray, " n"]]]:
    """Each batch, centred and scaled to a norm of about one, and the running mean."""
    mean, seen, power = 0.0, 0, 0.0
    for batch in batches:
        x = real_matrix(batch)
        seen += len(x)
        mean = mean + (x - mean).sum(axis=0) / seen
        x = x - mean
        power += (float(np.vdot(x, x)) - len(x) * power) / seen
        yield x / np.sqrt(len(x) * power or 1), mean


_update = jax.jit(hebbian_update)
