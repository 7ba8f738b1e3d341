"""Does an autoencoder copy its input, or has it learned what its data look like?"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.objectives import Objective, reconstruct
from aejax.types import Array, Key, Params


class Copying(NamedTuple):
    """Squared reconstruction error of data and of noise, each as a share of their variance.

    data:  mean ‖x̂ − x‖² over mean ‖x − x̄‖².
    noise: the same for x with every feature shuffled; its mean and variance are the data's.

    A copy has both near 0: it returns whatever it is given. What has learned the data alone loses
    much of the noise, whose share is then far above the data's. Their ratio alone misleads: it is
    large too where both errors are tiny.
    """

    data: Float[Array, ""]
    noise: Float[Array, ""]


def copying(
    objective: Objective, params: Params, x: Float[Array, "examples *input"], key: Key
) -> Copying:
    """How well an autoencoder reconstructs data, and noise that it has not seen the like of.

    Args:
        objective: gives the model and the link; no corruption is applied.
        params: the model's parameters.
        x: test examples, which must vary.
        key: of the noise.

    Returns:
        The `Copying`.

    Source: Goodfellow, Bengio & Courville 2016, §14.2 (overcomplete codes copy).
    """
    variance = jnp.sum(jnp.square(x - x.mean(axis=0))) / len(x)

    def share_lost(x: Array) -> Array:
        return jnp.sum(jnp.square(reconstruct(objective, params, x) - x)) / len(x) / variance

    return Copying(data=share_lost(x), noise=share_lost(shuffled(key, x)))


def shuffled(key: Key, x: Float[Array, "examples *input"]) -> Float[Array, "examples *input"]:
    """Noise with the data's marginals: every feature shuffled over the examples, for itself.

    Each feature keeps its values, and so its mean, variance and range; no two depend on each other.

    Args:
        key: of the shuffles.
        x: examples.

    Returns:
        The noise, shaped like x.
    """
    return jax.random.permutation(key, x, axis=0, independent=True)
