"""The theorem that single precision is enough: what float32 loses of PCA's reconstructions."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.certificate import Certificate, Evidence, Statement, Tolerance, certify
from aejax.theory.checking.distances import reconstruction
from aejax.theory.checking.problem import Problem, pca_obstacle
from aejax.theory.optimum.optimum import principal_params
from aejax.types import Params

Differences = Float64[np.ndarray, "examples features"]
"""Differences of reconstructions from those of float64."""

EPSILON_32 = float(np.finfo(np.float32).eps)

SINGLE_CAP = 1e-4
"""Greatest relative tolerance of what is computed in float32."""

SINGLE = Statement(
    claim="in float32 the optimum reconstructs as in float64, up to float32's own rounding",
    formula="rms ‖fl₃₂(x̂) − x̂‖ ≤ 2 ε₃₂ √n rms ‖x‖",
    source="Higham 2002, §3.5; Higham & Mary 2019 (√n for n)",
)


def single_precision(problem: Problem) -> tuple[Certificate, ...]:
    """PCA's parameters and the data in float32 reconstruct as in float64, up to rounding.

    The residual is the root mean square difference of a reconstruction, relative to √(Σ λ). Its
    tolerance is float32's own: 2 ε₃₂ √n rms ‖x‖/√(Σ λ), for x̂ is two products of rows of n and k
    with orthonormal kernels and the addition of biases. An offset that dwarfs the spread makes it
    great, and beyond 10⁻⁴ float32 is no precision for the data: centre it first. Every number of a
    reconstruction must be one of float32's, or something else was computed.

    Control: the kernels rounded to eight bits (of which three are the fraction's).

    Args:
        problem: the user's data and code size.

    Returns:
        One certificate.

    Source: Higham 2002, §3.5; Higham & Mary 2019.
    """
    spread, length = float(np.sqrt(least_loss(problem.pca, 0))), problem.moments.magnitude
    error = 2 * EPSILON_32 * float(np.sqrt(problem.x.shape[1])) * length
    basis = f"float32's rounding {error:.1e} of a row against the spread √(Σ λ) = {spread:.1e}"
    tolerance = Tolerance(error / spread if spread > 0 else np.inf, SINGLE_CAP, basis)
    obstacle = pca_obstacle(problem)
    return (certify(SINGLE, tolerance, lambda: _rounded(problem, spread), obstacle=obstacle),)


def in_single_precision(params: Params) -> Params:
    """Parameters in float32."""
    with jax.enable_x64(True):
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float32), params)


def in_eight_bits(params: Params) -> Params:
    """Parameters whose kernels are those that a float of eight bits holds; biases are kept."""
    return {
        side: {
            layer: {
                **leaves,
                "kernel": leaves["kernel"].astype(jnp.float8_e4m3fn).astype(jnp.float32),
            }
            for layer, leaves in layers.items()
        }
        for side, layers in params.items()
    }


def losses_of_precision(problem: Problem) -> tuple[Differences, Differences]:
    """What reconstructions by PCA lose in float32, and by kernels of eight bits, row by row."""
    params = principal_params(problem, leading_components(problem.pca, problem.code))
    single = in_single_precision(params)
    with jax.enable_x64(True):
        coarse = in_eight_bits(single)
    in_single, by_coarse = (
        reconstruction(problem, each, dtype=jnp.float32) for each in (single, coarse)
    )
    x_hat = reconstruction(problem, params)
    return in_single - x_hat, by_coarse - x_hat


def _rounded(problem: Problem, spread: float) -> Evidence:
    residual, control = (
        float(np.linalg.norm(lost) / np.sqrt(len(lost)) / spread)
        for lost in losses_of_precision(problem)
    )
    params = principal_params(problem, leading_components(problem.pca, problem.code))
    x_hat = reconstruction(problem, in_single_precision(params), dtype=jnp.float32)
    computed = np.array_equal(x_hat, x_hat.astype(np.float32))
    return Evidence(residual if computed else np.inf, control)
