"""A masked autoregressive flow as a prior: exact densities in one pass, samples unit by unit."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Float

from aejax.priors.normal_priors import check_at_least_one, log_normal
from aejax.priors.prior_types import Prior
from aejax.types import Array, Autoencoder, Key, Params

MAX_LOG_SCALE = 5.0
"""Bound of the log scale of a unit in one layer, which keeps densities and samples finite."""


def autoregressive_flow(
    *, units: int, hidden: int = 64, layers: int = 2, dtype: DTypeLike = float
) -> Prior:
    """Masked autoregressive flow from the code to a standard normal variable.

    Layer: ε_i = (z_i − μ_i(z_1, …, z_{i−1})) exp(−α_i(z_1, …, z_{i−1})), then the order of the
    units is reversed for the next layer. log p(z) = log N(ε; 0, I) − Σ α, over all layers. μ and α
    are a masked dense network with one hidden layer, and |α| ≤ 5. At first the flow is the
    identity.

    Args:
        units: number of units of the code.
        hidden: number of hidden units of each network.
        layers: number of layers.
        dtype: dtype of the parameters.

    Returns:
        The `Prior` of codes [batch, units]. A sample takes `units` evaluations of each network.

    Raises:
        ValueError: if a number is less than 1.

    Source: Papamakarios, Pavlakou & Murray 2017; Germain et al. 2015 (masks).
    """
    units, hidden = check_at_least_one("units", units), check_at_least_one("hidden", hidden)
    layers = check_at_least_one("layers", layers)

    def init(key: Key) -> Params:
        keys = jax.random.split(key, layers)
        networks = (_init_network(each, units, hidden, dtype) for each in keys)
        return {f"layer_{index}": network for index, network in enumerate(networks)}

    def log_density(_: Autoencoder, params: Params, z: Array) -> Array:
        log_scales = jnp.zeros(z.shape[0], z.dtype)
        for index in range(layers):
            shift, log_scale = _network(params["prior"][f"layer_{index}"], z)
            z = jnp.flip((z - shift) * jnp.exp(-log_scale), axis=1)
            log_scales = log_scales + jnp.sum(log_scale, axis=1)
        return log_normal(z, jnp.zeros_like(z), jnp.zeros_like(z)) - log_scales

    def sample(_: Autoencoder, params: Params, key: Key, count: int) -> Array:
        z = jax.random.normal(key, (count, units), dtype)
        for index in reversed(range(layers)):
            z = _invert(params["prior"][f"layer_{index}"], jnp.flip(z, axis=1))
        return z

    return Prior(init, log_density, sample)


def _masks(units: int, hidden: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks of both kernels: output i is a function of inputs below i alone."""
    degrees = np.arange(units)
    hidden_degrees = np.arange(hidden) % max(units - 1, 1)
    into = hidden_degrees[None] >= degrees[:, None]
    out = degrees[None] > hidden_degrees[:, None]
    return into, np.concatenate([out, out], axis=1)


def _init_network(key: Key, units: int, hidden: int, dtype: DTypeLike) -> Params:
    into, _ = _masks(units, hidden)
    inputs = np.maximum(into.sum(axis=0), 1)
    kernel = jax.random.normal(key, (units, hidden), dtype) / jnp.asarray(np.sqrt(inputs), dtype)
    return {
        "hidden": {"kernel": kernel, "bias": jnp.zeros(hidden, dtype)},
        "output": {
            "kernel": jnp.zeros((hidden, 2 * units), dtype),
            "bias": jnp.zeros(2 * units, dtype),
        },
    }


def _network(
    params: Params, z: Float[Array, "batch units"]
) -> tuple[Float[Array, "batch units"], Float[Array, "batch units"]]:
    """Shift μ and log scale α of each unit, from the units before it."""
    hidden, output = params["hidden"], params["output"]
    into, out = (jnp.asarray(mask, z.dtype) for mask in _masks(z.shape[1], hidden["bias"].shape[0]))
    h = jnp.tanh(z @ (hidden["kernel"] * into) + hidden["bias"])
    shift, log_scale = jnp.split(h @ (output["kernel"] * out) + output["bias"], 2, axis=1)
    return shift, MAX_LOG_SCALE * jnp.tanh(log_scale / MAX_LOG_SCALE)


def _invert(layer: Params, noise: Float[Array, "batch units"]) -> Float[Array, "batch units"]:
    """z with (z − μ(z)) exp(−α(z)) = noise; each iteration determines one more unit."""

    def fill(_: Array, z: Array) -> Array:
        shift, log_scale = _network(layer, z)
        return noise * jnp.exp(log_scale) + shift

    return jax.lax.fori_loop(0, noise.shape[1], fill, jnp.zeros_like(noise))
