"""Expected denoising objectives by enumeration, through the library's own objective.

The theorems on noise are compared with this definition. It uses the outcomes of a corruption and
their probabilities, and no second moments.
"""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax import losses
from aejax.models import linear
from aejax.objectives import objective
from aejax.theory.analysis.linear_params import linear_params
from aejax.theory.analysis.moments import moments_of_centred, rms_row_norm
from aejax.theory.analysis.pca import pca_of_moments
from aejax.theory.checking.problem import Problem
from aejax.theory.solvers.lbfgs import minimise
from aejax.types import Array, Batch, Key, Params

MAX_ENUMERATED_FEATURES = 8
"""Maximum number of features whose masks are enumerated."""

TRAINING_STEPS = 200
"""Steps of training, which need not converge, but must not go below a claimed minimum."""


class Kernels(NamedTuple):
    """W_e and W_d of a linear autoencoder without biases, for centred data."""

    encoder: Float64[np.ndarray, "n k"]
    decoder: Float64[np.ndarray, "k n"]


class Outcomes(NamedTuple):
    """All outcomes of a corruption, x_corrupted = kept ∘ x + added.

    kept:          factor of each element, one row per outcome.
    added:         summand of each element.
    probabilities: probabilities of the outcomes, which sum to one.
    """

    kept: Float64[np.ndarray | Array, "outcomes n"]
    added: Float64[np.ndarray | Array, "outcomes n"]
    probabilities: Float64[np.ndarray | Array, " outcomes"]


def mask_outcomes(features: int, *, rate: float) -> Outcomes:
    """All 2ⁿ masks that set each element to zero with probability q, independently."""
    masks = np.array(list(itertools.product((0.0, 1.0), repeat=features)))
    probabilities = np.prod(np.where(masks == 1, 1 - rate, rate), axis=1)
    return Outcomes(masks, np.zeros_like(masks), probabilities)


def gaussian_outcomes(features: int, *, variance: float) -> Outcomes:
    """Cubature of N(0, s² I): the 2n points ±√n s e_j with equal weights.

    It is exact for polynomials of degree three; the squared error of a linear autoencoder has
    degree two.

    Source: Stroud 1957.
    """
    axes = np.sqrt(features * variance) * np.eye(features)
    added = np.concatenate([axes, -axes])
    return Outcomes(np.ones_like(added), added, np.full(2 * features, 0.5 / features))


def enumerable_problem(problem: Problem) -> Problem:
    """The problem itself, or its restriction to the 8 features of largest variance if it has more.

    Args:
        problem: problem whose data have variance.

    Returns:
        A problem whose masks can be enumerated; a restriction has at most 4 code units.
    """
    if problem.x.shape[1] <= MAX_ENUMERATED_FEATURES:
        return problem
    spreads = np.linalg.norm(problem.moments.factor, axis=0)
    chosen = np.sort(np.argsort(-spreads, kind="stable")[:MAX_ENUMERATED_FEATURES])
    x, rows = problem.x[:, chosen], problem.centred[:, chosen]
    data = moments_of_centred(rows, problem.moments.mean[chosen], rms_row_norm(x))
    code = min(problem.code, MAX_ENUMERATED_FEATURES // 2)
    return problem._replace(x=x, centred=rows, code=code, moments=data, pca=pca_of_moments(data))


def expected_objective(params: Params, data: tuple[Batch, Outcomes]) -> Array:
    """The mean of `aejax.objective` over the outcomes of a corruption, for a linear autoencoder.

    Args:
        params: kernels of `aejax.linear` without biases.
        data: the batch and the outcomes.

    Returns:
        The exact expectation, as the means over examples and over outcomes commute.
    """
    batch, outcomes = data
    model = linear(*params["encoder"]["layer_0"]["kernel"].shape, bias=False)

    def of_outcome(kept: Array, added: Array) -> Array:
        corrupted = objective(model, losses.squared, corruption=lambda _, x: kept * x + added)
        return corrupted(params, batch, jax.random.key(0))[0]

    kept, added, probabilities = map(jnp.asarray, outcomes)
    return probabilities @ jax.vmap(of_outcome)(kept, added)


def distance_from_optimum(
    kernels: Kernels,
    loss: float,
    examples: tuple[Float64[np.ndarray, "rows n"], ...],
    outcomes: Outcomes,
    key: Key,
) -> float:
    """Distance of kernels and their loss from the optimum of the expected objective J.

    Args:
        kernels: kernels claimed to be optimal.
        loss: loss claimed for them.
        examples: rows that are corrupted, and the targets if these differ from the rows.
        outcomes: outcomes of the corruption.
        key: PRNG key of the random start of training.

    Returns:
        The maximum of |J − loss|, of ‖∇J‖ at the kernels, and of the amount by which J, trained
        from a random start, is below the loss, all relative to the loss.
    """
    with jax.enable_x64(True):
        data = (Batch(*map(jnp.asarray, examples)), Outcomes(*map(jnp.asarray, outcomes)))
        params = linear_params(*map(jnp.asarray, kernels))
        value, gradient = _value_and_gradient(params, data)
        start = linear(*kernels.encoder.shape, bias=False).init(key)
        trained = minimise(expected_objective, start, data, max_steps=TRAINING_STEPS)
        end, _ = _value_and_gradient(trained.params, data)
    below = max(0.0, loss - float(end))
    return max(abs(float(value) - loss), float(gradient), below) / loss


@jax.jit
def _value_and_gradient(params: Params, data: tuple[Batch, Outcomes]) -> tuple[Array, Array]:
    value, gradient = jax.value_and_grad(expected_objective)(params, data)
    return value, jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradient)))
