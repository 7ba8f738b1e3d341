"""Theorem on tied weights: the code directions are an orthonormal basis of the subspace."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax import losses
from aejax.models import linear
from aejax.theory.analysis.pca import leading_components
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Statement,
    Tolerance,
    certify,
    refuse,
)
from aejax.theory.checking.distances import projector
from aejax.theory.checking.problem import Problem
from aejax.theory.checking.tolerances import (
    TRAINED_CAP,
    gradient_error,
    gradient_stop,
    map_obstacle,
    unit_eigenvalues,
    unit_factor,
)
from aejax.theory.optimum.invariance import invertible_matrix
from aejax.theory.optimum.optimum import swapped_components
from aejax.theory.solvers.lbfgs import MAX_STEPS, convergence_doubt, minimise
from aejax.theory.solvers.linear_solvers import Solution
from aejax.types import Array, Params

ORTHONORMAL = Statement(
    claim="with tied weights the trained code's directions are orthonormal",
    formula="W_eᵀ W_e = I where W_d = W_eᵀ",
    source="Oja 1992; Yang 1995",
)
SUBSPACE = Statement(
    claim="with tied weights training from a random start ends at the principal subspace",
    formula="W_e W_eᵀ = V_k V_kᵀ",
    source="Oja 1992; Yang 1995",
)


def tied_weights(problem: Problem) -> tuple[Certificate, ...]:
    """With W_d = W_eᵀ the minima are W_e = V_k Q for any rotation Q: orthonormal principal bases.

    With W = W_e, the gradient of ‖R − R W Wᵀ‖² is Γ = −4 S W + 2 S W K + 2 W A, with K = WᵀW and
    A = WᵀSW, so WᵀΓ = 2 (A (K − I) + (K − I) A). If Γ = 0 and every code unit has variance (A ≻ 0),
    K = I, also for repeated eigenvalues, and ‖K − I‖ ≤ ‖Γ‖/(4 λ_min(A)) near it. W Wᵀ is then a
    projector, and by Eckart–Young it is V_k V_kᵀ. The claim that every critical point is
    orthonormal needs the assumption that W has full rank: W = 0, and fewer eigenvectors than units,
    are critical points too. S may be singular: a symmetric W Wᵀ of rank k with
    R W Wᵀ = R V_k V_kᵀ has no component in the null space, in contrast to an untied W_e W_d.

    Verification: L-BFGS training by the model's encode and decode with `tied=True`. The tolerances
    follow from the curvature, at least λ_k along stretches of W and the eigengap along its tilts.

    Controls: the encoder V_k G of an untied optimum, with the same loss; the projector in which
    component k + 1 replaces component k.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Two certificates, orthonormality and subspace.

    Source: Oja 1992; Yang 1995, theorems 1 and 2.
    """
    if obstacle := map_obstacle(problem):
        return refuse((ORTHONORMAL, SUBSPACE), obstacle)
    train = functools.cache(lambda: train_tied(problem))
    stretch, tilt = _stretch_tolerance(problem), _tilt_tolerance(problem)
    return (
        certify(ORTHONORMAL, stretch, lambda: _orthonormal_evidence(problem, train())),
        certify(SUBSPACE, tilt, lambda: _subspace_evidence(problem, train())),
    )


def train_tied(problem: Problem, *, max_steps: int = MAX_STEPS) -> Solution:
    """Train a tied linear autoencoder on centred data from a random start, without biases."""
    features = problem.x.shape[1]
    with jax.enable_x64(True):
        start = linear(features, problem.code, tied=True, bias=False).init(problem.key)
        loss = tied_loss(features, problem.code)
        factor, stop = jnp.asarray(unit_factor(problem)), gradient_stop(problem)
        return minimise(loss, start, factor, gradient_tolerance=stop, max_steps=max_steps)


@functools.cache
def tied_loss(features: int, code: int) -> Callable[[Params, Array], Array]:
    """Loss ‖T − T W Wᵀ‖²_F of tied params, by the model's own encode and decode."""
    model = linear(features, code, tied=True, bias=False)

    def loss(params: Params, factor: Array) -> Array:
        x_hat = model.decode(params, model.encode(params, factor))
        return losses.squared_error(x_hat, factor).sum()

    return loss


def _eigenvalues_at_k(problem: Problem) -> tuple[float, float]:
    kept, lost = unit_eigenvalues(problem)[problem.code - 1 : problem.code + 1]
    return float(kept), float(lost)


def _stretch_tolerance(problem: Problem) -> Tolerance:
    """Twice the bound ‖K − I‖ ≤ G/(4 λ_k), with G = `gradient_error`, for Σλ = 1."""
    kept, error = _eigenvalues_at_k(problem)[0], gradient_error(problem)
    basis = f"gradient {error:.1e} against λ_k/Σλ = {kept:.1e}"
    return Tolerance(error / (2 * kept), TRAINED_CAP, basis)


def _tilt_tolerance(problem: Problem) -> Tolerance:
    """Twice the bound ‖W Wᵀ − V_k V_kᵀ‖ ≤ G/(4 λ_k) + G/(2 (λ_k − λ_{k+1})), for Σλ = 1."""
    stretch = _stretch_tolerance(problem)
    (kept, lost), error = _eigenvalues_at_k(problem), gradient_error(problem)
    value = stretch.value + error / (kept - lost) if kept > lost else np.inf
    basis = f"gradient {error:.1e} against the eigengap (λ_k − λ_{{k+1}})/Σλ = {kept - lost:.1e}"
    return Tolerance(value, TRAINED_CAP, basis)


def _orthonormal_evidence(problem: Problem, solution: Solution) -> Evidence:
    with jax.enable_x64(True):
        change = np.asarray(invertible_matrix(problem.key, problem.code))
    untied = leading_components(problem.pca, problem.code).T @ change
    residual, control = (_orthonormality_error(kernel) for kernel in (_kernel(solution), untied))
    return Evidence(residual, control, convergence_doubt(solution))


def _subspace_evidence(problem: Problem, solution: Solution) -> Evidence:
    kernel = _kernel(solution)
    residual, control = (
        float(np.linalg.norm(kernel @ kernel.T - projector(components), ord=2))
        for components in (
            leading_components(problem.pca, problem.code),
            swapped_components(problem),
        )
    )
    return Evidence(residual, control, convergence_doubt(solution))


def _kernel(solution: Solution) -> Float64[np.ndarray, "features code"]:
    return np.asarray(solution.params["encoder"]["layer_0"]["kernel"])


def _orthonormality_error(kernel: Float64[np.ndarray, "features code"]) -> float:
    """‖WᵀW − I‖ in spectral norm; zero if and only if the columns of W are orthonormal."""
    return float(np.linalg.norm(kernel.T @ kernel - np.eye(kernel.shape[1]), ord=2))
