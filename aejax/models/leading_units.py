"""Codes of several sizes in one shape, so that a code's size can be a hyperparameter."""

import math

import jax.numpy as jnp
from jaxtyping import Int

from aejax.hyperparameters import check_range
from aejax.types import Array, Autoencoder, Params


def leading_units(model: Autoencoder, units: int | Int[Array, ""]) -> Autoencoder:
    """The same autoencoder, of whose code only the first units are on: h_j = 0 for j ≥ units.

    Nothing reaches the decoder through the others, and no gradient reaches their kernels and biases
    from the reconstruction: it is the autoencoder with so many units. The number may be traced, so
    that the members of a population can differ in it (`training.fit_population`). A penalty on
    the mean of each unit sees the zeros: KL sparsity wants units that are on.

    Args:
        model: whose code is an array [batch, units].
        units: how many are on, an integer of at least 1; more than there are is all of them.

    Returns:
        An `Autoencoder` with the model's params.

    Raises:
        ValueError: for fewer than one.

    Source: Rippel, Gelbart & Adams 2014, §2 (truncated codes, there of a random size).
    """
    check_range("the number of units", units, 1, math.inf)

    def encode(params: Params, x: Array) -> Array:
        code = model.encode(params, x)
        return jnp.where(jnp.arange(code.shape[-1]) < units, code, 0)

    return Autoencoder(model.init, encode, model.decode)
