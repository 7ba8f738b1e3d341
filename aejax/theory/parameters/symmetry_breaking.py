"""Training that orders code units: unequal L2, nested dropout, the rotation-augmented gradient.

The objective is J = Σ_b p_b ‖T − T W_e Π_b W_d‖² + Σ_i μ_i (‖W_e e_i‖² + ‖e_iᵀ W_d‖²), where Π_b
keeps the first b code units (a truncation), e_i is a unit vector, and P_i = Σ_{b≥i} p_b is the
probability that unit i is kept (its survival). Nested dropout has μ = 0, L2 regularisation P = 1
(equal L2: equal μ_i), and a plain autoencoder μ = 0 and P = 1.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float64

from aejax import losses, penalties
from aejax.models import leading_units, linear
from aejax.objectives import objective
from aejax.theory.analysis.linear_params import linear_params
from aejax.theory.analysis.pca import least_loss
from aejax.theory.checking.problem import Problem
from aejax.theory.checking.tolerances import gradient_stop, unit_factor
from aejax.theory.parameters.tied import tied_loss
from aejax.theory.solvers.lbfgs import MAX_STEPS, Solution, minimise
from aejax.types import Array, Batch, Params, Pass, Penalty

ROTATION_WEIGHT = 8.0
"""Weight of the rotation added to the gradient; stationary points do not depend on it."""


def ordered_objective(params: Params, data: tuple[Array, Array, Array]) -> Array:
    """J in closed form from second moments, exact in expectation over b.

    tr S − 2 Σ_i P_i (W_d S W_e)_ii + Σ_ij P_max(i,j) (W_eᵀ S W_e)_ij (W_d W_dᵀ)_ij, as units i and
    j are both kept with the probability of the later one, which is the smaller.

    Args:
        params: kernels W_e [n, k] and W_d [k, n].
        data: T [rows, n], P [k] in descending order from 1, and μ [k].

    Returns:
        J, a scalar.

    Source: Rippel, Gelbart & Adams 2014 (nested dropout); the closed form derived here.
    """
    factor, survival, decays = data
    encoder, decoder = (params[side]["layer_0"]["kernel"] for side in ("encoder", "decoder"))
    codes = factor @ encoder
    crossed = jnp.sum(codes * (factor @ decoder.T), axis=0)
    both = jnp.minimum(survival[:, None], survival)
    squares = jnp.sum(both * (codes.T @ codes) * (decoder @ decoder.T))
    sizes = jnp.sum(jnp.square(encoder), axis=0) + jnp.sum(jnp.square(decoder), axis=1)
    return jnp.sum(jnp.square(factor)) - 2 * jnp.sum(survival * crossed) + squares + decays @ sizes


def defined_objective(params: Params, data: tuple[Array, Array, Array]) -> Array:
    """J by its definition: `aejax.objective` per truncation, with `penalties.l2` per unit.

    Args:
        params: kernels W_e [n, k] and W_d [k, n].
        data: T [rows, n], p [k], and μ [k].

    Returns:
        Σ_b p_b times the objective of the first b units, plus the penalty.
    """
    factor, probabilities, decays = data
    model = linear(*params["encoder"]["layer_0"]["kernel"].shape, bias=False)
    batch = Batch(jnp.sqrt(len(factor)) * factor)
    weighted = {"unequal L2": (1.0, unequal_l2(decays))}

    def truncated(units: Array) -> Array:
        call = objective(leading_units(model, units), losses.squared, penalties=weighted)
        return call(params, batch, jax.random.key(0))[0]

    return probabilities @ jax.lax.map(truncated, jnp.arange(1, len(probabilities) + 1))


def unequal_l2(decays: Array) -> Penalty:
    """Σ_i μ_i (‖W_e e_i‖² + ‖e_iᵀ W_d‖²): `penalties.l2` of kernels scaled by √μ_i in unit i."""

    def penalty(record: Pass) -> Array:
        encoder, decoder = (
            record.params[side]["layer_0"]["kernel"] for side in ("encoder", "decoder")
        )
        scaled = linear_params(encoder * jnp.sqrt(decays), jnp.sqrt(decays)[:, None] * decoder)
        return penalties.l2()(record._replace(params=scaled))

    return penalty


def objective_error(
    problem: Problem,
    survival: Float64[np.ndarray, " code"],
    probabilities: Float64[np.ndarray, " code"],
    decays: Float64[np.ndarray, " code"],
) -> float:
    """Error of `ordered_objective` and its gradient against the definition, at random kernels.

    Args:
        problem: data, scaled to Σλ = 1, code size and key.
        survival: P of the closed form.
        probabilities: p_b of the definition.
        decays: μ, in the units of λ.

    Returns:
        The larger of both errors, relative to 1 + J.
    """
    size = (2, problem.x.shape[1], problem.code)
    with jax.enable_x64(True):
        sides = jax.random.normal(problem.key, size) / np.sqrt(size[1])
        params = linear_params(sides[0], sides[1].T)
        factor, relative = unit_factor(problem), decays / least_loss(problem.pca, 0)
        found, expected = (
            _value_and_gradient(call, params, tuple(map(jnp.asarray, (factor, weights, relative))))
            for call, weights in (
                (ordered_objective, survival),
                (defined_objective, probabilities),
            )
        )
        difference = optax.tree.norm(optax.tree.sub(found[1], expected[1]))
        return float(max(abs(found[0] - expected[0]), difference) / (1 + expected[0]))


@partial(jax.jit, static_argnames="call")
def _value_and_gradient(
    call: Callable[[Params, tuple[Array, Array, Array]], Array],
    params: Params,
    data: tuple[Array, Array, Array],
) -> tuple[Array, Params]:
    return jax.value_and_grad(call)(params, data)


def uniform_survival(code: int) -> Float64[np.ndarray, " code"]:
    """P_i = 1 − (i − 1)/k, for truncations of uniform probability."""
    return 1 - np.arange(code) / code


def increasing_decays(least: float, code: int) -> Float64[np.ndarray, " code"]:
    """μ_i = λ_k i/(k + 1), distinct and below λ_k."""
    return least * np.arange(1, code + 1) / (code + 1)


def best_encoder(
    decoder: Float64[Array, "code features"], survival: Float64[Array, " code"]
) -> Float64[Array, "features code"]:
    """Optimal encoder of a decoder for μ = 0: W_dᵀ diag(P) N⁻¹, N_ij = P_max(i,j) (W_d W_dᵀ)_ij.

    J is quadratic in W_e, with gradient 2 S (W_e N − W_dᵀ diag P). N is invertible if no p_b and no
    row of W_d is zero, as P_max is then positive definite (Schur's product theorem). J does not
    determine the encoder in the null space of S.
    """
    both = jnp.minimum(survival[:, None], survival)
    return jnp.linalg.solve(both * (decoder @ decoder.T), survival[:, None] * decoder).T


def train_decayed(problem: Problem, decays: Float64[np.ndarray, " code"]) -> Solution:
    """Minimise J with P = 1 over both kernels by L-BFGS from a random start, for Σλ = 1.

    Args:
        problem: data, code size and key.
        decays: μ, in the units of λ.

    Returns:
        The `Solution`, of `aejax.linear` without biases.
    """
    with jax.enable_x64(True):
        start = linear(problem.x.shape[1], problem.code, bias=False).init(problem.key)
        relative = jnp.asarray(decays / least_loss(problem.pca, 0))
        data = (jnp.asarray(unit_factor(problem)), jnp.ones(problem.code), relative)
        stop = gradient_stop(problem)
        return minimise(ordered_objective, start, data, gradient_tolerance=stop)


def train_nested(problem: Problem, survival: Float64[np.ndarray, " code"]) -> Solution:
    """Minimise J with μ = 0 by L-BFGS over the decoder, with the optimal encoder for each decoder.

    Eliminating the encoder avoids its slow directions of small variance; if this gradient vanishes,
    so do those of both kernels. J does not depend on the length ℓ of a row of W_d, and its gradient
    decays as 1/ℓ, so a line search that lengthens rows would stop anywhere. Therefore
    ¼ Σ_i (ℓ_i² − 1)² is added. Its gradient is parallel to the rows and that of J orthogonal to
    them, so stationary rows have the same directions, and unit length.

    Args:
        problem: data, code size and key.
        survival: P, in descending order from 1; all 1 for a plain autoencoder.

    Returns:
        The `Solution`, of `aejax.linear` without biases, for Σλ = 1.

    Source: Golub & Pereyra 1973 (variable projection).
    """
    with jax.enable_x64(True):
        rows = jax.random.normal(problem.key, (problem.code, problem.x.shape[1]))
        start = {"rows": rows / jnp.linalg.norm(rows, axis=1, keepdims=True)}
        data = (jnp.asarray(unit_factor(problem)), jnp.asarray(survival))
        stop = gradient_stop(problem)
        solution = minimise(
            _projected_of_unit_rows,
            start,
            data,
            gradient_tolerance=stop,
            max_steps=2 * MAX_STEPS,  # patches of photographs need 7000
        )
        decoder = solution.params["rows"]
        return solution._replace(params=linear_params(best_encoder(decoder, data[1]), decoder))


def _projected(params: Params, data: tuple[Array, Array]) -> Array:
    (factor, survival), rows = data, params["rows"]
    kernels = linear_params(best_encoder(rows, survival), rows)
    return ordered_objective(kernels, (factor, survival, jnp.zeros_like(survival)))


def _projected_of_unit_rows(params: Params, data: tuple[Array, Array]) -> Array:
    """J with the optimal encoder, plus ¼ Σ_i (ℓ_i² − 1)² of the lengths ℓ of the decoder's rows."""
    lengths = jnp.sum(jnp.square(params["rows"]), axis=1)
    return _projected(params, data) + jnp.sum(jnp.square(lengths - 1)) / 4


def rotation(
    kernel: Float64[Array, "features code"], factor: Float64[Array, "rows features"]
) -> Float64[Array, "code code"]:
    """Ω = ½ (tril C − triu C) without the diagonals, for the code's covariance C = W_eᵀ S W_e.

    Rotating the code by Ω gives dC/dt = C Ω − Ω C: half the Toda flow (the QR algorithm in
    continuous time), which makes C diagonal with its entries in descending order.

    Source: Bao et al. 2020; Deift, Nanda & Tomei 1983.
    """
    codes = factor @ kernel
    covariance = codes.T @ codes
    return (jnp.tril(covariance, -1) - jnp.triu(covariance, 1)) / 2


def augmented_gradient(
    kernel: Float64[Array, "features code"], factor: Float64[Array, "rows features"]
) -> Float64[Array, "features code"]:
    """−∇‖T − T W Wᵀ‖² + 8 W Ω, the update direction of tied kernels W."""
    params = {"encoder": {"layer_0": {"kernel": kernel}}, "decoder": {"layer_0": {}}}
    gradient = jax.grad(tied_loss(*kernel.shape))(params, factor)["encoder"]["layer_0"]["kernel"]
    return ROTATION_WEIGHT * kernel @ rotation(kernel, factor) - gradient


def train_rotated(problem: Problem, *, max_steps: int) -> Solution:
    """Descend along the rotation-augmented gradient of tied kernels, with step size 1/(8 λ_1).

    Args:
        problem: data, code size and key of the random start.
        max_steps: maximum number of steps.

    Returns:
        The `Solution`, of `aejax.linear` with tied kernels and without biases.
    """
    largest = problem.pca.eigenvalues[0] / least_loss(problem.pca, 0)
    with jax.enable_x64(True):
        start = linear(problem.x.shape[1], problem.code, tied=True, bias=False).init(problem.key)
        kernel, steps, converged = _rotate(
            start["encoder"]["layer_0"]["kernel"],
            jnp.asarray(unit_factor(problem)),
            1 / (8 * largest),
            gradient_stop(problem),
            max_steps,
        )
        params = {"encoder": {"layer_0": {"kernel": kernel}}, "decoder": {"layer_0": {}}}
        return Solution(params, int(steps), bool(converged))


@jax.jit
def _rotate(
    start: Array, factor: Array, size: float | Array, stop: float | Array, max_steps: int | Array
) -> tuple[Array, Array, Array]:
    def step(carry: tuple) -> tuple:
        kernel, direction, steps = carry
        kernel = kernel + size * direction
        return kernel, augmented_gradient(kernel, factor), steps + 1

    def unfinished(carry: tuple) -> Array:
        _, direction, steps = carry
        return (jnp.linalg.norm(direction) > stop) & (steps < max_steps)

    carry = (start, augmented_gradient(start, factor), jnp.asarray(0))
    kernel, direction, steps = jax.lax.while_loop(unfinished, step, carry)
    return kernel, steps, jnp.linalg.norm(direction) <= stop
