"""The standard normal prior, and mixtures of normal distributions."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from aejax.hyperparameters import as_integer
from aejax.priors.prior_types import Prior
from aejax.types import Array, Autoencoder, Key, Params


def standard_normal(*, units: int, dtype: DTypeLike = float) -> Prior:
    """The prior N(0, I), without parameters.

    Args:
        units: number of units of the code.
        dtype: dtype of samples.

    Returns:
        The `Prior` of codes [batch, units].

    Raises:
        ValueError: if the number of units is less than 1.

    Source: Kingma & Welling 2014.
    """
    units = check_at_least_one("units", units)

    def log_density(_model: Autoencoder, _params: Params, z: Array) -> Array:
        return log_normal(z, jnp.zeros_like(z), jnp.zeros_like(z))

    def sample(_model: Autoencoder, _params: Params, key: Key, count: int) -> Array:
        return jax.random.normal(key, (count, units), dtype)

    return Prior(lambda _: {}, log_density, sample)


def gaussian_mixture(*, units: int, components: int, dtype: DTypeLike = float) -> Prior:
    """A mixture of K normal distributions with diagonal covariances, all trained.

    p(z) = Σ_k π_k N(z; μ_k, diag σ_k²), with π = softmax of logits. At first the means are standard
    normal, the variances 1 and the weights equal.

    Args:
        units: number of units of the code.
        components: number K of components.
        dtype: dtype of the parameters.

    Returns:
        The `Prior` of codes [batch, units], with the parameters {"logits": [K], "mean": [K, units],
        "log_variance": [K, units]}.

    Raises:
        ValueError: if a number is less than 1.

    Source: Tomczak & Welling 2018, §3 (mixture of Gaussians as a prior).
    """
    units = check_at_least_one("units", units)
    components = check_at_least_one("components", components)
    shape = (components, units)

    def init(key: Key) -> Params:
        return {
            "logits": jnp.zeros(components, dtype),
            "mean": jax.random.normal(key, shape, dtype),
            "log_variance": jnp.zeros(shape, dtype),
        }

    def log_density(_: Autoencoder, params: Params, z: Array) -> Array:
        prior = params["prior"]
        of_component = log_normal(z[:, None], prior["mean"], prior["log_variance"])
        return jax.nn.logsumexp(jax.nn.log_softmax(prior["logits"]) + of_component, axis=1)

    def sample(_: Autoencoder, params: Params, key: Key, count: int) -> Array:
        prior = params["prior"]
        key_component, key_noise = jax.random.split(key)
        chosen = jax.random.categorical(key_component, prior["logits"], shape=(count,))
        noise = jax.random.normal(key_noise, (count, units), prior["mean"].dtype)
        return prior["mean"][chosen] + jnp.exp(prior["log_variance"][chosen] / 2) * noise

    return Prior(init, log_density, sample)


def log_normal(
    z: Float[Array, "*points units"], mean: Array, log_variance: Array
) -> Float[Array, "*values"]:
    """Log density of a normal distribution with diagonal covariance, summed over units.

    Args:
        z: points.
        mean: μ, of a shape that broadcasts with z.
        log_variance: log σ², likewise.

    Returns:
        log N(z; μ, diag σ²) in nats.
    """
    scaled = jnp.square(z - mean) * jnp.exp(-log_variance) + log_variance + log(2 * pi)
    return jnp.sum(scaled, axis=-1) / -2


def check_at_least_one(name: str, value: int) -> int:
    """Check that a number is an integer of at least 1.

    Args:
        name: name of the number in the error message.
        value: the number.

    Returns:
        The Python int.

    Raises:
        ValueError: if it is not.
    """
    number = as_integer(name, value)
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}")
    return number
