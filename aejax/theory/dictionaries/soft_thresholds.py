"""Theorem on shrinkage: an L1 penalty shrinks the code by λ/2, TopK and JumpReLU do not."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float64

from aejax import losses, penalties
from aejax.layers.code_activations import top_k_relu
from aejax.layers.jump_relu import jump_relu
from aejax.models import dictionary
from aejax.models.dictionary import ActivationLike
from aejax.objectives import objective
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Statement,
    certify,
    refuse,
)
from aejax.theory.checking.problem import Problem, last_component, pca_obstacle
from aejax.theory.dictionaries.sparse_coding import (
    Codes,
    Rows,
    dictionary_params,
    instance_tolerance,
)
from aejax.theory.learning.nonlinear_encoders import representatives
from aejax.types import Array, Autoencoder, Batch, Params

SHRUNK = Statement(
    claim="an L1 penalty on the code of orthonormal directions shrinks each active unit by λ/2",
    formula="argmin_h ‖x − h W_d‖² + λ ‖h‖₁ = sign(a) max(0, |a| − λ/2), a = x W_dᵀ",
    source="derived here, after Tibshirani 1996",
)
KEPT = Statement(
    claim="the active units of TopK and JumpReLU are not shrunk",
    formula="h_l ≠ 0 → d_l · x̂ = d_l · x",
    source="derived here, after Gao et al. 2024; Rajamanoharan, Lieberum et al. 2024",
)


class Directions(NamedTuple):
    """Data in the unit of its largest row, with orthonormal directions and their opposites.

    rows:      x [examples, features].
    scores:    a = x W_dᵀ of the directions alone [examples, units], by NumPy.
    kernel:    W_d: the directions, and below them their opposites, for codes that are not negative.
    threshold: λ/2, half the root mean square of the scores of the last direction.
    """

    rows: Rows
    scores: Codes
    kernel: Float64[np.ndarray, "pairs features"]
    threshold: float


def soft_thresholds(problem: Problem) -> tuple[Certificate, ...]:
    """L1 subtracts λ/2 from each active unit of orthonormal directions; TopK subtracts nothing.

    With orthonormal directions and a = x W_dᵀ, ‖x − h W_d‖² + λ ‖h‖₁ is
    ‖x − a W_d‖² + Σ_l (h_l − a_l)² + λ |h_l|, minimal at the soft threshold at λ/2: a ReLU encoder
    with the bias −λ/2. Its value is ‖x − a W_d‖² plus, for each unit, a_l² if |a_l| ≤ λ/2, and
    λ |a_l| − λ²/4 otherwise. (The threshold is λ if the squared error has the factor ½.) The
    problem is convex, so that vanishing subgradients suffice. TopK and JumpReLU keep the values of
    the units that they select, h_l = a_l, and so does the reconstruction: d_l · x̂ = h_l.

    Verification: the first min(k, rank) principal components and their opposites, as the code of a
    ReLU is not negative, on the user's centred data (evenly spaced examples of large data). The
    code and J are those of `aejax.dictionary` and `aejax.objective` with `penalties.l1`. The
    subgradient is that of J by the code itself: it must vanish at active units, and not exceed λ
    at the others.

    Controls: the threshold λ; the code of L1 instead of those of TopK and JumpReLU.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Two certificates, of L1 and of TopK with JumpReLU.

    Source: Tibshirani 1996 (orthonormal design).
    """
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        return refuse((SHRUNK, KEPT), obstacle)
    tolerance = instance_tolerance(problem.x.shape[1])
    return (
        certify(SHRUNK, tolerance, lambda: _shrunk_evidence(paired_directions(problem))),
        certify(KEPT, tolerance, lambda: _kept_evidence(paired_directions(problem))),
    )


def paired_directions(problem: Problem) -> Directions:
    """Data, and the first min(k, rank) principal components with their opposites."""
    part = representatives(problem)
    rows = part.centred / np.linalg.norm(part.centred, axis=1).max()
    directions = part.pca.components[: last_component(part) + 1]
    scores = rows @ directions.T
    threshold = float(np.sqrt(np.mean(np.square(scores[:, -1])))) / 2
    return Directions(rows, scores, np.r_[directions, -directions], threshold)


def soft_threshold(
    scores: Float64[np.ndarray, "*shape"], threshold: float
) -> Float64[np.ndarray, "*shape"]:
    """sign(a) max(0, |a| − θ).

    Source: Tibshirani 1996
    """
    return np.sign(scores) * np.maximum(np.abs(scores) - threshold, 0)


def least_l1_objective(case: Directions) -> float:
    """Mean of ‖x − a W_d‖² + Σ_l (a_l² if |a_l| ≤ λ/2, else λ |a_l| − λ²/4)."""
    sizes, threshold = np.abs(case.scores), case.threshold
    units = np.where(sizes <= threshold, sizes**2, 2 * threshold * sizes - threshold**2)
    directions = case.kernel[: case.scores.shape[1]]
    lost = np.sum(np.square(case.rows - case.scores @ directions), axis=1)
    return float(np.mean(lost + units.sum(axis=1)))


def _shrunk_evidence(case: Directions) -> Evidence:
    """Residual: errors of the code, of J and of the subgradient; control: the subgradient at λ."""
    units = case.scores.shape[1]
    with jax.enable_x64(True):
        kernel, rows, weight = map(jnp.asarray, (case.kernel, case.rows, 2 * case.threshold))
        values, violations, codes = zip(
            *(_l1_optimality(kernel, rows, weight, factor * case.threshold) for factor in (1, 2)),
            strict=True,
        )
        signed = np.asarray(codes[0][:, :units] - codes[0][:, units:])
    code_error = np.abs(signed - soft_threshold(case.scores, case.threshold)).max()
    value_error = abs(float(values[0]) - least_l1_objective(case))
    residual = max(float(code_error), value_error, float(violations[0]))
    return Evidence(residual, float(violations[1]))


@jax.jit
def _l1_optimality(
    kernel: Array, rows: Array, weight: Array, threshold: float | Array
) -> tuple[Array, Array, Array]:
    """J of a ReLU encoder, the largest violation of the subgradient's condition, and the code."""
    model = dictionary(*kernel.shape[::-1], centred=False)
    params = dictionary_params(kernel.T, kernel, threshold=threshold)
    code = model.encode(params, rows)
    free = Autoencoder(model.init, lambda given, _: given["code"], model.decode)

    def value_and_slopes(weight: float | Array) -> tuple[Array, Array]:
        call = objective(free, losses.squared, penalties={"l1": (weight, penalties.l1())})
        value, slopes = jax.value_and_grad(
            lambda code: call({**params, "code": code}, Batch(rows), jax.random.key(0))[0]
        )(code)
        return value, len(rows) * jnp.abs(slopes)  # J is a mean over the examples

    value, slopes = value_and_slopes(weight)
    excess = jnp.maximum(value_and_slopes(0.0)[1] - weight, 0)
    return value, jnp.max(jnp.where(code != 0, slopes, excess)), code


def _kept_evidence(case: Directions) -> Evidence:
    """Largest |d_l · x̂ − d_l · x| of active units: of TopK and JumpReLU, and of L1."""
    units = case.scores.shape[1]
    selections = (top_k_relu(k=-(-units // 2)), jump_relu(threshold=case.threshold, bandwidth=1.0))
    residual = max(shrinkage(case, activation) for activation in selections)
    return Evidence(residual, shrinkage(case, jax.nn.relu, threshold=case.threshold))


def shrinkage(case: Directions, activation: ActivationLike, *, threshold: float = 0.0) -> float:
    """Largest |d_l · x̂ − d_l · x| of the active units of a dictionary.

    Args:
        case: data and directions.
        activation: activation of the dictionary.
        threshold: subtracted from its pre-activations.

    Returns:
        The largest difference.
    """
    active, scores = decoded_scores(case, activation, threshold=threshold)
    return float(np.abs(scores - case.rows @ case.kernel.T)[active].max(initial=0.0))


def decoded_scores(
    case: Directions, activation: ActivationLike, *, threshold: float = 0.0
) -> tuple[Bool[np.ndarray, "examples pairs"], Float64[np.ndarray, "examples pairs"]]:
    """Active units of a dictionary, and the scores d_l · x̂ of its reconstructions.

    Args:
        case: data and directions.
        activation: activation of the dictionary.
        threshold: subtracted from its pre-activations.

    Returns:
        Whether each unit is active, and the scores, each [examples, pairs].
    """
    pairs, features = case.kernel.shape
    model = dictionary(features, pairs, activation=activation, centred=False)
    with jax.enable_x64(True):
        kernel, rows = jnp.asarray(case.kernel), jnp.asarray(case.rows)
        params = dictionary_params(kernel.T, kernel, threshold=threshold)
        params["encoder"]["threshold"] = jnp.full(pairs, case.threshold)
        code, x_hat = map(np.asarray, jax.jit(partial(_code_and_output, model))(params, rows))
    return code != 0, x_hat @ case.kernel.T


def _code_and_output(model: Autoencoder, params: Params, x: Array) -> tuple[Array, Array]:
    code = model.encode(params, x)
    return code, model.decode(params, code)
