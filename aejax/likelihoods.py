"""Negative log-likelihoods of decoders, −log p(x | z) of each element in nats, with constants.

`aejax.losses` exports the `Loss` records; the formulas are functions of arrays.
"""

from math import log, pi

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import as_integer, check_range
from aejax.types import Array, Loss

LOG_VARIANCE_RANGE = (-30.0, 30.0)
"""Interval to which log variances of p(x | z) are clipped, so that losses are finite."""

LOG_SCALE_RANGE = (-15.0, 15.0)
"""Interval to which log scales of logistic distributions are clipped."""


def gaussian_negative_log_likelihood(
    x_hat: Float[Array, "*shape"],
    log_variance: float | Float[Array, "*#shape"],
    x: Float[Array, "*shape"],
) -> Float[Array, "*shape"]:
    """Gaussian −log N(x; x̂, v) = ((x − x̂)²/v + log v + log 2π)/2 of each element, in nats.

    Args:
        x_hat: mean x̂.
        log_variance: log v, a scalar or of a shape that broadcasts to that of the target.
        x: target, any real value.

    Returns:
        The loss of each element, with the target's shape and dtype.

    Raises:
        ValueError: if the shapes of mean and target differ.

    Source: Bishop 2006, eq. 1.46.
    """
    _check_shapes(x_hat, x)
    log_variance = jnp.asarray(log_variance, x.dtype)
    return (jnp.square(x - x_hat) * jnp.exp(-log_variance) + log_variance + log(2 * pi)) / 2


def gaussian(*, variance: float | Array = 1.0) -> Loss:
    """Gaussian negative log-likelihood with a fixed variance and a linear output.

    Args:
        variance: variance v of each element, positive: a scalar, or an array that broadcasts to the
            shape of the target.

    Returns:
        The loss.

    Raises:
        ValueError: for a concrete variance that is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import losses
        >>> losses.gaussian(variance=0.25).elementwise(jnp.array([1.0]), jnp.array([0.5])).round(3)
        Array([0.726], dtype=float32)

    Source: Bishop 2006, eq. 1.46.
    """
    tiny, largest = float(jnp.finfo(jnp.float32).tiny), float(jnp.finfo(jnp.float32).max)
    check_range("variance of losses.gaussian", variance, tiny, largest)

    def elementwise(x_hat: Array, x: Array) -> Array:
        return gaussian_negative_log_likelihood(x_hat, jnp.log(jnp.asarray(variance, x.dtype)), x)

    return Loss(elementwise, jax.nn.identity, support=(-jnp.inf, jnp.inf))


def gaussian_with_variance() -> Loss:
    """Gaussian negative log-likelihood whose variances are outputs of the decoder.

    The output has a last axis of two: x̂ and log v, which is clipped to [−30, 30]. It is that of
    `variational(…, outputs=2)`, with one variance per element, or of
    `models.with_shared_variance`, with one for all.

    Returns:
        The loss of outputs [batch, *input, 2].

    Raises:
        ValueError: the loss raises it if the output is not [*target, 2].

    Source: Nix & Weigend 1994; Rybkin, Daniilidis & Levine 2021 (one learned variance).
    """

    def elementwise(output: Array, x: Array) -> Array:
        x_hat, log_variance = _two_parameters("a mean and a log variance", output)
        log_variance = jnp.clip(log_variance, *LOG_VARIANCE_RANGE)
        return gaussian_negative_log_likelihood(x_hat, log_variance, x)

    return Loss(elementwise, lambda output: output[..., 0], support=(-jnp.inf, jnp.inf))


def discretised_logistic_negative_log_likelihood(
    location: Float[Array, "*shape"],
    log_scale: Float[Array, "*shape"],
    x: Float[Array, "*shape"],
    *,
    levels: int = 256,
) -> Float[Array, "*shape"]:
    """−log of the probability that a logistic variable falls in the interval of a grey level.

    P(x) = σ((x + Δ/2 − μ)/s) − σ((x − Δ/2 − μ)/s), with Δ = 1/(levels − 1); the intervals of the
    lowest and the highest level are unbounded, so that the probabilities of all levels sum to 1.
    With a = (x + Δ/2 − μ)/s and b = a − Δ/s, log P = log σ(a) + log σ(−b) + log(1 − e^{b−a}), which
    is accurate in both tails.

    Args:
        location: location μ.
        log_scale: log s.
        x: target, one of the levels 0, Δ, …, 1.
        levels: number of levels, at least 2.

    Returns:
        The loss of each element, with the target's shape and dtype.

    Raises:
        ValueError: if the shapes of location and target differ.

    Source: Salimans et al. 2017.
    """
    _check_shapes(location, x)
    half = 0.5 / (levels - 1)
    inverse_scale = jnp.exp(-log_scale)
    upper = (x + half - location) * inverse_scale
    lower = (x - half - location) * inverse_scale
    width = 2 * half * inverse_scale
    below = jax.nn.log_sigmoid(upper)
    above = jax.nn.log_sigmoid(-lower)
    between = below + above + jnp.log(-jnp.expm1(-width))
    return -jnp.where(x < half, below, jnp.where(x > 1 - half, above, between))


def discretised_logistic(*, levels: int = 256) -> Loss:
    """Discretised logistic negative log-likelihood of the grey levels 0, Δ, …, 1.

    Δ = 1/(levels − 1). The output has a last axis of two, as that of `variational(…, outputs=2)`:
    the location μ, and log s, which is clipped to [−15, 15]. x̂ is μ, clipped to [0, 1].

    Args:
        levels: number of grey levels, at least 2.

    Returns:
        The loss of outputs [batch, *input, 2], for targets in [0, 1].

    Raises:
        ValueError: if `levels` is not an integer of at least 2; from the loss, if the output is not
            [*target, 2].

    Source: Salimans et al. 2017.
    """
    levels = as_integer("levels of discretised_logistic", levels)
    if levels < 2:
        raise ValueError(f"discretised_logistic needs at least 2 levels, got {levels}")

    def elementwise(output: Array, x: Array) -> Array:
        location, log_scale = _two_parameters("a location and a log scale", output)
        log_scale = jnp.clip(log_scale, *LOG_SCALE_RANGE)
        return discretised_logistic_negative_log_likelihood(location, log_scale, x, levels=levels)

    return Loss(elementwise, lambda output: jnp.clip(output[..., 0], 0, 1), support=(0.0, 1.0))


def continuous_bernoulli_negative_log_likelihood(
    logits: Float[Array, "*shape"], x: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Continuous Bernoulli −log(η e^{ηx}/(e^η − 1)) of each element in [0, 1], with η = logits.

    It is Bernoulli's −x log λ − (1 − x) log(1 − λ), λ = σ(η), without its normaliser's error:
    −ηx + η/2 + log(sinh(η/2)/(η/2)). The last term is a series near η = 0.

    Args:
        logits: natural parameter η.
        x: target in [0, 1].

    Returns:
        The loss of each element, with the target's shape and dtype; it is negative where the
        density exceeds 1.

    Raises:
        ValueError: if the shapes differ; nothing is broadcast.

    Source: Loaiza-Ganem & Cunningham 2019.
    """
    _check_shapes(logits, x)
    return (0.5 - x) * logits + _log_sinh_ratio(logits / 2)


def continuous_bernoulli_mean(logits: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Mean of the continuous Bernoulli distribution, (1 + coth(η/2) − 2/η)/2.

    Args:
        logits: natural parameter η.

    Returns:
        The mean of each element, in [0, 1].

    Source: Loaiza-Ganem & Cunningham 2019.
    """
    half = logits / 2
    is_small = jnp.abs(half) < _SERIES_BELOW
    large = jnp.where(is_small, jnp.ones_like(half), half)
    square = jnp.where(is_small, jnp.square(half), jnp.zeros_like(half))
    series = half * (1 / 3 - square * (1 / 45 - square * (2 / 945 - square / 4725)))
    return 0.5 + 0.5 * jnp.where(is_small, series, 1 / jnp.tanh(large) - 1 / large)


continuous_bernoulli = Loss(
    continuous_bernoulli_negative_log_likelihood, continuous_bernoulli_mean, support=(0.0, 1.0)
)
"""Continuous Bernoulli negative log-likelihood, a density of grey values in [0, 1]."""

_SERIES_BELOW = 0.2
"""|η/2| below which series replace quotients: their next terms are below 1e-9 there."""


def _log_sinh_ratio(y: Array) -> Array:
    """log(sinh(y)/y), whose derivative is coth(y) − 1/y."""
    is_small = jnp.abs(y) < _SERIES_BELOW
    size = jnp.where(is_small, jnp.ones_like(y), jnp.abs(y))
    square = jnp.where(is_small, jnp.square(y), jnp.zeros_like(y))
    series = square * (1 / 6 - square * (1 / 180 - square * (1 / 2835 - square / 37800)))
    large = size + jnp.log1p(-jnp.exp(-2 * size)) - jnp.log(2 * size)
    return jnp.where(is_small, series, large)


def _two_parameters(names: str, output: Array) -> tuple[Array, Array]:
    if output.shape[-1:] != (2,):
        raise ValueError(
            f"the decoder's output must have a last axis of two, {names}, such as that of "
            f"variational(…, outputs=2), got shape {list(output.shape)}"
        )
    return output[..., 0], output[..., 1]


def _check_shapes(output: Array, target: Array) -> None:
    if output.shape != target.shape:
        raise ValueError(
            f"the mean of p(x | z) and the target must have the same shape, got "
            f"{list(output.shape)} and {list(target.shape)}"
        )
