"""Distances between a linear autoencoder and the values that a theorem predicts."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Float64

from aejax import losses
from aejax.models import linear
from aejax.theory.checking.problem import Problem
from aejax.types import Params


def reconstruction(
    problem: Problem, params: Params, *, dtype: DTypeLike = jnp.float64
) -> Float64[np.ndarray, "examples features"]:
    """x̂ of the user's data, by the model's `encode` and `decode` in a dtype (default: float64).

    Matrix products have the full precision of the dtype on accelerators too.
    """
    model = linear(problem.x.shape[1], problem.code)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        x = jnp.asarray(problem.x, dtype)
        return np.asarray(model.decode(params, model.encode(params, x)), np.float64)


def reconstruction_loss(problem: Problem, params: Params) -> float:
    """L, the mean over examples of Σ_j (x̂_j − x_j)², by the model and by `losses.squared_error`."""
    with jax.enable_x64(True):
        x_hat, x = jnp.asarray(reconstruction(problem, params)), jnp.asarray(problem.x)
        return float(losses.squared_error(x_hat, x).sum() / len(x))


def map_error(params: Params, target: Float64[np.ndarray, "n n"]) -> float:
    """‖W − target‖₂ for W = W_e W_d.

    Between orthogonal projectors of equal rank this is the sine of the largest principal angle.
    """
    return float(np.linalg.norm(linear_map(params) - target, ord=2))


def map_error_on_data(
    problem: Problem, params: Params, target: Float64[np.ndarray, "n n"]
) -> float:
    """Distance of W = W_e W_d from a target on R = (x − x̄)/√m: ‖R (W − target)‖₂/σ_k.

    If the target is V_k V_kᵀ and the distance δ, the sine of the largest principal angle between
    W's row space and the principal subspace is at most δ/(1 − δ). W is arbitrary in directions
    without variance, in which training does not change the encoder.
    """
    weakest = np.sqrt(problem.pca.eigenvalues[problem.code - 1])
    difference = problem.moments.factor @ (linear_map(params) - target)
    return float(np.linalg.norm(difference, ord=2) / weakest)


def linear_map(params: Params) -> Float64[np.ndarray, "features features"]:
    """W = W_e W_d, which multiplies centred rows from the right."""
    encoder, decoder = (params[side]["layer_0"]["kernel"] for side in ("encoder", "decoder"))
    return np.asarray(encoder) @ np.asarray(decoder)


def projector(components: Float64[np.ndarray, "k n"]) -> Float64[np.ndarray, "n n"]:
    """V_k V_kᵀ, the orthogonal projector on the span of k orthonormal rows."""
    return components.T @ components
