"""How a code uses its units: mean activations, sparsity of two kinds, and dead units."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from aejax.types import Array


class ActivationStatistics(NamedTuple):
    """Of each unit over the examples, and of the examples over their units.

    mean:                ρ̂_l, the mean activation of each unit.
    frequency:           share of examples on which each unit is active, |h_l| > threshold.
    dead:                whether a unit is active on no example.
    lifetime_sparsity:   of each unit over the examples, from 0 (equal on all) to 1 (on one alone).
    population_sparsity: of the units on one example, as the mean over examples.
    active:              mean number of active units an example.
    """

    mean: Float[Array, " units"]
    frequency: Float[Array, " units"]
    dead: Bool[Array, " units"]
    lifetime_sparsity: Float[Array, " units"]
    population_sparsity: Float[Array, ""]
    active: Float[Array, ""]


def activation_statistics(
    code: Float[Array, "examples units"], *, threshold: float | Array
) -> ActivationStatistics:
    """Statistics of a code over examples.

    Args:
        code: h, one row an example.
        threshold: |h| above which a unit counts as active: 0 for top-k and rectified codes; a
            logistic unit never is 0, so there it is a choice, such as 0.05.

    Returns:
        The `ActivationStatistics`.

    Raises:
        ValueError: for fewer than two examples or units.

    Source: Vinje & Gallant 2000 (lifetime and population sparsity); Ng 2011, §3 (ρ̂).
    """
    return _statistics(_sums(code, threshold), code.shape[0])


def encoded_statistics(
    encode: Callable[[Array], Array],
    x: Float[Array, "examples *input"],
    *,
    threshold: float | Array,
    batch_size: int,
) -> ActivationStatistics:
    """`activation_statistics` of the code of a whole data set, of which one batch is held.

    Pure; jit it, with the batch size static.

    Args:
        encode: [batch, *input] -> code [batch, units].
        x: all examples.
        threshold: as in `activation_statistics`.
        batch_size: examples a batch; any remainder makes a last batch of its own shape.

    Returns:
        The `ActivationStatistics`.

    Raises:
        ValueError: for a batch size below one, or fewer than two examples or units.
    """
    if batch_size < 1:
        raise ValueError(f"the batch size must be 1 or more, got {batch_size}")
    examples = x.shape[0]
    whole = examples // batch_size * batch_size
    batches = x[:whole].reshape(-1, batch_size, *x.shape[1:])
    total = _sums(encode(x[whole:]), threshold)  # of no rows, zero

    def add(total: _Sums, batch: Array) -> tuple[_Sums, None]:
        return jax.tree.map(jnp.add, total, _sums(encode(batch), threshold)), None

    total, _ = jax.lax.scan(add, total, batches)
    return _statistics(total, examples)


def treves_rolls(
    mean_magnitude: Float[Array, "*shape"], mean_square: Float[Array, "*shape"], count: int
) -> Float[Array, "*shape"]:
    """Sparsity (1 − (mean |h|)²/mean h²)/(1 − 1/n) of n values: 0 if all are equal, 1 if one is.

    Args:
        mean_magnitude: mean |h| over the n values.
        mean_square: mean h² over them.
        count: n, two or more.

    Returns:
        The sparsity; 1 where all values are 0, which spend nothing.

    Raises:
        ValueError: for a single value, which is neither sparse nor dense.

    Source: Vinje & Gallant 2000, after Rolls & Tovee 1995.
    """
    if count < 2:
        raise ValueError(f"sparsity needs two units and two examples or more, got {count}")
    silent = mean_square == 0
    share = jnp.square(mean_magnitude) / jnp.where(silent, 1, mean_square)
    return jnp.where(silent, 1, (1 - share) / (1 - 1 / count))


class _Sums(NamedTuple):
    """What `ActivationStatistics` needs of a batch, summed over its examples."""

    value: Array
    magnitude: Array
    square: Array
    active: Array
    population_sparsity: Array


def _sums(code: Array, threshold: float | Array) -> _Sums:
    magnitude, square = jnp.abs(code), jnp.square(code)
    population = treves_rolls(magnitude.mean(axis=1), square.mean(axis=1), code.shape[1])
    active = (magnitude > threshold).astype(code.dtype)
    rows = (code, magnitude, square, active, population)
    return _Sums(*(jnp.sum(row, axis=0) for row in rows))


def _statistics(sums: _Sums, examples: int) -> ActivationStatistics:
    mean = jax.tree.map(lambda total: total / examples, sums)
    return ActivationStatistics(
        mean=mean.value,
        frequency=mean.active,
        dead=sums.active == 0,
        lifetime_sparsity=treves_rolls(mean.magnitude, mean.square, examples),
        population_sparsity=mean.population_sparsity,
        active=jnp.sum(mean.active),
    )
