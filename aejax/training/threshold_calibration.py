"""Threshold of a dictionary in use, solved for so that the mean number of active units is given.

The threshold is an order statistic of all pre-activations of the data. It is found by radix
selection: non-negative floats are ordered like their bit patterns, and each pass over the data
counts the patterns with the digits found so far by their next digit.
"""

from collections.abc import Callable, Iterator
from typing import SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np

from aejax.hyperparameters import check_range
from aejax.layers.dictionary_layers import encoder_of, pre_activations
from aejax.training.batches import as_jax_batch, check_batch_size
from aejax.training.stream_batches import (
    Stream,
    checked_stream,
    sequential_indices,
    steps_per_pass,
)
from aejax.types import Array, BatchLike, Params

DIGIT_BITS = 11
"""Number of bits that one pass over the data determines."""

Batches = Callable[[], Iterator[Array]]
"""() -> the inputs of all batches, in a new pass over the data."""


def calibrate_threshold(
    params: Params,
    data: BatchLike | Stream,
    *,
    l0: float,
    batch_size: SupportsIndex = 1024,
) -> Params:
    """Add the threshold at which the mean number of active units of an example is `l0`.

    All units have the same threshold θ: the largest pre-activation of the data that is not among
    the round(l0 N) largest, for N examples. So exactly as many are above θ, unless some are equal.

    Args:
        params: parameters of a dictionary with `batch_top_k`; an existing threshold is replaced.
        data: inputs of the encoder: a `Stream`, or examples in memory.
        l0: mean number of active units of an example, such as the k of training.
        batch_size: number of examples per batch of data in memory.

    Returns:
        The parameters with "threshold" [units] in the encoder. Remove it before training continues.

    Raises:
        ValueError: if the parameters have no encoder, `l0` or the batch size is out of range, a
            pre-activation is not finite, or fewer than `l0` of an example are positive on average.

    Source: Bussmann, Leask & Nanda 2024 (with a running mean in place of the solution).

    Example:
        >>> import aejax, jax
        >>> model = aejax.dictionary(8, 32, activation=aejax.batch_top_k(k=4))
        >>> x = jax.random.normal(jax.random.key(0), (1000, 8))
        >>> params = model.init(jax.random.key(1))
        >>> params = aejax.training.calibrate_threshold(params, x, l0=4)
        >>> float((model.encode(params, x) != 0).sum(axis=1).mean())
        4.0
    """
    bias = encoder_of(params)["bias"]
    check_range("l0", l0, 0, bias.shape[0])
    examples, batches = _batches(data, batch_size)
    rank = round(float(l0) * examples)
    encoder = {name: leaf for name, leaf in params["encoder"].items() if name != "threshold"}
    threshold, above = _largest_below(params, batches, rank)
    if threshold == 0 and above < rank:
        raise ValueError(
            f"l0 = {l0:g} cannot be reached: on average {above / examples:g} pre-activations of an "
            "example are positive; use a smaller l0"
        )
    return params | {"encoder": encoder | {"threshold": jnp.full_like(bias, threshold)}}


def _batches(data: BatchLike | Stream, batch_size: SupportsIndex) -> tuple[int, Batches]:
    """Number of examples, and a function that reads the inputs of all batches."""
    if isinstance(data, Stream):
        stream = checked_stream(data)
        steps = range(steps_per_pass(stream))

        def read() -> Iterator[Array]:
            for step in steps:
                rows = sequential_indices(stream, range(step, step + 1))
                yield jnp.asarray(stream.read(rows).x)

        return stream.examples, read
    x, size = as_jax_batch(data).x, check_batch_size(batch_size)
    return len(x), lambda: (x[start : start + size] for start in range(0, len(x), size))


def _largest_below(params: Params, batches: Batches, rank: int) -> tuple[np.floating, int]:
    """Largest positive part of a pre-activation after the `rank` largest, and the count above."""
    dtype = np.dtype(jax.eval_shape(pre_activations, params, next(batches())).dtype)
    bits, prefix, above = 8 * dtype.itemsize - 1, 0, 0  # without the sign
    while bits:
        width = min(DIGIT_BITS, bits)
        counts = np.zeros(2**DIGIT_BITS, np.int64)
        for x in batches():
            found, is_finite = _digit_counts(params, x, prefix, bits, width)
            if not is_finite:
                raise ValueError(
                    "a pre-activation is NaN or infinite; check the examples and the parameters"
                )
            counts += np.asarray(found, np.int64)
        largest_first = np.cumsum(counts[::-1]) + above
        position = int(np.searchsorted(largest_first, rank, side="right"))
        digit = max(len(counts) - 1 - position, 0)  # 0 if there are no more than `rank`
        above += int(np.sum(counts[digit + 1 :]))
        prefix, bits = (prefix << width) | digit, bits - width
    return np.array([prefix], f"u{dtype.itemsize}").view(dtype)[0], above


@jax.jit
def _digit_counts(
    params: Params, x: Array, prefix: Array, bits: Array, width: Array
) -> tuple[Array, Array]:
    """Counts of the next `width` bits of the patterns whose first bits are `prefix`.

    Beside them, whether all pre-activations are finite.
    """
    z = pre_activations(params, x)
    kind = jnp.dtype(f"uint{8 * z.dtype.itemsize}")
    pattern = jax.lax.bitcast_convert_type(jnp.where(z > 0, z, jnp.zeros_like(z)), kind)
    prefix, bits, width = (jnp.asarray(number, kind) for number in (prefix, bits, width))
    one = jnp.asarray(1, kind)
    digit = (pattern >> (bits - width)) & ((one << width) - one)
    others = jnp.asarray(2**DIGIT_BITS, jnp.int32)
    index = jnp.where(pattern >> bits == prefix, digit.astype(jnp.int32), others)
    counts = jnp.bincount(index.reshape(-1), length=2**DIGIT_BITS + 1)[:-1]
    return counts, jnp.all(jnp.isfinite(z))
