"""Theorem of the course: under four assumptions the optimal encoder is PCA."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax.models import linear
from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Obstacle,
    Statement,
    Tolerance,
    certify,
)
from aejax.theory.checking.problem import (
    Problem,
    pca_obstacle,
    rank,
    rounding,
    zero_variance_message,
)
from aejax.theory.checking.tolerances import (
    CLOSED_FORM_CAP,
    map_obstacle,
    map_tolerance,
    pass_rounding,
)
from aejax.theory.course.conditions import Assumption, encoder_gradient_norm
from aejax.theory.learning.nonlinear_encoders import representatives
from aejax.theory.optimum.optimum import swapped_components
from aejax.theory.parameters.biases import already_centred
from aejax.theory.solvers.lbfgs import convergence_doubt
from aejax.theory.solvers.linear_solvers import alternating_least_squares

COVARIANCE = Statement(
    claim="the Gram matrix of normalised inputs is their covariance",
    formula="S = RᵀR = E (x − x̄)ᵀ(x − x̄), for r = (x − x̄)/√m",
    source="the course, after Bourlard & Kamp 1988",
)
CODE = Statement(
    claim="the optimal code is that of PCA, up to an invertible change",
    formula="H = R V_k G, so span H = span U_k and H W_d = U_k Σ_k V_kᵀ",
    source="Bourlard & Kamp 1988; Eckart & Young 1936",
)
CONDITIONS: dict[Assumption, Statement] = {
    "encoder": Statement(
        claim="no change of PCA's encoder lowers the loss while the encoder is linear",
        formula="∇_{W_e} L = 0 at H = R V_k; not for h = tanh(x V_k)",
        source="Bourlard & Kamp 1988",
    ),
    "decoder": Statement(
        claim="no change of PCA's encoder lowers the loss while the decoder is linear",
        formula="∇_{W_e} L = 0 at H = R V_k; not for x̂ = arsinh(h W_d + c)",
        source="Bourlard & Kamp 1988; Japkowicz, Hanson & Gluck 2000",
    ),
    "centring": Statement(
        claim="no change of PCA's encoder lowers the loss while inputs are centred",
        formula="∇_{W_e} L = 0 at H = R V_k; not for h = x V_k without biases",
        source="Bourlard & Kamp 1988",
    ),
    "loss": Statement(
        claim="no change of PCA's encoder lowers the loss while that is the squared error",
        formula="∇_{W_e} L = 0 at H = R V_k; not for Σ_j (x̂_j − x_j)⁴",
        source="Bourlard & Kamp 1988",
    ),
}


def course_conditions(problem: Problem) -> tuple[Certificate, ...]:
    """Linear encoder, linear decoder, squared error, normalised inputs: the encoder is PCA.

    1. S = RᵀR is the covariance that divides by m, not m − 1.
    2. ‖R − H W_d‖² is minimal at R's truncated SVD, H W_d = U_k Σ_k V_kᵀ (Eckart & Young), which
       H = R V_k, W_d = V_kᵀ attains. "The encoder is PCA" is imprecise: H = R V_k G, W_d = G⁻¹ V_kᵀ
       has the same loss for every invertible G; only span H = span U_k is determined.
    3. Under the four assumptions the encoder's gradient vanishes at H = R V_k with the optimal
       decoder, since V_kᵀ S v_j = 0 for j > k. It does not if one of the assumptions is violated.

    Verification of 2: the code found by alternating least squares on the user's data with biases.
    The residual is the maximum of the sine of the largest principal angle between its span and
    span U_k, and of ‖H W_d − R V_k V_kᵀ‖₂/σ_k.

    Controls of 3: each violates one assumption and recomputes the optimal decoder for PCA's code.
    A nonzero gradient shows that another encoder is better; if the encoder is linear, better than
    every encoder with the same span, because the decoder absorbs G. A non-linear encoder cannot
    improve on PCA with a linear decoder, but PCA's weights are not optimal for it. 2 and 3 are not
    applicable if rank ≤ k, where PCA's code is lossless; nor is centring if the data are centred.

    Args:
        problem: data, code size and key. For large x the controls are measured on evenly spaced
            examples, with their own PCA.

    Returns:
        Six certificates: covariance, code, and each of the four assumptions.

    Source: Bourlard & Kamp 1988.
    """
    stationary = _stationary_tolerance(problem)
    gradient = functools.cache(lambda: encoder_gradient_norm(problem, None))
    sampled = functools.cache(lambda: representatives(problem))
    return (
        certify(
            COVARIANCE,
            _covariance_tolerance(problem),
            lambda: _covariance_evidence(problem),
            obstacle=_zero_variance(problem),
        ),
        certify(
            CODE,
            _code_tolerance(problem),
            lambda: _code_evidence(problem),
            obstacle=map_obstacle(problem) or _lossless_obstacle(problem),
        ),
        *(
            certify(
                statement,
                stationary,
                lambda name=name: Evidence(gradient(), encoder_gradient_norm(sampled(), name)),
                obstacle=pca_obstacle(problem) or _violation_obstacle(problem, name),
            )
            for name, statement in CONDITIONS.items()
        ),
    )


def _zero_variance(problem: Problem) -> Obstacle | None:
    if rank(problem) > 0:
        return None
    return Obstacle("not applicable", zero_variance_message(problem))


def _violation_obstacle(problem: Problem, name: Assumption) -> Obstacle | None:
    """Obstacle if the violation of an assumption has no effect on these data."""
    return _lossless_obstacle(problem) or (already_centred(problem) if name == "centring" else None)


def _lossless_obstacle(problem: Problem) -> Obstacle | None:
    if rank(problem) > problem.code:
        return None
    reason = f"rank {rank(problem)} ≤ code {problem.code}: PCA's code is lossless, as are others"
    return Obstacle("not applicable", reason)


def _covariance_tolerance(problem: Problem) -> Tolerance:
    """4 ρ σ_1/λ_1, ρ = `rounding`: 2 ρ σ_1 each for S = TᵀT and for the covariance as a sum."""
    largest, error = float(problem.pca.eigenvalues[0]), rounding(problem)
    basis = f"rounding {error:.1e} of σ against σ_1 = {np.sqrt(largest):.1e}"
    value = 4 * error / np.sqrt(largest) if largest > 0 else np.inf
    return Tolerance(float(value), CLOSED_FORM_CAP, basis)


def _code_tolerance(problem: Problem) -> Tolerance:
    """`map_tolerance`, as the left singular subspace has the same gap, + 2 `pass_rounding`/σ_k."""
    closed, error = map_tolerance(problem), pass_rounding(problem)
    sigma_k = float(np.sqrt(np.pad(problem.pca.eigenvalues, (0, problem.code))[problem.code - 1]))
    value = closed.value + 2 * error / sigma_k if sigma_k > 0 else np.inf
    return Tolerance(value, CLOSED_FORM_CAP, f"{closed.basis}, and {error:.1e} of a pass")


def _stationary_tolerance(problem: Problem) -> Tolerance:
    """8 ρ/√Σλ, ρ = `pass_rounding`: the gradient, for Σλ = 1, has degree two in the data."""
    total, error = least_loss(problem.pca, 0), pass_rounding(problem)
    basis = f"rounding {error:.1e} of a row against √Σλ = {np.sqrt(total):.1e}"
    return Tolerance(
        float(8 * error / np.sqrt(total)) if total > 0 else np.inf, CLOSED_FORM_CAP, basis
    )


def _covariance_evidence(problem: Problem) -> Evidence:
    gram = problem.moments.factor.T @ problem.moments.factor
    scale = problem.pca.eigenvalues[0]
    examples = len(problem.centred)
    covariance = np.atleast_2d(np.cov(problem.centred, rowvar=False, ddof=0))
    residual, control = (
        float(np.linalg.norm(gram - factor * covariance, ord=2) / scale)
        for factor in (1, examples / (examples - 1))
    )
    return Evidence(residual, control)


def _code_evidence(problem: Problem) -> Evidence:
    solution = alternating_least_squares(problem.key, problem.moments, problem.code)
    model = linear(problem.x.shape[1], problem.code)
    with jax.enable_x64(True):
        code = model.encode(solution.params, jnp.asarray(problem.x))
        x_hat = np.asarray(model.decode(solution.params, code))
        basis, _ = np.linalg.qr(np.asarray(code))
    residual, control = (
        max(_sine(problem, basis, components), _reconstruction_error(problem, x_hat, components))
        for components in (
            leading_components(problem.pca, problem.code),
            swapped_components(problem),
        )
    )
    return Evidence(residual, control, convergence_doubt(solution, method="least squares"))


def _sine(
    problem: Problem,
    basis: Float64[np.ndarray, "examples code"],
    components: Float64[np.ndarray, "code features"],
) -> float:
    """Sine of the largest principal angle between the span of a code and that of R V_k."""
    scores, _ = np.linalg.qr((problem.x - problem.pca.mean) @ components.T)
    return float(np.linalg.norm(scores - basis @ (basis.T @ scores), ord=2))


def _reconstruction_error(
    problem: Problem,
    x_hat: Float64[np.ndarray, "examples features"],
    components: Float64[np.ndarray, "code features"],
) -> float:
    """‖H W_d − R V_k V_kᵀ‖₂/σ_k, with H W_d the reconstructions minus the mean."""
    projected = problem.centred @ components.T @ components
    difference = x_hat - problem.pca.mean - projected
    weakest = np.sqrt(len(x_hat) * problem.pca.eigenvalues[problem.code - 1])
    return _largest_singular_value(difference) / float(weakest)


def _largest_singular_value(tall: Float64[np.ndarray, "examples features"]) -> float:
    """σ_1 from the Gram matrix, which costs a fifth of an SVD and is exact to rounding for σ_1."""
    return float(np.sqrt(np.linalg.norm(tall.T @ tall, ord=2)))
