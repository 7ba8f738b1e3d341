"""Linear autoencoders with an L2 penalty on each kernel, or on the product: closed forms, training.

The sum loss is J = ‖R − R W_e W_d‖²_F + μ (‖W_e‖²_F + ‖W_d‖²_F); the product loss is
J = ‖R − R W_e W_d‖²_F + μ ‖W_e W_d‖²_F. Both are `aejax.objective` with a penalty of weight μ.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float64

from aejax import losses, penalties
from aejax.models import linear
from aejax.objectives import objective
from aejax.theory.analysis.linear_params import linear_params
from aejax.theory.analysis.moments import equivalent_batch
from aejax.theory.checking.problem import Problem, rank
from aejax.theory.checking.tolerances import gradient_stop, unit_eigenvalues, unit_factor
from aejax.theory.solvers.lbfgs import MAX_STEPS, minimise
from aejax.theory.solvers.linear_solvers import Solution
from aejax.types import Array, Batch, Params, Pass, Penalty

CONTROL_STEPS = 500
"""Maximum number of training steps of a control, which need not converge."""


def sum_gains(eigenvalues: Float64[np.ndarray, " n"], decay: float) -> Float64[np.ndarray, " n"]:
    """Gains of the sum loss, max(0, 1 − μ/λ): singular values of W, squared ones of each kernel.

    For a gain s, μ (‖W_e‖² + ‖W_d‖²) ≥ 2 μ s, with equality for W_e = W_dᵀ; the optimal gain
    minimises λ (1 − s)² + 2 μ s.

    Source: Kunin et al. 2019 (the sum loss, for μ < λ_k; here for any μ > 0).
    """
    return np.maximum(eigenvalues - decay, 0) / np.maximum(eigenvalues, decay)


def product_gains(
    eigenvalues: Float64[np.ndarray, " n"], decay: float
) -> Float64[np.ndarray, " n"]:
    """Gains s = λ/(λ + μ) of the product loss, which minimise λ (1 − s)² + μ s².

    Source: Kunin et al. 2019 (the product loss).
    """
    return eigenvalues / (eigenvalues + decay)


def least_sum_loss(eigenvalues: Float64[np.ndarray, " n"], code: int, decay: float) -> float:
    """min J of the sum loss: Σ (2μ − μ²/λ_i) over i ≤ k with λ_i > μ, plus Σ λ_i of the others.

    Args:
        eigenvalues: λ of S, in descending order.
        code: k.
        decay: μ > 0.

    Returns:
        The minimum.

    Source: Kunin et al. 2019 (for μ < λ_k); derived here for any μ > 0.
    """
    gains = sum_gains(eigenvalues, decay)
    gains[code:] = 0
    return float(np.sum(eigenvalues * np.square(1 - gains) + 2 * decay * gains))


def half_decay(problem: Problem) -> float:
    """μ = λ_r/2 with r = min(k, rank): all components of the code have nonzero gains."""
    return float(problem.pca.eigenvalues[min(problem.code, rank(problem)) - 1]) / 2


def curvatures(problem: Problem, decay: float) -> tuple[float, float]:
    """Minimum curvatures of the sum loss at its minima, for Σλ = 1 and μ < λ_k.

    For tilts: the minimum over j ≤ k < p of (λ_j − λ_p)(λ_p + μ)/(λ_j + λ_p + μ), determinant over
    trace of 2 × 2 blocks of the Hessian. Within the principal subspace: 2 min(μ, λ_k − μ), apart
    from rotations of the code, whose curvature is zero.

    Args:
        problem: data and code size; k is replaced by the rank if that is smaller.
        decay: μ, in the units of λ.

    Returns:
        Both curvatures; the first is zero if λ_k = λ_{k+1}.
    """
    eigenvalues, units = unit_eigenvalues(problem), min(problem.code, rank(problem))
    relative = decay / float(problem.pca.eigenvalues.sum())
    kept, lost = eigenvalues[:units, None], eigenvalues[None, units:]
    tilts = (kept - lost) * (lost + relative) / (kept + lost + relative)
    return float(tilts.min()), 2 * min(relative, float(kept[-1, 0]) - relative)


def product_penalty(record: Pass) -> Array:
    """‖W_e W_d‖²_F, a scalar."""
    encoder, decoder = (record.params[side]["layer_0"]["kernel"] for side in ("encoder", "decoder"))
    return jnp.sum(jnp.square(encoder @ decoder))


def train_penalised(
    problem: Problem, *, decay: float = 0.0, product: float = 0.0, max_steps: int = MAX_STEPS
) -> Solution:
    """Train a linear autoencoder on centred data with L2 penalties, from a random start.

    Args:
        problem: data, code size and key.
        decay: μ of the sum loss, in the units of λ (default: 0).
        product: μ of the product loss, in the units of λ (default: 0).
        max_steps: maximum number of steps (default: 5000).

    Returns:
        The `Solution`, with parameters of `aejax.linear` without biases.
    """
    features, total = problem.x.shape[1], float(problem.pca.eigenvalues.sum())
    with jax.enable_x64(True):
        start = linear(features, problem.code, bias=False).init(problem.key)
        rows = jnp.asarray(equivalent_batch(unit_factor(problem)))
        data = (rows, jnp.asarray(decay / total), jnp.asarray(product / total), problem.key)
        return minimise(
            _penalised_loss(features, problem.code),
            start,
            data,
            gradient_tolerance=gradient_stop(problem),
            max_steps=max_steps,
        )


def product_gradient(
    problem: Problem,
    encoder: Float64[np.ndarray, "n k"],
    decoder: Float64[np.ndarray, "k n"],
    decay: float,
) -> float:
    """‖∇J‖ of the product loss at kernels for centred data, by `aejax.objective`, for Σλ = 1."""
    features, total = problem.x.shape[1], float(problem.pca.eigenvalues.sum())
    with jax.enable_x64(True):
        params = linear_params(jnp.asarray(encoder), jnp.asarray(decoder))
        rows = jnp.asarray(equivalent_batch(unit_factor(problem)))
        data = (rows, jnp.asarray(0.0), jnp.asarray(decay / total), problem.key)
        gradient = jax.jit(jax.grad(_penalised_loss(features, problem.code)))(params, data)
        return float(optax.tree.norm(gradient))


@functools.cache
def _penalised_loss(features: int, code: int) -> Callable[[Params, tuple], Array]:
    model = linear(features, code, bias=False)

    def loss(params: Params, data: tuple) -> Array:
        rows, decay, product, key = data
        weighted = {"sum": (decay, penalties.l2()), "product": (product, product_penalty)}
        total, _ = objective(model, losses.squared, penalties=weighted)(params, Batch(rows), key)
        return total

    return loss


def penalised_objective(problem: Problem, params: Params, decay: float, penalty: Penalty) -> float:
    """J of parameters with biases on the user's data, by `aejax.objective`."""
    model = linear(problem.x.shape[1], problem.code)
    with jax.enable_x64(True):
        call = objective(model, losses.squared, penalties={"decay": (decay, penalty)})
        total, _ = call(params, Batch(jnp.asarray(problem.x)), problem.key)
        return float(total)


def kernels(
    solution: Solution,
) -> tuple[Float64[np.ndarray, "features code"], Float64[np.ndarray, "code features"]]:
    """W_e and W_d of a solution."""
    params = solution.params
    encoder, decoder = (params[side]["layer_0"]["kernel"] for side in ("encoder", "decoder"))
    return np.asarray(encoder), np.asarray(decoder)
