"""Theorem on recovering the principal components themselves, in order, not only their subspace."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax.theory.analysis.moments import moments
from aejax.theory.analysis.pca import PCA, leading_components, pca_of_moments
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Obstacle,
    Statement,
    Tolerance,
    certify,
    refuse,
)
from aejax.theory.checking.distances import reconstruction
from aejax.theory.checking.problem import EPSILON, Problem
from aejax.theory.checking.tolerances import (
    CLOSED_FORM_CAP,
    TRAINED_CAP,
    gradient_error,
    map_obstacle,
    pass_rounding,
    unit_eigenvalues,
)
from aejax.theory.optimum.invariance import change_code, invertible_matrix
from aejax.theory.solvers.lbfgs import convergence_doubt
from aejax.theory.solvers.linear_solvers import Solution, alternating_least_squares
from aejax.theory.solvers.penalised import (
    CONTROL_STEPS,
    curvatures,
    half_decay,
    kernels,
    sum_gains,
    train_penalised,
)

RECONSTRUCTIONS = Statement(
    claim="the reconstructions of a plain linear autoencoder show each component, in order",
    formula="SVD of R W_e W_d = U_k Σ_k V_kᵀ: row i of V_kᵀ is ±v_i; that of W_d is not",
    source="Eckart & Young 1936; Bourlard & Kamp 1988; the question from Plaut 2018",
)
DECODER = Statement(
    claim="the decoder of an L2-regularised linear autoencoder shows each component, in order",
    formula="SVD of W_d = Q D V_kᵀ, D² = 1 − μ/λ: row i of V_kᵀ is ±v_i, at μ = λ_k/2",
    source="Kunin et al. 2019",
)


def principal_components(problem: Problem) -> tuple[Certificate, ...]:
    """Each v_i, in order and up to sign: from reconstructions, or from a regularised decoder.

    R W_e W_d = R V_k V_kᵀ = U_k Σ_k V_kᵀ is its own SVD for every code, so PCA of x̂ is PCA of x
    truncated at k. The decoder alone is G⁻¹ V_kᵀ with any invertible G, and its singular vectors
    are principal components only if G Gᵀ and Λ_k share eigenvectors. The literature reads the
    components from the decoder. That is correct for the L2 penalty on both kernels, where
    W_d = Q D V_kᵀ with a rotation Q, and D² = 1 − μ/λ keeps the order; it is wrong for a plain
    autoencoder and for a penalty on the product. Both methods need λ_1 > … > λ_k > λ_{k+1};
    otherwise the components are not unique.

    Residuals are the maximum sine of the angle between a recovered and a principal component. The
    plain autoencoder comes from alternating least squares, with its code changed by a random G, on
    the user's data with biases; the regularised one is trained by L-BFGS from a random start. The
    tolerance of an angle is error/gap: the gap of σ for reconstructions (Wedin 1972), of D² for the
    decoder (Davis & Kahan 1970).

    Controls: the decoder of that plain autoencoder; the decoder of a penalty on the product.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Two certificates, from reconstructions and from a regularised decoder.

    Source: Plaut 2018; Kunin et al. 2019 (the regularised decoder).
    """
    if obstacle := map_obstacle(problem) or _single_unit(problem):
        return refuse((RECONSTRUCTIONS, DECODER), obstacle)
    return (
        certify(
            RECONSTRUCTIONS, _reconstruction_tolerance(problem), lambda: _plain_evidence(problem)
        ),
        certify(DECODER, _decoder_tolerance(problem), lambda: _regularised_evidence(problem)),
    )


def component_cosines(
    found: Float64[np.ndarray, "code features"], analysis: PCA
) -> Float64[np.ndarray, " code"]:
    """|cos| of the angle between recovered component i and principal component i, for each i.

    Args:
        found: recovered components, unit rows in order.
        analysis: the principal components.

    Returns:
        One cosine per component; 1 for a component that is recovered up to its sign.
    """
    return np.abs(np.sum(found * leading_components(analysis, len(found)), axis=1))


def component_sines(
    found: Float64[np.ndarray, "code features"], analysis: PCA
) -> Float64[np.ndarray, " code"]:
    """sin of the angles of `component_cosines`, without the cancellation of √(1 − cos²)."""
    true = leading_components(analysis, len(found))
    return np.linalg.norm(found - np.sum(found * true, axis=1, keepdims=True) * true, axis=1)


def decoded_components(
    decoder: Float64[np.ndarray, "code features"],
) -> Float64[np.ndarray, "code features"]:
    """Right singular vectors of W_d [k, n]; if examples are columns, the left ones."""
    return np.linalg.svd(decoder, full_matrices=False)[2]


def reconstructed_components(
    x_hat: Float64[np.ndarray, "examples features"], code: int
) -> Float64[np.ndarray, "code features"]:
    """The k leading principal components of the reconstructions, centred at their own mean."""
    return leading_components(pca_of_moments(moments(x_hat)), code)


def _single_unit(problem: Problem) -> Obstacle | None:
    if problem.code > 1:
        return None
    reason = "code 1: the subspace is the component"
    return Obstacle("not applicable", reason)


def _least_gap(values: Float64[np.ndarray, " values"]) -> float:
    """Minimum difference between neighbours of values in descending order."""
    return float(-np.diff(values).max())


def _reconstruction_tolerance(problem: Problem) -> Tolerance:
    """9 ρ/min_i (σ_i − σ_{i+1}), with ρ = `pass_rounding`.

    3 ρ for the subspace, which tilts the last component by at most 3 ρ/(σ_k − σ_{k+1}); 2 ρ each
    for x̂ and the two SVDs, which rotate neighbours by at most twice error/gap (Wedin).
    """
    roots = np.sqrt(np.pad(problem.pca.eigenvalues, (0, 1))[: problem.code + 1])
    error, gap = pass_rounding(problem), _least_gap(roots)
    basis = f"rounding {error:.1e} of a row against the least gap of σ_1 … σ_{{k+1}}, {gap:.1e}"
    return Tolerance(9 * error / gap if gap > 0 else np.inf, CLOSED_FORM_CAP, basis)


def _decoder_tolerance(problem: Problem) -> Tolerance:
    """2 G/κ + 2 G/(κ' min gap of D²), plus the rounding of v_i itself, for Σλ = 1.

    A gradient of norm G = `gradient_error` leaves the kernels within G/(2κ) of the minima along a
    direction of curvature κ. A tilt rotates component j by that distance divided by d_j ≥ √½.
    Within the subspace, of curvature κ', W_dᵀ W_d moves by twice the distance, and its eigenvectors
    by that divided by the gap of D². Both are doubled.
    """
    eigenvalues, code = unit_eigenvalues(problem), problem.code
    decay = half_decay(problem)
    tilt, inner = curvatures(problem, decay)
    gap = _least_gap(np.append(sum_gains(problem.pca.eigenvalues[:code], decay), 0))
    error, sigma_gap = gradient_error(problem), _least_gap(np.sqrt(eigenvalues[: code + 1]))
    basis = f"gradient {error:.1e} against curvatures {tilt:.1e}, {inner:.1e}, gap {gap:.1e} of D²"
    if not min(gap, tilt, sigma_gap) > 0:
        return Tolerance(np.inf, TRAINED_CAP, basis)
    svd = 2 * EPSILON * np.sqrt(problem.x.size) / sigma_gap
    return Tolerance(float(2 * error / tilt + 2 * error / (inner * gap) + svd), TRAINED_CAP, basis)


def _plain_evidence(problem: Problem) -> Evidence:
    solution = alternating_least_squares(problem.key, problem.moments, problem.code)
    with jax.enable_x64(True):
        change = invertible_matrix(problem.key, problem.code)
        params = change_code(solution.params, change, jnp.linalg.inv(change))
    x_hat, (_, decoder) = reconstruction(problem, params), kernels(Solution(params, 0, True))
    residual, control = (
        float(component_sines(found, problem.pca).max())
        for found in (
            reconstructed_components(x_hat, problem.code),
            decoded_components(decoder),
        )
    )
    return Evidence(residual, control, convergence_doubt(solution, method="least squares"))


def _regularised_evidence(problem: Problem) -> Evidence:
    decay = half_decay(problem)
    summed, product = (
        train_penalised(problem, decay=decay),
        train_penalised(problem, product=decay, max_steps=CONTROL_STEPS),
    )
    residual, control = (
        float(component_sines(decoded_components(kernels(each)[1]), problem.pca).max())
        for each in (summed, product)
    )
    return Evidence(residual, control, convergence_doubt(summed))
