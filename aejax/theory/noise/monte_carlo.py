"""The expectations of the denoising theorems, against the library's own corruptions, sampled."""

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
    ERRORS,
    Deviation,
    independence_deviations,
    normal_deviations,
    worst,
)
from aejax.types import Array, Batch, Corruption, Key

ELEMENTS = 2**18
"""Most elements of x that one draw corrupts; of more, evenly spaced examples stand for all."""

DRAWS = (64, 4096)
"""Fewest and most draws; between them, as many as corrupt 32 · `ELEMENTS`."""

LAW_ELEMENTS = 2**11
"""Most elements that one draw corrupts where the law of the noise is tested."""

NORMAL_SAMPLE, MASKS_SAMPLE = 2**21, 2**22
"""Elements of all draws together: masks of a rate 1 % off are then 12 standard errors away."""

SAMPLED_CAP = 0.1
"""Greatest relative bound of a sampled mean. It is of statistics, and not of rounding."""

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
    """A corruption of the library, and the moments that the theory gives to it.

    make:  level -> the corruption, a factory that does not change from call to call.
    level: of the noise, s or q.
    kept:  a, in E x_corrupted = a x.
    added: variance of each feature beyond that, a mean over examples.
    """

    make: Callable[[float | Array], Corruption]
    level: float
    kept: float
    added: Float64[np.ndarray, " features"]


def sampled_denoising(problem: Problem) -> tuple[Certificate, ...]:
    """The library's noise has its law, and so its denoising objective the mean foretold.

    `aejax.objective` with `corruptions.gaussian` and `corruptions.masking` on the user's centred
    examples, at the two theorems' optima, in float64. The mean over draws may be off by six of its
    standard errors, as estimated from the draws (a normal mean is so once in 10⁸). This bound is
    statistical: it falls as one over the root of the number of draws, and no number of them makes
    it a thousandth of a control's residual. So the control, which is half of the noise foretold, is
    asked to be beyond twice the bound, and no more.

    A mean of losses sees the noise's two moments, and these only as exactly as its standard error.
    So the noise itself is tested, four million elements of it: that Gaussian noise has the moments
    and the distribution function of a normal one, that masks are zeros and ones with the right
    share of zeros, and that elements are uncorrelated along rows, columns and draws, their squares
    as well. Tolerances are those of the variance and of the share of zeros, six standard errors;
    what has another bound counts by its share of it. Noise 1 % too strong, masks of a rate 1 % off,
    or uniform noise of equal variance are beyond them, and the reasons say by how much.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Four certificates, of means under Gaussian and masking noise, and of the laws of both.

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
        _sampled(GAUSSIAN_DRAWS, key_gaussian, rows, kernels, gaussian),
        _sampled(MASKING_DRAWS, key_masking, rows, masking_kernels(problem), masking),
        _gaussian_law(key_gaussian, rows, gaussian.level),
        _masking_law(key_masking, rows),
    )


def expectation(
    rows: Float64[np.ndarray, "examples features"], kernels: Kernels, noise: Noise
) -> float:
    """The denoising objective's mean over the noise, from the noise's two moments."""
    weights = kernels.encoder @ kernels.decoder
    kept = np.mean(np.sum(np.square(noise.kept * rows @ weights - rows), axis=1))
    return float(kept + noise.added @ np.sum(np.square(weights), axis=1))


def draw_losses(
    key: Key, rows: Float64[np.ndarray, "examples features"], kernels: Kernels, noise: Noise
) -> Float64[np.ndarray, " draws"]:
    """The library's objective at draws of its corruption, 64 or more, in float64."""
    draws = int(np.clip(32 * ELEMENTS // rows.size, *DRAWS))
    with jax.enable_x64(True):
        pair = (jnp.asarray(kernels.encoder), jnp.asarray(kernels.decoder))
        keys = jax.random.split(key, draws)
        return np.asarray(_draw(keys, pair, jnp.asarray(rows), noise.level, noise.make))


@partial(jax.jit, static_argnames="make")
def _draw(
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
    """Centred examples, evenly spaced where there are too many."""
    step = -(-problem.x.size // ELEMENTS)
    return problem.centred[:: min(step, len(problem.x))]


def _sampled(
    statement: Statement,
    key: Key,
    rows: Float64[np.ndarray, "examples features"],
    kernels: Kernels,
    noise: Noise,
) -> Certificate:
    foretold = expectation(rows, kernels, noise)
    halved = expectation(rows, kernels, noise._replace(added=noise.added / 2))
    drawn = draw_losses(key, rows, kernels, noise)
    residual, control = (abs(float(drawn.mean()) - loss) / foretold for loss in (foretold, halved))
    bound = ERRORS * float(drawn.std(ddof=1)) / np.sqrt(len(drawn)) / foretold
    basis = (
        f"{ERRORS:.0f} standard errors of {len(drawn)} draws on {len(rows)} examples: {bound:.1e}"
    )
    false = f"half of the noise would be {control / bound:.0f} bounds away; more needs more draws"
    beyond = f"half of the noise, at {control:.1e}, would not be seen: {basis}"
    return certify(
        statement,
        Tolerance(bound, SAMPLED_CAP, basis),
        lambda: Evidence(residual, f"a bound by sampling is beyond the margin, but {false}"),
        obstacle=None if control > 2 * bound else Obstacle("not identifiable", beyond),
    )


def corrupted_examples(
    key: Key, x: Float64[np.ndarray, "rows features"], corruption: Corruption, elements: int
) -> Float64[np.ndarray, "draws rows features"]:
    """x_corrupted for as many draws as make a sample of so many elements, in float64."""
    with jax.enable_x64(True):
        keys = jax.random.split(key, max(2, elements // x.size))
        return np.asarray(jax.vmap(corruption, in_axes=(0, None))(keys, jnp.asarray(x)))


def _few_rows(
    rows: Float64[np.ndarray, "examples features"],
) -> Float64[np.ndarray, "rows features"]:
    """Evenly spaced examples, repeated where there are few, of greatest magnitude one.

    They have no more than `LAW_ELEMENTS` elements, or are two.
    """
    count = max(2, LAW_ELEMENTS // rows.shape[1])
    chosen = rows[np.linspace(0, len(rows) - 1, count).astype(int)]
    return chosen / (np.abs(chosen).max() or 1)


def _gaussian_law(
    key: Key, rows: Float64[np.ndarray, "examples features"], level: float
) -> Certificate:
    x = level * _few_rows(rows)
    noise = (corrupted_examples(key, x, _gaussian(level), NORMAL_SAMPLE) - x) / level
    deviations = normal_deviations(noise, x)
    (fourth,) = (each for each in deviations if each.name == "moment 4")
    return _law(
        GAUSSIAN_LAW,
        deviations,
        ERRORS * float(np.sqrt(2 / noise.size)),
        noise.size,
        f"the fourth moment of uniform noise, 9/5 for 3, would be {1.2 / fourth.bound:.0f}",
    )


def _masking_law(key: Key, rows: Float64[np.ndarray, "examples features"]) -> Certificate:
    x = 2 + _few_rows(rows)  # no element is zero before it is masked
    found = corrupted_examples(key, x, _masking(RATE), MASKS_SAMPLE)
    masked = found == 0
    spread = float(np.sqrt(RATE * (1 - RATE)))
    bound = ERRORS * spread / float(np.sqrt(found.size))
    changed = float(np.mean(~masked & (found != x)))
    deviations = [
        Deviation("elements neither zero nor kept", changed, bound),
        Deviation("share of zeros", abs(float(masked.mean()) - RATE), bound),
        *independence_deviations((masked - RATE) / spread, x, "masks"),
    ]
    near = f"a rate 1 % off would be {0.01 * RATE / bound:.1f}"
    return _law(MASKING_LAW, deviations, bound / RATE, found.size, near)


def _law(
    statement: Statement, deviations: list[Deviation], bound: float, elements: int, near: str
) -> Certificate:
    """Residual: the deviation of most bounds, in the units of the statement's own bound."""
    farthest = worst(deviations)
    basis = (
        f"{len(deviations)} statistics of {elements:.0e} elements, {ERRORS:.0f} standard errors "
        f"each; the farthest is {farthest.name}, {farthest.ratio:.2f} bounds off"
    )
    false = f"a bound by sampling is beyond the margin, but {near} bounds away"
    return certify(
        statement,
        Tolerance(bound, SAMPLED_CAP, basis),
        lambda: Evidence(farthest.ratio * bound, false),
    )
