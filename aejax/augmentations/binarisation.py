"""Dynamic binarisation: grey values are probabilities, and every step samples new binary images."""

import jax

from aejax.types import Array, Augmentation, Key


def binarise() -> Augmentation:
    """Replace each value x in [0, 1] by a Bernoulli sample with probability x, at every step.

    The sample is both input and target. Validation has no augmentation, so binarise its examples
    once, by the function that this returns: `binarise()(key, x)`.

    Returns:
        The augmentation; values outside [0, 1] become 0 or 1.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from aejax import augmentations
        >>> augmentations.binarise()(jax.random.key(0), jnp.array([[0.0, 1.0]])).tolist()
        [[0.0, 1.0]]

    Source: Burda, Grosse & Salakhutdinov 2016; Salakhutdinov & Murray 2008.
    """

    def augment(key: Key, x: Array) -> Array:
        return (jax.random.uniform(key, x.shape, x.dtype) < x).astype(x.dtype)

    return augment
