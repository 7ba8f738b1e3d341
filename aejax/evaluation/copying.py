"""Measure of copying: reconstruction errors on data and on shuffled data, compared."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.objectives import Objective, reconstruct
from aejax.types import Array, Key, Params


class Copying(NamedTuple):
    """Squared reconstruction error of data and of noise, each relative to the variance of the data.

    data:  mean ‖x̂ − x‖² / mean ‖x − x̄‖².
    noise: the same for x with every feature shuffled over the examples (`shuffled`).

    Both are near 0 for an autoencoder that copies any input. An autoencoder that has learned the
    structure of the data has a much larger error on noise. Compare the difference, not the ratio,
    which is also large if both errors are tiny.
    """

    data: Float[Array, ""]
    noise: Float[Array, ""]


def copying(
    objective: Objective, params: Params, x: Float[Array, "examples *input"], key: Key
) -> Copying:
    """Relative reconstruction error of an autoencoder on data and on unstructured noise.

    Args:
        objective: objective with the model and the link; its corruption is not applied.
        params: parameters of the model.
        x: test examples, not all equal.
        key: key of the noise.

    Returns:
        The `Copying`.

    Source: Goodfellow, Bengio & Courville 2016, §14.2 (overcomplete codes copy).
    """
    variance = jnp.sum(jnp.square(x - x.mean(axis=0))) / len(x)

    def relative_error(x: Array) -> Array:
        return jnp.sum(jnp.square(reconstruct(objective, params, x) - x)) / len(x) / variance

    return Copying(data=relative_error(x), noise=relative_error(shuffled(key, x)))


def shuffled(key: Key, x: Float[Array, "examples *input"]) -> Float[Array, "examples *input"]:
    """Noise with the marginals of the data: each feature permuted over the examples independently.

    The values of each feature, and so its mean, variance and range, are unchanged; the features
    become independent of each other.

    Args:
        key: key of the permutations.
        x: examples.

    Returns:
        The noise, with x's shape.
    """
    return jax.random.permutation(key, x, axis=0, independent=True)
