"""Statistics of code units: mean activation, lifetime and population sparsity, dead units."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from aejax.promotion import promote_dtypes
from aejax.types import Array


class ActivationStatistics(NamedTuple):
    """Statistics of each unit over the examples, and of each example over the units.

    mean:                mean activation ρ̂_l of unit l.
    frequency:           fraction of examples on which each unit is active, |h_l| > threshold.
    dead:                True for a unit that is active on no example.
    lifetime_sparsity:   sparsity of each unit over the examples, from 0 (equal on all examples) to
                         1 (active on one example only).
    population_sparsity: sparsity of an example over the units, averaged over examples.
    active:              mean number of active units per example.
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
    """Statistics of a code over examples, summed in float32 or the wider dtype of the code.

    Args:
        code: code h, one row per example.
        threshold: |h| above which a unit counts as active: 0 for top-k and ReLU codes, a small
            value such as 0.05 for sigmoid units, which are never 0.

    Returns:
        The `ActivationStatistics`.

    Raises:
        ValueError: for fewer than two examples or units.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> code = jnp.array([[1.0, 0.0, 0.0], [2.0, 3.0, 0.0]])
        >>> evaluation.activation_statistics(code, threshold=0.0).dead.tolist()
        [False, False, True]

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
    """`activation_statistics` of a data set, encoded batch by batch to limit memory.

    The function is pure and can be jitted with a static batch size.

    Args:
        encode: [batch, *input] -> code [batch, units].
        x: all examples.
        threshold: |h| above which a unit counts as active.
        batch_size: examples per batch; the last batch may be smaller.

    Returns:
        The `ActivationStatistics`.

    Raises:
        ValueError: for a batch size below one, or fewer than two examples or units.
    """
    if batch_size < 1:
        raise ValueError(f"the batch size must be at least 1, got {batch_size}")
    examples = x.shape[0]
    full = examples // batch_size * batch_size
    batches = x[:full].reshape(-1, batch_size, *x.shape[1:])
    total = _sums(encode(x[full:]), threshold)  # zero for an empty batch

    def add(total: _Sums, batch: Array) -> tuple[_Sums, None]:
        return jax.tree.map(jnp.add, total, _sums(encode(batch), threshold)), None

    total, _ = jax.lax.scan(add, total, batches)
    return _statistics(total, examples)


def treves_rolls(
    mean_magnitude: Float[Array, "*shape"], mean_square: Float[Array, "*shape"], count: int
) -> Float[Array, "*shape"]:
    """Sparsity (1 − (mean |h|)²/mean h²)/(1 − 1/n) of n values: 0 if all are equal, 1 if n−1 are 0.

    Args:
        mean_magnitude: mean |h| over the n values.
        mean_square: mean h² over the n values.
        count: number n of values, at least two.

    Returns:
        The sparsity; 1 if all values are 0.

    Raises:
        ValueError: for fewer than two values, for which sparsity is undefined.

    Source: Vinje & Gallant 2000, after Rolls & Tovee 1995.
    """
    if count < 2:
        raise ValueError(f"sparsity needs at least two units and two examples, got {count}")
    all_zero = mean_square == 0
    ratio = jnp.square(mean_magnitude) / jnp.where(all_zero, 1, mean_square)
    return jnp.where(all_zero, 1, (1 - ratio) / (1 - 1 / count))


class _Sums(NamedTuple):
    """Sums over the examples of a batch from which `ActivationStatistics` are computed."""

    value: Array
    magnitude: Array
    square: Array
    active: Array
    population_sparsity: Array


def _sums(code: Array, threshold: float | Array) -> _Sums:
    code = code.astype(promote_dtypes(code.dtype, jnp.float32))  # bfloat16 counts to 256 only
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
