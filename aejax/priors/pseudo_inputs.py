"""The variational mixture of posteriors (VampPrior): posteriors of trained pseudo-inputs."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from aejax.contracts import describe
from aejax.posteriors import Posterior
from aejax.priors.prior_types import Prior
from aejax.types import Array, Autoencoder, Key, Params


def vamp_prior(
    posterior: Posterior, start: Array | np.ndarray, *, dtype: DTypeLike = float
) -> Prior:
    """The mean of the posteriors of K pseudo-inputs: p(z) = (1/K) Σ_k q(z | u_k).

    The pseudo-inputs are trained with the model, whose encoder they pass through.

    Args:
        posterior: family of the posterior, that of the model.
        start: pseudo-inputs u at first, [K, *input], such as K random examples.
        dtype: dtype of the parameters.

    Returns:
        The `Prior`, with the parameters {"pseudo_inputs": [K, *input]}.

    Raises:
        ValueError: if the pseudo-inputs are not a floating-point array [K, *input] with K ≥ 1.

    Source: Tomczak & Welling 2018 (their pseudo-inputs also pass through a bounded activation).
    """
    if start.ndim < 2 or start.shape[0] < 1 or not jnp.issubdtype(start.dtype, jnp.floating):
        raise ValueError(
            "vamp_prior needs floating-point pseudo-inputs [K, *input] with K of at least 1, got "
            f"{describe(start)}"
        )
    components = start.shape[0]

    def log_density(model: Autoencoder, params: Params, z: Array) -> Array:
        code = model.encode(params, params["prior"]["pseudo_inputs"])

        def of_point(point: Array) -> Array:
            repeated = jnp.broadcast_to(point, (components, *point.shape))
            return jax.nn.logsumexp(posterior.log_density(code, repeated))

        return jax.vmap(of_point)(z) - jnp.log(jnp.asarray(components, z.dtype))

    def sample(model: Autoencoder, params: Params, key: Key, count: int) -> Array:
        key_component, key_noise = jax.random.split(key)
        code = model.encode(params, params["prior"]["pseudo_inputs"])
        chosen = jax.random.randint(key_component, (count,), 0, components)
        return posterior.sample(key_noise, jax.tree.map(lambda leaf: leaf[chosen], code))

    return Prior(lambda _: {"pseudo_inputs": jnp.asarray(start, dtype)}, log_density, sample)
