"""Gaussian, masking and salt-and-pepper corruptions, independent for each element."""

import sys

import jax
import jax.numpy as jnp

from aejax.contracts import describe
from aejax.hyperparameters import check_range
from aejax.types import Array, Corruption, Key


def masking(*, rate: float | Array) -> Corruption:
    """Masking noise: each element becomes 0 with probability q, independently.

    Args:
        rate: q in [0, 1].

    Returns:
        The corruption (key, x) -> x_corrupted, of x's shape and dtype.

    Raises:
        ValueError: for a concrete rate outside [0, 1].

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from aejax import corruptions
        >>> x_corrupted = corruptions.masking(rate=0.3)(jax.random.key(0), jnp.ones((1000, 100)))
        >>> round(float(x_corrupted.mean()), 2)
        0.7

    Source: Vincent et al. 2008, §2.3.
    """
    check_range("masking rate", rate, 0, 1)

    def corrupt(key: Key, x: Array) -> Array:
        _check_array(x)
        return jnp.where(_chosen(key, rate, x), jnp.zeros_like(x), x)

    return corrupt


def gaussian(*, sigma: float | Array) -> Corruption:
    """Additive Gaussian noise: x_corrupted = x + σ ε, ε ~ N(0, I).

    Args:
        sigma: standard deviation σ ≥ 0, in units of x.

    Returns:
        The corruption (key, x) -> x_corrupted, of x's shape and dtype.

    Raises:
        ValueError: for a concrete σ below 0 or not finite.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from aejax import corruptions
        >>> x_corrupted = corruptions.gaussian(sigma=0.5)(jax.random.key(0), jnp.ones((1000, 100)))
        >>> round(float(x_corrupted.mean()), 2), round(float(x_corrupted.std()), 2)
        (1.0, 0.5)

    Source: Vincent et al. 2010, §3.3.
    """
    check_range("Gaussian sigma", sigma, 0, sys.float_info.max)

    def corrupt(key: Key, x: Array) -> Array:
        _check_array(x)
        noise = jax.random.normal(key, x.shape, x.dtype)
        return x + jnp.asarray(sigma, x.dtype) * noise

    return corrupt


def salt_and_pepper(
    *, rate: float | Array, low: float | Array = 0.0, high: float | Array = 1.0
) -> Corruption:
    """Salt-and-pepper noise: an element becomes low or high, each with probability q/2.

    Args:
        rate: q in [0, 1].
        low: value of pepper, the minimum of the data.
        high: value of salt, the maximum of the data.

    Returns:
        The corruption (key, x) -> x_corrupted, of x's shape and dtype.

    Raises:
        ValueError: for a concrete rate outside [0, 1].

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from aejax import corruptions
        >>> corrupt = corruptions.salt_and_pepper(rate=0.5)
        >>> jnp.unique(corrupt(jax.random.key(0), jnp.full((10, 100), 0.5))).tolist()
        [0.0, 0.5, 1.0]

    Source: Vincent et al. 2010, §3.3.
    """
    check_range("salt-and-pepper rate", rate, 0, 1)

    def corrupt(key: Key, x: Array) -> Array:
        _check_array(x)
        key_chosen, key_coin = jax.random.split(key)
        coin = jax.random.bernoulli(key_coin, 0.5, x.shape)
        extreme = jnp.where(coin, jnp.asarray(high, x.dtype), jnp.asarray(low, x.dtype))
        return jnp.where(_chosen(key_chosen, rate, x), extreme, x)

    return corrupt


def _chosen(key: Key, rate: float | Array, x: Array) -> Array:
    return jax.random.bernoulli(key, rate, x.shape)


def _check_array(x: Array) -> None:
    """Refuse a tree of arrays, such as the code that a corruption perturbs."""
    if not hasattr(x, "shape"):
        raise ValueError(
            f"elementwise noise applies to one array, got {describe(x)}; for a code of several "
            "arrays, write a function (key, code) -> code that changes one of them"
        )
