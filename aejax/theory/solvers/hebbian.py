"""Oja's and Sanger's rules: the linear autoencoder learned on line, from a stream or on average.

Each unit learns from what its code and the reconstruction tell it: ΔW = η (x − x̂) yᵀ, y = Wᵀx,
with x̂ = W y (Oja), or with the reconstruction of unit j from units 1 … j alone (Sanger). Oja's is
the gradient of the squared error with respect to the decoder alone, at tied weights W_d = W_eᵀ.
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
"""Step of the averaged rules, for λ_1 = 1: half of what keeps the fastest mode, 2λ_1, stable."""


def hebbian_update(
    kernel: Float[Array, "features code"],
    rows: Float[Array, "rows features"],
    mask: Float[Array, "code code"],
) -> Float[Array, "features code"]:
    """RᵀR W − W (M ∘ WᵀRᵀR W): one update of a batch, its rows centred and divided by √batch.

    M_ij = 1 where unit j subtracts unit i's reconstruction from its input: all ones for Oja, the
    upper triangle for Sanger, the diagonal for units that learn alone. With T of the moments in the
    place of a batch it is the update's expectation over the data.
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
    """Learn a linear autoencoder from a stream, by Sanger's rule or Oja's, in float64.

    Step t has size h/(h + t), for rows that are centred with the mean of all seen so far and
    divided by the root of their total variance: Σ η = ∞ and Σ η² < ∞, as convergence with
    probability one requires. The squared sines of angles fall as 1/t where h exceeds
    Σλ/(2 × the least gap of λ_1 … λ_{k+1}), else more slowly; a larger h lets noise in for longer.

    Args:
        key: for the start, a random orthonormal basis.
        batches: each [examples, features], of any size; their order must not drift.
        code: k, from one to the number of features.
        horizon: h > 0, in batches.
        ordered: Sanger's rule; Oja's where false.

    Returns:
        Params of `aejax.linear(n, k)`, W_e = W and W_d = Wᵀ, for x itself.

    Raises:
        ValueError: for no batch, or a batch that is not a finite real matrix.

    Source: Oja 1982; Sanger 1989.
    """
    kernel, mean, mask = None, 0.0, np.ones((code, code))
    with jax.enable_x64(True):
        for step, (rows, mean_so_far) in enumerate(_unit_rows(batches)):
            kernel = random_basis(key, rows.shape[1], code) if kernel is None else kernel
            update = _update(kernel, rows, np.triu(mask) if ordered else mask)
            kernel, mean = kernel + horizon / (horizon + step) * update, mean_so_far
        if kernel is None:
            raise ValueError("a stream must hold one batch or more, got none")
        return pca_params(kernel.T, jnp.asarray(mean))


@jax.jit
def averaged_rule(
    start: Float64[Array, "features code"],
    rows: Float64[Array, "rows features"],
    mask: Float64[Array, "code code"],
    momentum: float | Array,
    rest: float | Array,
    max_steps: int | Array,
) -> tuple[Float64[Array, "features code"], Int[Array, ""], Float64[Array, ""]]:
    """Follow a rule's expectation over the data, in steps of `STEP`, until its update is at rest.

    With momentum the velocity is U ← β U + ΔW, and W ← W + η U. That rests where ΔW = 0, as the
    rule does; only sooner: an error of rate h shrinks by about 1 − √(ηh) a step in place of 1 − ηh.
    β is t/(t + 3) in step t since the velocity last turned against the update, when t is zero
    again: a constant β would have to be fitted to h, and may diverge.

    Args:
        start: W.
        rows: T, of λ_1 = 1.
        listens: M, see `hebbian_update`.
        momentum: the greatest β, in [0, 1]; zero for the rule alone.
        rest: norm of the update at which W is returned.
        max_steps: stop here at the latest.

    Returns:
        W, the steps, and the norm of the update at W.

    Source: Polyak 1964 (momentum); O'Donoghue & Candès 2015 (its restart).
    """

    def step(carry: tuple) -> tuple:
        kernel, velocity, update, steps, since = carry
        since = jnp.where(jnp.vdot(velocity, update) < 0, 0, since + 1)
        velocity = jnp.minimum(momentum, since / (since + 3)) * velocity + update
        kernel = kernel + STEP_SIZE * velocity
        return kernel, velocity, hebbian_update(kernel, rows, mask), steps + 1, since

    def moving(carry: tuple) -> Array:
        _, _, update, steps, _ = carry
        return (jnp.linalg.norm(update) > rest) & (steps < max_steps)

    none, first = jnp.asarray(0), hebbian_update(start, rows, mask)
    carry = (start, jnp.zeros_like(start), first, none, none)
    kernel, _, update, steps, _ = jax.lax.while_loop(moving, step, carry)
    return kernel, steps, jnp.linalg.norm(update)


def random_basis(key: Key, features: int, code: int) -> Float64[Array, "features code"]:
    """W [n, k] with random orthonormal columns: the start of either rule."""
    return jnp.linalg.qr(jax.random.normal(key, (features, code), jnp.float64))[0]


def _unit_rows(
    batches: Iterable[Shaped[np.ndarray | Array, "..."]],
) -> Iterator[tuple[Float64[np.ndarray, "rows n"], Float64[np.ndarray, " n"]]]:
    """Each batch as rows of a matrix of norm about one, and the mean of all seen so far."""
    mean, seen, power = 0.0, 0, 0.0
    for batch in batches:
        x = real_matrix(batch)
        seen += len(x)
        mean = mean + (x - mean).sum(axis=0) / seen
        x = x - mean
        power += (float(np.vdot(x, x)) - len(x) * power) / seen
        yield x / np.sqrt(len(x) * power or 1), mean


_update = jax.jit(hebbian_update)
