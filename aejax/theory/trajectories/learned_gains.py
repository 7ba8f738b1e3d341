"""Gains v_iᵀ W_e W_d v_i of trained autoencoders, for comparison with the formulas."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax.models import linear
from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.problem import Problem
from aejax.theory.checking.tolerances import unit_factor
from aejax.theory.noise.contraction import penalty_weight
from aejax.theory.noise.gaussian import gaussian_regression, noise_variance
from aejax.theory.parameters.tied import tied_loss
from aejax.theory.solvers.lbfgs import minimise
from aejax.theory.solvers.penalised import kernels
from aejax.types import Array, Params


def gains_of_map(
    problem: Problem, weights: Float64[np.ndarray, "n n"]
) -> Float64[np.ndarray, " code"]:
    """v_iᵀ W v_i for the k leading components."""
    rows = leading_components(problem.pca, problem.code)
    return np.sum((rows @ weights) * rows, axis=1)


def denoising_gains(problem: Problem) -> Float64[np.ndarray, " code"]:
    """Gains of a linear autoencoder trained by L-BFGS on the expected Gaussian denoising loss.

    Args:
        problem: data, code size and key; the noise has variance s² = λ_k.

    Returns:
        Learned gains, predicted as λ_i/(λ_i + s²).
    """
    case = gaussian_regression(problem, noise_variance(problem))
    scale = np.sqrt(least_loss(problem.pca, 0))
    with jax.enable_x64(True):
        start = linear(problem.x.shape[1], problem.code, bias=False).init(problem.key)
        rows = (jnp.asarray(case.noisy / scale), jnp.asarray(case.target / scale))
        encoder, decoder = kernels(minimise(_regression_loss, start, rows))
    return gains_of_map(problem, encoder @ decoder)


def contractive_gains(problem: Problem) -> Float64[np.ndarray, " code"]:
    """Gains of a tied linear autoencoder trained by L-BFGS under the contractive penalty, μ ‖W‖².

    Args:
        problem: data, code size and key; μ is `contraction.penalty_weight`.

    Returns:
        Learned gains, predicted as max(0, 1 − μ/(2λ_i)).
    """
    features, code = problem.x.shape[1], problem.code
    with jax.enable_x64(True):
        start = linear(features, code, tied=True, bias=False).init(problem.key)
        data = (jnp.asarray(unit_factor(problem)), jnp.asarray(penalty_weight(problem)))
        params = minimise(_contractive_loss, start, data).params
        kernel = np.asarray(params["encoder"]["layer_0"]["kernel"])
    return gains_of_map(problem, kernel @ kernel.T)


def _regression_loss(params: Params, rows: tuple[Array, Array]) -> Array:
    noisy, target = rows
    model = linear(*params["encoder"]["layer_0"]["kernel"].shape, bias=False)
    return jnp.sum(jnp.square(target - model.decode(params, model.encode(params, noisy))))


def _contractive_loss(params: Params, data: tuple[Array, Array]) -> Array:
    factor, weight = data
    kernel = params["encoder"]["layer_0"]["kernel"]
    return tied_loss(*kernel.shape)(params, factor) + weight * jnp.sum(jnp.square(kernel))
