"""Theorem on sampled noise: Monte Carlo checks of the library's corruptions and their means."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax import corruptions, losses
from aejax.models import linear
from aejax.objectives import objective
from aejax.theory.analysis.linear_params import linear_params
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Obstacle,
    Statement,
    Tolerance,
    certify,
    refuse,
)
from aejax.theory.checking.problem import Problem, pca_obstacle
from aejax.theory.noise.expectations import Kernels
from aejax.theory.noise.gaussian import damped_kernels, noise_variance
from aejax.theory.noise.masking import RATE, masking_kernels
from aejax.theory.noise.noise_laws import (
    MAX_ERRORS,
    Deviation,
    independence_deviations,
    largest_deviation,
    normal_deviations,
)
from aejax.types import Array, Batch, Corruption, Key

MAX_ELEMENTS = 2**18
"""Maximum number of elements of x per draw; larger data are reduced to evenly spaced examples."""

DRAWS = (64, 4096)
"""Minimum and maximum number of draws; in between, 32 · `MAX_ELEMENTS` elements are drawn."""

MAX_LAW_ELEMENTS = 2**11
"""Maximum number of elements per draw in the tests of the distribution of the noise."""

NORMAL_SAMPLE_SIZE, MASK_SAMPLE_SIZE = 2**21, 2**22
"""Number of elements of all draws; an error of 1 % of the mask rate is then 12 standard errors."""

SAMPLED_CAP = 0.1
"""Maximum tolerance of a sampled mean, which is statistical, relative to its expectation."""

GAUSSIAN_DRAWS = Statement(
    claim="sampled Gaussian noise costs a linear autoencoder s² ‖W‖²_F on average",
    formula="E mean ‖f(x + s ε) − x‖² = mean ‖f(x) − x‖² + s² ‖W_e W_d‖²_F",
    source="Bishop 1995a; derived here",
)
MASKING_DRAWS = Statement(
    claim="sampled masks cost a linear autoencoder what the second moments say on average",
    formula="E mean ‖f(r ∘ b) − r‖² = mean ‖(1 − q) r W − r‖² + q (1 − q) Σ_j S_jj ‖W_j‖²",
    source="Wager, Wang & Liang 2013; derived here",
)
GAUSSIAN_LAW = Statement(
    claim="the library's Gaussian noise is normal, and independent between elements and of x",
    formula="(x̃ − x)/s ~ N(0, I): moments to the fourth, distribution function, correlations",
    source="Vincent et al. 2010; Massart 1990 (the bound of a distribution function)",
)
MASKING_LAW = Statement(
    claim="the library's masks set elements to zero with probability q, independently, and keep x",
    formula="x̃ = x ∘ b, b_ij ∈ {0, 1} independent with P(b_ij = 0) = q",
    source="Vincent et al. 2008",
)


class Noise(NamedTuple):
    """A corruption of the library and its moments according to the theory.

    make:  factory from a level to the corruption; a static argument of `jit`, so never a closure.
    level: level of the noise, s or q.
    kept:  factor a of the mean, E x_corrupted = a x.
    added: variance that the noise adds to each feature, averaged over the examples.
    """

    make: Callable[[float | Array], Corruption]
    level: float
    kept: float
    added: Float64[np.ndarray, " features"]


def sampled_denoising(problem: Problem) -> tuple[Certificate, ...]:
    """The library's noise has its stated distribution, and the denoising objective its expectation.

    The means: `aejax.objective` with `corruptions.gaussian` and `corruptions.masking` on the user's
    centred examples, at the optimal kernels of `gaussian_denoising` and `masking_denoising`, in
    float64. The tolerance of the mean over draws is six standard errors, estimated from the draws.
    It decreases only as 1/√draws and cannot reach a thousandth of a control's residual, so the
    control, half of the expected noise, need only exceed twice the tolerance.

    The distributions: a mean of losses depends on the first two moments of the noise only. So two
    million elements of Gaussian noise are tested for its moments and its distribution function, and
    four million of masks for zeros and ones with the right fraction of zeros; both for correlations
    along rows, columns and draws, Gaussian noise also for those of its square. The tolerances are
    six standard errors of the variance and of the fraction of zeros; other statistics are rescaled
    from their own bounds. A noise scale or mask rate that is 1 % too large, and uniform noise of
    equal variance, exceed them; the reasons state by how much.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Four certificates: the means under Gaussian and masking noise, and both distributions.

    Source: Bishop 1995a; Wager, Wang & Liang 2013; Massart 1990.
    """
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        return refuse((GAUSSIAN_DRAWS, MASKING_DRAWS, GAUSSIAN_LAW, MASKING_LAW), obstacle)
    key_gaussian, key_masking = jax.random.split(problem.key)
    rows = _rows(problem)
    variance = noise_variance(problem)
    added = np.full(rows.shape[1], variance)
    gaussian = Noise(_gaussian, float(np.sqrt(variance)), 1.0, added)
    spread = RATE * (1 - RATE) * np.mean(np.square(rows), axis=0)
    masking = Noise(_masking, RATE, 1 - RATE, spread)
    kernels = damped_kernels(problem, variance)
    return (
        _mean_certificate(GAUSSIAN_DRAWS, key_gaussian, rows, kernels, gaussian),
        _mean_certificate(MASKING_DRAWS, key_masking, rows, masking_kernels(problem), masking),
        _gaussian_law(key_gaussian, rows, gaussian.level),
        _masking_law(key_masking, rows),
    )


def expectation(
    rows: Float64[np.ndarray, "examples features"], kernels: Kernels, noise: Noise
) -> float:
    """Mean of the denoising objective over the noise, from the first two moments of the noise."""
    weights = kernels.encoder @ kernels.decoder
    kept = np.mean(np.sum(np.square(noise.kept * rows @ weights - rows), axis=1))
    return float(kept + noise.added @ np.sum(np.square(weights), axis=1))


def draw_losses(
    key: Key, rows: Float64[np.ndarray, "examples features"], kernels: Kernels, noise: Noise
) -> Float64[np.ndarray, " draws"]:
    """The library's objective at 64 or more draws of its corruption, in float64."""
    draws = int(np.clip(32 * MAX_ELEMENTS // rows.size, *DRAWS))
    with jax.enable_x64(True):
        pair = (jnp.asarray(kernels.encoder), jnp.asarray(kernels.decoder))
        keys = jax.random.split(key, draws)
        return np.asarray(_losses_of_draws(keys, pair, jnp.asarray(rows), noise.level, noise.make))


@partial(jax.jit, static_argnames="make")
def _losses_of_draws(
    keys: Array,
    kernels: tuple[Array, Array],
    x: Array,
    level: float | Array,
    make: Callable[[float | Array], Corruption],
) -> Array:
    model = linear(*kernels[0].shape, bias=False)
    denoising = objective(model, losses.squared, corruption=make(level))
    params = linear_params(*kernels)
    return jax.lax.map(lambda key: denoising(params, Batch(x), key)[0], keys)


def _gaussian(level: float | Array) -> Corruption:
    return corruptions.gaussian(sigma=level)


def _masking(level: float | Array) -> Corruption:
    return corruptions.masking(rate=level)


def _rows(problem: Problem) -> Float64[np.ndarray, "examples features"]:
    """Centred examples, or evenly spaced ones if there are too many."""
    step = -(-problem.x.size // MAX_ELEMENTS)
    return problem.centred[:: min(step, len(problem.x))]


def _mean_certificate(
    statement: Statement,
    key: Key,
    rows: Float64[np.ndarray, "examples features"],
    kernels: Kernels,
    noise: Noise,
) -> Certificate:
    expected = expectation(rows, kernels, noise)
    halved = expectation(rows, kernels, noise._replace(added=noise.added / 2))
    drawn = draw_losses(key, rows, kernels, noise)
    residual, control = (abs(float(drawn.mean()) - loss) / expected for loss in (expected, halved))
    bound = MAX_ERRORS * float(drawn.std(ddof=1)) / np.sqrt(len(drawn)) / expected
    sample = f"{len(drawn)} draws on {len(rows)} examples"
    basis = f"{MAX_ERRORS:.0f} standard errors of {sample}: {bound:.1e}"
    false = f"half of the noise would be {control / bound:.0f} bounds away; more needs more draws"
    beyond = f"half of the noise, at {control:.1e}, would not be detected: {basis}"
    return certify(
        statement,
        Tolerance(bound, SAMPLED_CAP, basis),
        lambda: Evidence(residual, f"a bound by sampling is beyond the margin, but {false}"),
        obstacle=None if control > 2 * bound else Obstacle("not identifiable", beyond),
    )


def corrupted_examples(
    key: Key, x: Float64[np.ndarray, "rows features"], corruption: Corruption, elements: int
) -> Float64[np.ndarray, "draws rows features"]:
    """x_corrupted of as many draws as give the requested number of elements, in float64."""
    with jax.enable_x64(True):
        keys = jax.random.split(key, max(2, elements // x.size))
        return np.asarray(jax.vmap(corruption, in_axes=(0, None))(keys, jnp.asarray(x)))


def _sampled_rows(
    rows: Float64[np.ndarray, "examples features"],
) -> Float64[np.ndarray, "rows features"]:
    """Evenly spaced examples, repeated if there are few, scaled to a maximum magnitude of one.

    They have at most `MAX_LAW_ELEMENTS` elements, but at least two examples are chosen.
    """
    count = max(2, MAX_LAW_ELEMENTS // rows.shape[1])
    chosen = rows[np.linspace(0, len(rows) - 1, count).astype(int)]
    return chosen / (np.abs(chosen).max() or 1)


def _gaussian_law(
    key: Key, rows: Float64[np.ndarray, "examples features"], level: float
) -> Certificate:
    x = level * _sampled_rows(rows)
    noise = (corrupted_examples(key, x, _gaussian(level), NORMAL_SAMPLE_SIZE) - x) / level
    deviations = normal_deviations(noise, x)
    (fourth,) = (each for each in deviations if each.name == "moment 4")
    return _law(
        GAUSSIAN_LAW,
        deviations,
        MAX_ERRORS * float(np.sqrt(2 / noise.size)),
        noise.size,
        f"the fourth moment of uniform noise, 9/5 for 3, would be {1.2 / fourth.bound:.0f}",
    )


def _masking_law(key: Key, rows: Float64[np.ndarray, "examples features"]) -> Certificate:
    x = 2 + _sampled_rows(rows)  # no element is zero before masking
    found = corrupted_examples(key, x, _masking(RATE), MASK_SAMPLE_SIZE)
    masked = found == 0
    spread = float(np.sqrt(RATE * (1 - RATE)))
    bound = MAX_ERRORS * spread / float(np.sqrt(found.size))
    changed = float(np.mean(~masked & (found != x)))
    deviations = [
        Deviation("elements neither zero nor kept", changed, bound),
        Deviation("share of zeros", abs(float(masked.mean()) - RATE), bound),
        *independence_deviations((masked - RATE) / spread, x, "masks"),
    ]
    alternative = f"a rate 1 % off would be {0.01 * RATE / bound:.1f}"
    return _law(MASKING_LAW, deviations, bound / RATE, found.size, alternative)


def _law(
    statement: Statement, deviations: list[Deviation], bound: float, elements: int, alternative: str
) -> Certificate:
    """Certificate whose residual is the largest deviation, in units of the statement's bound."""
    farthest = largest_deviation(deviations)
    basis = (
        f"{len(deviations)} statistics of {elements:.0e} elements, {MAX_ERRORS:.0f} standard "
        f"errors each; the farthest is {farthest.name}, {farthest.ratio:.2f} bounds off"
    )
    false = f"a bound by sampling is beyond the margin, but {alternative} bounds away"
    return certify(
        statement,
        Tolerance(bound, SAMPLED_CAP, basis),
        lambda: Evidence(farthest.ratio * bound, false),
    )
