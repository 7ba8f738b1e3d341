"""Theorem on float32: PCA's reconstructions differ from float64 by rounding only."""

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
"""Differences between reconstructions and those in float64."""

EPSILON_32 = float(np.finfo(np.float32).eps)

SINGLE_CAP = 1e-4
"""Maximum relative tolerance of a computation in float32."""

SINGLE = Statement(
    claim="in float32 the optimum reconstructs as in float64, up to float32's own rounding",
    formula="rms ‖fl₃₂(x̂) − x̂‖ ≤ 2 ε₃₂ √n rms ‖x‖",
    source="Higham 2002, §3.5; Higham & Mary 2019 (√n for n)",
)


def single_precision(problem: Problem) -> tuple[Certificate, ...]:
    """PCA's parameters and the data in float32 reconstruct as in float64, up to rounding.

    The residual is the root mean square difference of the reconstructions, relative to √(Σ λ). Its
    tolerance is the rounding of float32, 2 ε₃₂ √n rms ‖x‖/√(Σ λ): x̂ is two products of rows of
    length n and k with orthonormal kernels, plus biases. A mean much larger than the spread makes
    the tolerance large; above 10⁻⁴ float32 is too coarse for the data, which should be centred
    first. Reconstructions must be float32 numbers, otherwise the residual is infinite.

    Control: the kernels rounded to float8 (e4m3: three bits of fraction).

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
    return (certify(SINGLE, tolerance, lambda: _evidence(problem, spread), obstacle=obstacle),)


def in_single_precision(params: Params) -> Params:
    """Parameters in float32."""
    with jax.enable_x64(True):
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float32), params)


def with_float8_kernels(params: Params) -> Params:
    """Parameters in float32 with kernels rounded to float8 (e4m3) and unchanged biases."""
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


def reconstruction_differences(problem: Problem) -> tuple[Differences, Differences]:
    """Errors of PCA's reconstructions in float32 and with float8 kernels, against float64."""
    params = principal_params(problem, leading_components(problem.pca, problem.code))
    single = in_single_precision(params)
    with jax.enable_x64(True):
        coarse = with_float8_kernels(single)
    in_single, by_coarse = (
        reconstruction(problem, each, dtype=jnp.float32) for each in (single, coarse)
    )
    x_hat = reconstruction(problem, params)
    return in_single - x_hat, by_coarse - x_hat


def _evidence(problem: Problem, spread: float) -> Evidence:
    residual, control = (
        float(np.linalg.norm(difference) / np.sqrt(len(difference)) / spread)
        for difference in reconstruction_differences(problem)
    )
    params = principal_params(problem, leading_components(problem.pca, problem.code))
    x_hat = reconstruction(problem, in_single_precision(params), dtype=jnp.float32)
    computed = np.array_equal(x_hat, x_hat.astype(np.float32))
    return Evidence(residual if computed else np.inf, control)
