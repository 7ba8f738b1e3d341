"""Corruptions whose noise level is drawn at random for each example."""

import sys
from collections.abc import Callable

import jax

from aejax.hyperparameters import check_range
from aejax.types import Array, Corruption, Key


def random_level(
    make: Callable[[float | Array], Corruption], *, low: float | Array, high: float | Array
) -> Corruption:
    """Corruption whose noise level is drawn for each example, uniformly between low and high.

    With `random_level(lambda sigma: gaussian(sigma=sigma), low=0.1, high=1.0)` one denoiser is
    trained for all these σ.

    Args:
        make: level -> corruption, any factory of corruptions.
        low: smallest level.
        high: largest level.

    Returns:
        The corruption (key, x) -> x_corrupted, of x's shape and dtype.

    Raises:
        ValueError: for a concrete low above high or not finite, or if `make` rejects one of them.

    Source: Geras & Sutton 2015 (many levels of noise for one autoencoder).
    """
    check_range("the range of levels, high − low,", high - low, 0, sys.float_info.max)
    for level in (low, high):
        make(level)

    def corrupt_one(key: Key, level: Array, example: Array) -> Array:
        return make(level)(key, example[None])[0]

    def corrupt(key: Key, x: Array) -> Array:
        key_level, key_noise = jax.random.split(key)
        levels = jax.random.uniform(key_level, x.shape[:1], x.dtype, low, high)
        return jax.vmap(corrupt_one)(jax.random.split(key_noise, x.shape[0]), levels, x)

    return corrupt
