"""Fresh samples in place of each batch: training on a distribution instead of a data set."""

from collections.abc import Callable

from aejax.types import Array, Augmentation, Key

Sampler = Callable[..., Array]
"""A distribution of examples: (key, *, count) -> independent examples [count, *input]."""


def fresh_samples(sample: Sampler) -> Augmentation:
    """Replace each batch by new samples, so that no training example is seen twice.

    The examples of the data set only give the number and shape of the samples: its size is the
    number of samples of an epoch. They are drawn inside the compiled step, on the device, from the
    key of the step, so that a resumed run sees the same ones. Validation data are not replaced.

    Args:
        sample: pure function (key, count=…) -> independent examples [count, *input].

    Returns:
        The augmentation.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from aejax import augmentations
        >>> def sample(key, *, count):
        ...     return jax.random.uniform(key, (count, 3))
        >>> augment = augmentations.fresh_samples(sample)
        >>> augment(jax.random.key(0), jnp.zeros((5, 3))).shape
        (5, 3)
    """

    def augment(key: Key, x: Array) -> Array:
        return sample(key, count=len(x)).astype(x.dtype)

    return augment
