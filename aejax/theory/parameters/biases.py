"""Theorem on biases: free biases centre the data; without biases the data stays uncentred.

The loss of an affine map depends on the mean and the covariance of the data only. The solver
therefore fits sigma points with the same mean and covariance, and must find the biases itself.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax.theory.analysis.moments import Moments, triangular_factor
from aejax.theory.analysis.pca import leading_components, least_loss, pca_of_moments
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Obstacle,
    Statement,
    Tolerance,
    certify,
    rescaled_residual,
)
from aejax.theory.checking.distances import (
    map_error,
    projector,
    reconstruction,
    reconstruction_loss,
)
from aejax.theory.checking.problem import EPSILON, Problem, pca_obstacle
from aejax.theory.checking.tolerances import (
    CLOSED_FORM_CAP,
    loss_tolerance,
    map_obstacle,
    map_tolerance,
    pass_rounding,
)
from aejax.theory.optimum.optimum import relative_excess, swapped_components
from aejax.theory.solvers.lbfgs import convergence_doubt
from aejax.theory.solvers.linear_solvers import MAX_STEPS, Solution, alternating_least_squares
from aejax.types import Array, Key

FREE = Statement(
    claim="with free biases the optimum projects on principal components about the mean",
    formula="x̂ = x̄ + (x − x̄) V_k V_kᵀ, x centred or not",
    source="Bourlard & Kamp 1988",
)
UNCENTRED_MAP = Statement(
    claim="without biases the optimal map projects on singular vectors of the uncentred data",
    formula="W_e W_d = U_k U_kᵀ, with U_k the leading eigenvectors of xᵀx/m = S + x̄ᵀx̄",
    source="Eckart & Young 1936; Bourlard & Kamp 1988",
)
UNCENTRED_LOSS = Statement(
    claim="without biases the optimal loss is that of the uncentred data",
    formula="mean ‖x̂ − x‖² = Σ_{i>k} ν_i, with ν the eigenvalues of xᵀx/m",
    source="Eckart & Young 1936; Bourlard & Kamp 1988",
)


def free_biases(problem: Problem) -> tuple[Certificate, ...]:
    """Free biases give x̂ = x̄ + (x − x̄) V_k V_kᵀ; no biases give the SVD of the uncentred x.

    With d = b W_d + c, the loss of x̂ = x W + d is tr (I − W)ᵀ S (I − W) + ‖x̄ (I − W) − d‖². The
    second term vanishes at d = x̄ (I − W) for every W, and PCA minimises the first.
    The literature states the optimal biases as if they were unique; only d is unique, b is free.
    Without biases the loss is tr (I − W)ᵀ (S + x̄ᵀx̄) (I − W). As S + x̄ᵀx̄ is S plus a matrix of
    rank one, ν_{i+1} ≤ λ_i ≤ ν_i: biases save at most one code unit.

    Verification: with biases, alternating affine least squares on points of mean x̄ finds the map.
    The residual is the maximum of ‖W − V_k V_kᵀ‖₂, of the distance between the means of x̂ and x on
    the user's data divided by σ_k, and of the excess loss on these data. Without biases, map and
    loss come from alternating least squares on the factor of xᵀx/m, which is compared with xᵀx/m.

    Controls: component k + 1 instead of component k; without biases, the map and the loss of PCA,
    which centres. On centred data these are equal, so the verdict is "not applicable".

    Args:
        problem: the user's data, code size and key.

    Returns:
        Three certificates: free biases, and map and loss without biases.

    Source: Bourlard & Kamp 1988; Weyl 1912 (the interlacing).
    """
    raw = uncentred(problem)
    obstacle = pca_obstacle(problem) or already_centred(problem)
    solve = functools.cache(lambda: alternating_least_squares(raw.key, raw.moments, raw.code))
    return (
        certify(
            FREE,
            _free_tolerance(problem),
            lambda: _free_evidence(problem),
            obstacle=map_obstacle(problem),
        ),
        certify(
            UNCENTRED_MAP,
            map_tolerance(raw),
            lambda: _map_evidence(problem, raw, solve()),
            obstacle=obstacle or map_obstacle(raw),
        ),
        certify(
            UNCENTRED_LOSS,
            loss_tolerance(raw),
            lambda: _loss_evidence(problem, raw, solve()),
            obstacle=obstacle or map_obstacle(raw),
        ),
    )


def uncentred(problem: Problem) -> Problem:
    """The problem of the uncentred data: mean zero and covariance S + x̄ᵀx̄ = xᵀx/m."""
    data = problem.moments
    factor = triangular_factor(np.concatenate([data.factor, data.mean[None]]))
    raw = data._replace(mean=np.zeros_like(data.mean), factor=factor)
    return problem._replace(centred=problem.x, moments=raw, pca=pca_of_moments(raw))


def sigma_points(data: Moments) -> Float64[np.ndarray, "points features"]:
    """Sigma points x̄ ± √r T_j for the r rows T_j of the factor: mean x̄ and covariance S.

    Source: Julier & Uhlmann 1997.
    """
    spread = np.sqrt(len(data.factor)) * data.factor
    return np.concatenate([data.mean + spread, data.mean - spread])


def affine_least_squares(problem: Problem, *, max_steps: int = MAX_STEPS) -> Solution:
    """Alternate between the best affine decoder and the best affine encoder, from a random start.

    For a given code, W_d and c are the regression of the sigma points on it with an intercept. For
    a given decoder, the best encoder is (x − c) W_d⁺, up to an invertible map of the code (QR). The
    iteration stops when the row space of W_d moves by at most the rounding error.

    Args:
        problem: data of rank ≥ k, code size and key.
        max_steps: maximum number of steps.

    Returns:
        The `Solution`.

    Source: Baldi & Hornik 1989 (the two conditions of a critical point), here with biases.
    """
    with jax.enable_x64(True):
        points = jnp.asarray(sigma_points(problem.moments))
        (kernel, bias), (decoder, intercept), steps, converged = _alternate(
            problem.key, points, problem.code, _rounded_movement(problem), max_steps
        )
        encoder = {"layer_0": {"kernel": kernel, "bias": bias}}
        params = {
            "encoder": encoder,
            "decoder": {"layer_0": {"kernel": decoder, "bias": intercept}},
        }
        return Solution(params, int(steps), bool(converged))


def _rounded_movement(problem: Problem) -> float:
    """Rounding error of a row space: max(`pass_rounding`/σ_1, 2 ε √N) for N entries of points."""
    entries = 2 * problem.moments.factor.size
    relative_rounding = pass_rounding(problem) / float(np.sqrt(problem.pca.eigenvalues[0]))
    return max(relative_rounding, 2 * EPSILON * float(np.sqrt(entries)))


@functools.partial(jax.jit, static_argnames="code")
def _alternate(
    key: Key, points: Array, code: int, step_tolerance: float | Array, max_steps: int | Array
) -> tuple:
    unit = jnp.full((len(points), 1), 1 / np.sqrt(len(points)))

    def decode(kernel: Array, bias: Array) -> tuple[Array, Array, Array, Array]:
        basis, triangle = jnp.linalg.qr(jnp.concatenate([unit, points @ kernel + bias], axis=1))
        coefficients = jax.scipy.linalg.solve_triangular(triangle, basis.T @ points)
        intercept = coefficients[0] / np.sqrt(len(points))
        return coefficients[1:], intercept, basis[:, 1:], jnp.abs(jnp.diagonal(triangle)[1:])

    def step(carry: tuple) -> tuple:
        kernel, bias, steps, _ = carry
        _, intercept, basis, sizes = decode(kernel, bias)
        following, _ = jnp.linalg.qr(points.T @ basis)
        movement = jnp.linalg.norm(following - kernel @ (kernel.T @ following))
        return following, -intercept @ following, steps + 1, movement * sizes.min() / sizes.max()

    def unfinished(carry: tuple) -> Array:
        _, _, steps, movement = carry
        return (movement > step_tolerance) & (steps < max_steps)

    key_kernel, key_bias = jax.random.split(key)
    kernel, _ = jnp.linalg.qr(jax.random.normal(key_kernel, (points.shape[1], code)))
    start = jax.random.normal(key_bias, (code,)) * jnp.sqrt(jnp.mean(jnp.square(points)))
    carry = (kernel, start, jnp.asarray(0), jnp.asarray(jnp.inf))
    kernel, bias, steps, movement = jax.lax.while_loop(unfinished, step, carry)
    decoder, intercept, _, _ = decode(kernel, bias)
    return (kernel, bias), (decoder, intercept), steps, movement <= step_tolerance


def _free_tolerance(problem: Problem) -> Tolerance:
    """5 ρ/(σ_k − σ_{k+1}), with ρ = `pass_rounding`.

    3 ρ as in `map_tolerance`, and ρ for each of the two means.
    """
    centred, error = map_tolerance(problem), pass_rounding(problem)
    eigenvalues = np.pad(problem.pca.eigenvalues, (0, problem.code + 1))
    kept, lost = np.sqrt(eigenvalues[problem.code - 1 : problem.code + 1])
    value = 5 * error / (kept - lost) if kept > lost else np.inf
    return Tolerance(float(value), CLOSED_FORM_CAP, f"{centred.basis}, and {error:.1e} of a pass")


def already_centred(problem: Problem) -> Obstacle | None:
    """Obstacle if the mean is zero within `pass_rounding`, so that biases change nothing."""
    distance, error = float(np.linalg.norm(problem.moments.mean)), pass_rounding(problem)
    if distance > error:
        return None
    reason = f"the mean is zero within rounding ({distance:.1e} ≤ {error:.1e}): the data is centred"
    return Obstacle("not applicable", reason)


def _free_evidence(problem: Problem) -> Evidence:
    solution = affine_least_squares(problem)
    scale = np.sqrt(problem.pca.eigenvalues[problem.code - 1])
    shift = reconstruction(problem, solution.params).mean(axis=0) - problem.pca.mean
    residual, control = (
        max(
            map_error(solution.params, projector(components)),
            float(np.linalg.norm(shift) / scale),
        )
        for components in (
            leading_components(problem.pca, problem.code),
            swapped_components(problem),
        )
    )
    loss = reconstruction_loss(problem, solution.params)
    excess = relative_excess(problem, loss, least_loss(problem.pca, problem.code))
    defined = rescaled_residual(excess, loss_tolerance(problem), _free_tolerance(problem))
    return Evidence(
        max(residual, defined), control, convergence_doubt(solution, method="least squares")
    )


def _map_evidence(problem: Problem, raw: Problem, solution: Solution) -> Evidence:
    residual, control = (
        map_error(solution.params, projector(leading_components(analysis, raw.code)))
        for analysis in (raw.pca, problem.pca)
    )
    second = problem.x.T @ problem.x / len(problem.x)
    factor = raw.moments.factor
    defined = np.linalg.norm(factor.T @ factor - second, ord=2) / raw.pca.eigenvalues[0]
    return Evidence(
        max(residual, float(defined)), control, convergence_doubt(solution, method="least squares")
    )


def _loss_evidence(problem: Problem, raw: Problem, solution: Solution) -> Evidence:
    loss = reconstruction_loss(raw, solution.params)
    residual, control = (
        relative_excess(raw, loss, least_loss(analysis, raw.code))
        for analysis in (raw.pca, problem.pca)
    )
    return Evidence(residual, control, convergence_doubt(solution, method="least squares"))
