"""BatchTopK: the k B largest pre-activations of a batch of B examples, and thresholds in use.

The largest are found without a sort: a search for a threshold over the bit patterns of floats,
which are ordered like the floats, until exactly as many as are wanted are above it.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.layers.activations import top_k, values_above
from aejax.layers.code_activations import CodeActivation
from aejax.types import Array, Params

SAMPLED = 16
"""Number of examples for each one of the sample that bounds the threshold."""

SAMPLE_DEVIATIONS = 4
"""Distance of these bounds, in standard deviations of a Poisson count."""


def batch_top_k(*, k: int | Array, at_most: int | None = None) -> CodeActivation:
    """BatchTopK of a dictionary: h = max(z, 0) for the k B largest of all z of B examples, else 0.

    Examples share the active units, k on average. Of equal z, those of the first examples are
    selected, and in an example the first units. A code depends on its batch, until
    `training.calibrate_threshold` adds a "threshold" θ to the parameters: then h_l = z_l if
    z_l > θ, else 0, for each example alone.

    Args:
        k: mean number of active units of an example, a scalar from 1 to the number of units.
        at_most: maximum of a k that is traced, as of `top_k`.

    Returns:
        The `CodeActivation`, without parameters for training.

    Raises:
        ValueError: if k is not an integer or below 1; from the activation, for fewer than k units,
            or 2³¹ pre-activations or more in a batch.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from aejax.layers.batch_top_k import batch_top_k
        >>> z = jnp.array([[3.0, 2.0, -1.0], [1.0, 0.5, 0.0]])
        >>> batch_top_k(k=1).apply({}, z).tolist()
        [[3.0, 2.0, 0.0], [0.0, 0.0, 0.0]]

    Source: Bussmann, Leask & Nanda 2024.
    """
    top_k(k=k, at_most=at_most)  # checks them

    def apply(encoder: Params, z: Array) -> Array:
        if "threshold" in encoder:
            return jax.nn.relu(values_above(z, encoder["threshold"].astype(z.dtype)))
        limit = k if at_most is None else at_most
        if int(limit) > z.shape[1]:
            raise ValueError(f"batch_top_k cannot select {limit} of {z.shape[1]} units")
        if z.size >= 2**31:
            raise ValueError(
                f"batch_top_k counts pre-activations in 32 bits, but a batch of shape "
                f"{list(z.shape)} has {z.size}; use a smaller batch"
            )
        return _largest(z, jnp.asarray(jnp.clip(k, 0, limit) * z.shape[0], jnp.int32))

    return CodeActivation(lambda *_: {}, apply)


def _largest(z: Float[Array, "batch units"], wanted: Array) -> Float[Array, "batch units"]:
    """Positive parts of the `wanted` largest elements, else 0."""
    kind = jnp.dtype(f"int{8 * z.dtype.itemsize}")
    bits = jax.lax.bitcast_convert_type(jax.lax.stop_gradient(z), kind)
    # Without the sign, so that NaN of any sign is the largest.
    pattern = jnp.where(z <= 0, 0, bits & jnp.iinfo(kind).max)
    low, above = _search(pattern, wanted, *_bracket(pattern, wanted))

    def first_of_equal() -> Array:
        """As many as are wanted, of those whose pattern is just above `low`."""
        is_equal, is_above = pattern == low + 1, pattern > low + 1
        counts = jnp.sum(is_equal, axis=1, dtype=jnp.int32)
        rank = jnp.cumsum(is_equal, axis=1, dtype=jnp.int32)
        rank += (jnp.cumsum(counts) - counts)[:, None]
        return is_above | (is_equal & (rank <= wanted - _count(is_above)))

    is_selected = jax.lax.cond(above > wanted, first_of_equal, lambda: pattern > low)
    return jnp.where(is_selected, z, jnp.zeros_like(z))


def _bracket(pattern: Array, wanted: Array) -> tuple[Array, Array]:
    """Bounds around the threshold, from that of a sample of the examples."""
    whole = jnp.zeros((), pattern.dtype), jnp.max(pattern)
    if len(pattern) < 2 * SAMPLED:
        return whole
    rank = wanted / SAMPLED
    margin = SAMPLE_DEVIATIONS * jnp.sqrt(rank) + 1
    least, most = (jnp.asarray(bound, jnp.int32) for bound in (rank - margin, rank + margin))
    low, high = (_search(pattern[::SAMPLED], count, *whole)[0] for count in (most, least))
    return jnp.where(_count(pattern > low) >= wanted, low, whole[0]), jnp.where(
        (_count(pattern > high) < wanted) & (high > low), high, whole[1]
    )


def _search(pattern: Array, wanted: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Largest bound found with at least `wanted` patterns above it, and their number.

    Steps alternate between the middle and linear interpolation of the number. It is as wanted; or
    less, if the bound is 0; or more, if the patterns just above are equal.
    """

    def is_open(state: tuple[Array, ...]) -> Array:
        low, high, above, _, _ = state
        return (above > wanted) & (high - low > 1)

    def narrow(state: tuple[Array, ...]) -> tuple[Array, ...]:
        low, high, above, below, step = state
        share = (above - wanted) / (above - below)
        between = low + (share * (high - low).astype(share.dtype)).astype(low.dtype)
        middle = jnp.where(step % 2, low + (high - low) // 2, jnp.clip(between, low + 1, high - 1))
        count = _count(pattern > middle)
        is_lower = count >= wanted
        low, high = jnp.where(is_lower, middle, low), jnp.where(is_lower, high, middle)
        above, below = jnp.where(is_lower, count, above), jnp.where(is_lower, below, count)
        return low, high, above, below, step + 1

    counts = _count(pattern > low), _count(pattern > high)
    low, _, above, _, _ = jax.lax.while_loop(is_open, narrow, (low, high, *counts, jnp.int32(0)))
    return low, above


def _count(flags: Array) -> Array:
    """Number of true elements, counted by column in narrow integers, which are vectorised."""
    narrow = jnp.int16 if len(flags) < 2**15 else jnp.int32
    columns = jax.lax.optimization_barrier(jnp.sum(flags, axis=0, dtype=narrow))
    return jnp.sum(columns, dtype=jnp.int32)
