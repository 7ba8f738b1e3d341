"""Truncated codes: the code size as a hyperparameter that can be traced and vmapped."""

import math

import jax.numpy as jnp
from jaxtyping import Int

from aejax.hyperparameters import check_range
from aejax.types import Array, Autoencoder, Params


def leading_units(model: Autoencoder, units: int | Int[Array, ""]) -> Autoencoder:
    """Truncate the code of an autoencoder to its first units: h_j = 0 for j ≥ units.

    The zero units pass neither signal nor gradient, so the reconstruction is that of an autoencoder
    with `units` code units. Because `units` may be traced, members of a population can differ in it
    (`training.fit_population`). Penalties on the mean of each unit, such as KL sparsity, see the
    zeros and should not be combined with truncation.

    Args:
        model: autoencoder with a code [batch, n].
        units: number of units to keep, a scalar of at least 1; values above n keep all.

    Returns:
        An `Autoencoder` with the parameters of the model.

    Raises:
        ValueError: if `units` is less than 1.

    Source: Rippel, Gelbart & Adams 2014, §2 (truncated codes, there of a random size).

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> model = aejax.leading_units(aejax.dense((8, 5)), 2)
        >>> code = model.encode(model.init(jax.random.key(0)), jnp.ones((1, 8)))
        >>> (code > 0).tolist()
        [[True, True, False, False, False]]
    """
    check_range("the number of units", units, 1, math.inf)

    def encode(params: Params, x: Array) -> Array:
        code = model.encode(params, x)
        return jnp.where(jnp.arange(code.shape[-1]) < units, code, 0)

    return Autoencoder(model.init, encode, model.decode)
