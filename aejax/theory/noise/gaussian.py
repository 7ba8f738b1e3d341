"""Theorem on linear denoising autoencoders under Gaussian noise: damped principal components.

The expectation of a denoising objective over its noise is a regression. If R̃ is the corrupted R,
with E R̃ = a R and E R̃ᵀR̃ = a² S + N, then E‖R − R̃ W‖²_F = ‖Y − X W‖²_F with X = [a T; N^½] and
Y = [T; 0], as XᵀX = a² S + N and XᵀY = a S. The model's encode and decode of X compute it exactly.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax import losses
from aejax.models import linear
from aejax.theory.analysis.linear_params import linear_params
from aejax.theory.analysis.moments import equivalent_batch
from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Statement,
    Tolerance,
    certify,
    refuse,
    rescaled_residual,
)
from aejax.theory.checking.problem import DEFLATION, EPSILON, Problem, last_component, pca_obstacle
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP
from aejax.theory.noise.expectations import (
    Kernels,
    distance_from_optimum,
    enumerable_problem,
    gaussian_outcomes,
)
from aejax.types import Array

GAUSSIAN = Statement(
    claim="with Gaussian noise of variance s² the components are damped, and this is the loss",
    formula="W_e W_d = Σ_{i≤k} λ_i/(λ_i + s²) v_i v_iᵀ is stationary; "
    "L = Σ λ_i − Σ_{i≤k} λ_i²/(λ_i + s²)",
    source="Pretorius, Kroon & Kamper 2018; Bishop 1995",
)
GAUSSIAN_LEAST = Statement(
    claim="no linear autoencoder with k code units denoises Gaussian noise better",
    formula="min L = tr S − Σ_{i≤k} eig_i(S (S + s² I)⁻¹ S)",
    source="Izenman 1975; Eckart & Young 1936",
)


class Regression(NamedTuple):
    """The expected denoising objective ‖Y − X W_e W_d‖²_F.

    noisy:  X [p, n].
    target: Y [p, n].
    """

    noisy: Float64[np.ndarray, "p n"]
    target: Float64[np.ndarray, "p n"]


def gaussian_denoising(problem: Problem) -> tuple[Certificate, ...]:
    """With noise N(0, s² I) on x, the optimum is Σ_{i≤k} λ_i/(λ_i + s²) v_i v_iᵀ.

    Noise of variance s² on x is s²/m on a row of R, and the m rows add up: E R̃ᵀR̃ = S + s² I, so
    E‖R − R̃ W‖²_F = ‖R − R W‖²_F + s² ‖W‖²_F. The minimum of rank k projects the fit
    S (S + s² I)⁻¹ S, whose eigenvalues λ²/(λ + s²) increase with λ, on its first k eigenvectors. So
    the subspace is PCA's and the loss is Σ_{i>k} λ_i + Σ_{i≤k} λ_i s²/(λ_i + s²), equal to
    Σ λ − Σ_{i≤k} λ_i²/(λ_i + s²) but without cancellation. Here s² = λ_k, so the smallest gain is
    ½. Repeated eigenvalues are allowed. Pretorius et al. state it for sums over examples, where the
    noise variance is m times that of a mean.

    Both statements are also compared with the definition, the mean of `aejax.objective` over the
    noise by an exact cubature: its gradient must vanish, and training from a random start must not
    reach a lower value. If n > 8, this comparison uses the 8 features of largest variance.

    Controls: the undamped components of PCA; the bound for one code unit fewer.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Two certificates: the loss that the damped components attain, and that it is minimal.

    Source: Pretorius, Kroon & Kamper 2018; Bishop 1995a; Izenman 1975.
    """
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        return refuse((GAUSSIAN, GAUSSIAN_LEAST), obstacle)
    variance = noise_variance(problem)
    case = gaussian_regression(problem, variance)
    least = gaussian_loss(problem, variance)
    tolerance = regression_tolerance(problem, case, least)
    return (
        certify(GAUSSIAN, tolerance, lambda: _damped_evidence(problem, case, tolerance)),
        certify(
            GAUSSIAN_LEAST, tolerance, lambda: _bound_evidence(problem, case, least, tolerance)
        ),
    )


def noise_variance(problem: Problem) -> float:
    """s² = λ_r with r = min(k, rank), the smallest kept eigenvalue, so that its gain is ½."""
    return float(problem.pca.eigenvalues[last_component(problem)])


def gaussian_regression(problem: Problem, variance: float) -> Regression:
    """X = [T; s I] and Y = [T; 0]: the expectation over noise of variance s² on x."""
    factor = problem.moments.factor
    noise = np.sqrt(variance) * np.eye(factor.shape[1])
    return Regression(np.r_[factor, noise], np.r_[factor, 0 * noise])


def gaussian_loss(problem: Problem, variance: float) -> float:
    """Σ_{i>k} λ_i + Σ_{i≤k} λ_i s²/(λ_i + s²), the minimal expected loss."""
    kept = problem.pca.eigenvalues[: problem.code]
    damped = float(np.sum(kept * variance / (kept + variance)))
    return least_loss(problem.pca, problem.code) + damped


def damped_kernels(problem: Problem, variance: float) -> Kernels:
    """W_e = V_k diag(λ_i/(λ_i + s²)) and W_d = V_kᵀ."""
    rows = leading_components(problem.pca, problem.code)
    kept = np.pad(problem.pca.eigenvalues, (0, problem.code))[: problem.code]
    return Kernels(rows.T * (kept / (kept + variance)), rows)


def expected_loss(case: Regression, kernels: Kernels) -> tuple[float, float]:
    """‖Y − X W_e W_d‖²_F by the model's encode and decode, and the norm of its gradient."""
    with jax.enable_x64(True):
        loss, gradient = _loss_and_gradient(
            (jnp.asarray(kernels.encoder), jnp.asarray(kernels.decoder)),
            jnp.asarray(case.noisy),
            jnp.asarray(case.target),
        )
        return float(loss), float(gradient)


def regression_tolerance(problem: Problem, case: Regression, least: float) -> Tolerance:
    """Rounding of L with p rows of X: 2 (√(pn + mn) + 50) ε (‖Y‖²_F + ‖X‖_F ‖Y‖_F)/L.

    Valid for kernels of order one: X in the units of Y, or unit columns of X with ‖Y‖_F = 1.
    """
    noisy, target = (float(np.linalg.norm(rows)) for rows in case)
    energy = target**2 + noisy * target
    size = float(np.sqrt(case.noisy.size + problem.x.size)) + DEFLATION
    basis = f"rounding of the data and its noise {energy:.1e} against the loss {least:.1e}"
    value = 2 * EPSILON * size * energy / least if least > 0 else np.inf
    return Tolerance(value, CLOSED_FORM_CAP, basis)


@jax.jit
def _loss_and_gradient(
    kernels: tuple[Array, Array], noisy: Array, target: Array
) -> tuple[Array, Array]:
    model = linear(*kernels[0].shape, bias=False)

    def loss(kernels: tuple[Array, Array]) -> Array:
        params = linear_params(*kernels)
        return losses.squared_error(model.decode(params, model.encode(params, noisy)), target).sum()

    value, (encoder, decoder) = jax.value_and_grad(loss)(kernels)
    return value, jnp.sqrt(jnp.sum(jnp.square(encoder)) + jnp.sum(jnp.square(decoder)))


def _damped_evidence(problem: Problem, case: Regression, tolerance: Tolerance) -> Evidence:
    variance = noise_variance(problem)
    least = gaussian_loss(problem, variance)
    damped = damped_kernels(problem, variance)
    loss, gradient = expected_loss(case, damped)
    undamped, _ = expected_loss(case, Kernels(damped.decoder.T, damped.decoder))
    residual = max(abs(loss - least), gradient) / least
    defined = _by_cubature(problem, tolerance)
    return Evidence(max(residual, defined), abs(undamped - least) / least)


def _bound_evidence(
    problem: Problem, case: Regression, least: float, tolerance: Tolerance
) -> Evidence:
    attained, _ = expected_loss(case, damped_kernels(problem, noise_variance(problem)))
    residual, control = (
        abs(attained - least_regression_loss(case, code)) / least
        for code in (problem.code, last_component(problem))
    )
    return Evidence(max(residual, _by_cubature(problem, tolerance)), control)


def _by_cubature(problem: Problem, tolerance: Tolerance) -> float:
    """Distance of kernels and loss from the optimum of the library's objective under the noise."""
    part = enumerable_problem(problem)
    variance = noise_variance(part)
    least, case = gaussian_loss(part, variance), gaussian_regression(part, variance)
    scale = np.sqrt(least_loss(part.pca, 0))
    rows = equivalent_batch(part.moments.factor / scale)
    residual = distance_from_optimum(
        damped_kernels(part, variance),
        least / scale**2,
        (rows,),
        gaussian_outcomes(part.x.shape[1], variance=variance / scale**2),
        part.key,
    )
    return rescaled_residual(residual, regression_tolerance(part, case, least), tolerance)


def least_regression_loss(case: Regression, code: int) -> float:
    """Minimal loss over W of rank k, tr YᵀY − Σ_{i≤k} eig_i(YᵀX (XᵀX)⁻¹ XᵀY), for regular XᵀX.

    Source: Izenman 1975 (reduced-rank regression).
    """
    cross = case.noisy.T @ case.target
    fit = cross.T @ np.linalg.solve(case.noisy.T @ case.noisy, cross)
    explained = np.linalg.eigvalsh((fit + fit.T) / 2)[::-1]
    return float(np.sum(np.square(case.target)) - explained[:code].sum())
