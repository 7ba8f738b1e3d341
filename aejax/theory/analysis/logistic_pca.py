"""Logistic PCA: low-rank natural parameters for data in [0, 1], by majorisation–minimisation.

The baseline for deep autoencoders of binary pixels.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from aejax.types import Array, Key


class LogisticPCA(NamedTuple):
    """Natural parameters Θ = C V + Δ of Bernoulli features.

    components: V [k, n].
    bias:       Δ [n].
    loss:       minimised loss: mean of −log p(x) plus the ridge penalties of C, V and Δ.
    steps:      number of passes over the data.
    converged:  whether the relative decrease of the loss in the last pass is within the tolerance.
    """

    components: Float[Array, "code features"]
    bias: Float[Array, " features"]
    loss: Float[Array, ""]
    steps: int
    converged: bool


def logistic_pca(
    key: Key,
    x: Float[Array, "examples features"],
    code: int,
    *,
    ridge: float = 1e-2,
    tolerance: float = 1e-5,
    max_steps: int = 500,
    batch_size: int = 1000,
) -> LogisticPCA:
    """Fit Θ = C V + Δ by maximum likelihood with a ridge penalty.

    Minimises (1/m) Σ_i [Σ_j log(1 + e^θ_ij) − x_ij θ_ij + ρ/2 ‖c_i‖²] + ρ/2 (‖V‖² + ‖Δ‖²). With
    w(θ) = tanh(θ/2)/(2θ), log(1 + e^θ) ≤ θ/2 + w(θ₀) (θ² − θ₀²)/2 + const., with equality at ±θ₀.
    The bound is quadratic in C given V, and in V and Δ given C. Each pass solves for the codes
    batch by batch and accumulates the normal equations of V and Δ, so that memory does not depend
    on the number of examples. No pass increases the loss. Without the ridge there is no minimum if
    a feature is always zero.

    Args:
        key: PRNG key of the initial V, normal with variance 1/k.
        x: data in [0, 1]; computations are in its dtype.
        code: code size k ≥ 1.
        ridge: ρ > 0 (default: 0.01).
        tolerance: relative decrease of the loss in a pass at which to stop (default: 10⁻⁵).
        max_steps: maximum number of passes (default: 500).
        batch_size: number of examples whose k × k systems are in memory at a time (default: 1000).

    Returns:
        `LogisticPCA`.

    Raises:
        ValueError: for values outside [0, 1], a code size below one, or a ridge ≤ 0.

    Source: Schein, Saul & Ungar 2003; Jaakkola & Jordan 2000 (the bound).
    """
    _check(x, code, ridge)
    size = min(batch_size, len(x))
    batches, weights = _batches(x, size)
    components = jax.random.normal(key, (code, x.shape[1]), x.dtype) / np.sqrt(code)
    bias = jnp.zeros(x.shape[1], x.dtype)
    components, bias, loss, steps, change = _fit(
        components, bias, batches, weights, ridge, tolerance, max_steps
    )
    return LogisticPCA(components, bias, loss, int(steps), bool(change <= tolerance))


def logistic_codes(
    fit: LogisticPCA,
    x: Float[Array, "examples features"],
    *,
    ridge: float = 1e-2,
    steps: int = 50,
    batch_size: int = 1000,
) -> Float[Array, "examples code"]:
    """Codes C of examples (training or new data) by ridge-penalised likelihood, given V and Δ.

    Args:
        fit: V and Δ.
        x: data in [0, 1].
        ridge: ρ > 0, as in the fit (default: 0.01).
        steps: number of majorisation–minimisation steps from c = 0 (default: 50).
        batch_size: number of examples whose k × k systems are in memory at a time (default: 1000).

    Returns:
        C [examples, k].

    Raises:
        ValueError: for values outside [0, 1], or a ridge ≤ 0.

    Source: Schein, Saul & Ungar 2003.
    """
    _check(x, len(fit.components), ridge)
    batches, _ = _batches(x, min(batch_size, len(x)))
    codes = _codes(fit.components, fit.bias, batches, ridge, steps)
    return codes.reshape(-1, codes.shape[-1])[: len(x)]


def logistic_reconstruction(
    fit: LogisticPCA, codes: Float[Array, "examples code"]
) -> Float[Array, "examples features"]:
    """x̂ = 1/(1 + e^{−(C V + Δ)}), the mean of each feature.

    Args:
        fit: V and Δ.
        codes: C.

    Returns:
        x̂ in [0, 1].

    Source: Schein, Saul & Ungar 2003.
    """
    return jax.nn.sigmoid(codes @ fit.components + fit.bias)


def _check(x: Shaped[Array, "..."], code: int, ridge: float) -> None:
    if x.ndim != 2 or x.size == 0 or not bool(jnp.all((x >= 0) & (x <= 1))):
        raise ValueError(
            "x must be [examples, features] with values in [0, 1]; scale it with data.unit_range"
        )
    if code < 1 or not ridge > 0:
        raise ValueError(f"code must be at least 1 and ridge positive, got {code} and {ridge}")


def _batches(x: Array, size: int) -> tuple[Array, Array]:
    """[batches, size, n], padded with rows of ½, and row weights: one, or zero for padding."""
    missing = -len(x) % size
    rows = jnp.pad(x, ((0, missing), (0, 0)), constant_values=0.5)
    weights = jnp.pad(jnp.ones(len(x), x.dtype), (0, missing))
    return rows.reshape(-1, size, x.shape[1]), weights.reshape(-1, size)


def _curvature(theta: Array) -> Array:
    """w(θ) = tanh(θ/2)/(2θ), with w(0) = ¼."""
    small = jnp.abs(theta) < 1e-2
    safe = jnp.where(small, 1.0, theta)
    return jnp.where(small, 0.25 - jnp.square(theta) / 48, jnp.tanh(safe / 2) / (2 * safe))


def _outer(rows: Array) -> Array:
    """Outer product of each row with itself, flattened: [rows, k²]."""
    return (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)


def _solve(curvature: Array, slope: Array, ridge: float | Array) -> Array:
    """Solve (H + ρ I) c = g for each row of H (flattened to [rows, k²]) and g [rows, k]."""
    k = slope.shape[-1]
    matrices = curvature.reshape(-1, k, k) + ridge * jnp.eye(k, dtype=slope.dtype)
    factor = jax.scipy.linalg.cho_factor(matrices)
    return jax.scipy.linalg.cho_solve(factor, slope[..., None])[..., 0]


def _encode(
    components: Array, bias: Array, rows: Array, codes: Array, ridge: float | Array
) -> Array:
    """Codes that minimise the quadratic bound at the current codes."""
    weights = _curvature(codes @ components + bias)
    slope = (rows - 0.5 - weights * bias) @ components.T
    return _solve(weights @ _outer(components.T), slope, ridge)


@partial(jax.jit, static_argnames="steps")
def _codes(
    components: Array, bias: Array, batches: Array, ridge: float | Array, steps: int
) -> Array:
    def of_batch(rows: Array) -> Array:
        start = jnp.zeros((len(rows), len(components)), rows.dtype)
        return jax.lax.fori_loop(
            0, steps, lambda _, codes: _encode(components, bias, rows, codes, ridge), start
        )

    return jax.lax.map(of_batch, batches)


class _Sums(NamedTuple):
    """Sums over examples: normal equations of (V, Δ) for each feature, and the loss."""

    curvature: Array
    slope: Array
    loss: Array


@jax.jit
def _fit(
    components: Array,
    bias: Array,
    batches: Array,
    weights: Array,
    ridge: float | Array,
    tolerance: float | Array,
    max_steps: int | Array,
) -> tuple[Array, Array, Array, Array, Array]:
    k, n = components.shape
    count, dtype = jnp.sum(weights), batches.dtype
    zero = _Sums(jnp.zeros((n, (k + 1) ** 2), dtype), jnp.zeros((n, k + 1), dtype), 0 * count)

    def step(carry: tuple) -> tuple:
        components, bias, codes, before, steps, _ = carry

        def of_batch(sums: _Sums, batch: tuple) -> tuple[_Sums, Array]:
            rows, weights, codes = batch
            codes = _encode(components, bias, rows, codes, ridge)
            return jax.tree.map(
                jnp.add, sums, _sums(components, bias, rows, weights, codes, ridge)
            ), codes

        sums, codes = jax.lax.scan(of_batch, zero, (batches, weights, codes))
        norms = jnp.sum(jnp.square(components)) + jnp.sum(jnp.square(bias))
        loss = sums.loss / count + ridge / 2 * norms
        solved = _solve(sums.curvature / count, sums.slope / count, ridge)
        return solved[:, :k].T, solved[:, k], codes, loss, steps + 1, (before - loss) / loss

    def unconverged(carry: tuple) -> Array:
        *_, steps, change = carry
        return (change > tolerance) & (steps < max_steps)

    codes, before = jnp.zeros((*weights.shape, k), dtype), jnp.asarray(jnp.inf, dtype)
    start = (components, bias, codes, before, jnp.asarray(0), before)
    components, bias, _, loss, steps, change = jax.lax.while_loop(unconverged, step, start)
    return components, bias, loss, steps, change


def _sums(
    components: Array,
    bias: Array,
    rows: Array,
    weights: Array,
    codes: Array,
    ridge: float | Array,
) -> _Sums:
    """The sums over one batch, given its codes."""
    theta = codes @ components + bias
    design = jnp.pad(codes, ((0, 0), (0, 1)), constant_values=1.0)
    each = jnp.sum(jax.nn.softplus(theta) - rows * theta, axis=1)
    each = each + ridge / 2 * jnp.sum(jnp.square(codes), axis=1)
    return _Sums(
        (weights[:, None] * _curvature(theta)).T @ _outer(design),
        (weights[:, None] * (rows - 0.5)).T @ design,
        weights @ each,
    )
