"""Shared types: arrays, PRNG keys, parameter trees, and the records that modules exchange.

Models, losses, corruptions and penalties are pure functions of these types, so any combination of
them can be composed.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jaxtyping
import numpy as np

from aejax.repr_text import record_text

Array = jax.Array
Key = jaxtyping.Key[Array, ""]
"""A single typed PRNG key, as `jax.random.key` returns it."""

KeyLike = Key | int | np.integer | jaxtyping.UInt32[Array | np.ndarray, "words"]
"""Anything that `keys.typed_key` converts to a key: a typed key, an integer seed, a legacy key."""

Params = Any
"""Parameters: a tree of arrays. For the models of aejax a nested dict of `kernel` and `bias`."""

Code = Any
"""A code h: an array [batch, *code], or a tree of such arrays."""

Tracked = Any
"""State of a `Tracker`: a tree of arrays, or None without a tracker."""

Corruption = Callable[[Key, Array], Array]
"""(key, x) -> x_corrupted, with the shape and dtype of x."""

Augmentation = Callable[[Key, Array], Array]
"""(key, x) -> new examples with the shape and dtype of x, used as both input and target."""

Perturbation = Callable[[Key, Code], Code]
"""(key, code) -> latent: noise added to the code before it is decoded."""


class Autoencoder(NamedTuple):
    """An autoencoder as three pure functions.

    init:   key -> params.
    encode: (params, x [batch, *input]) -> code h.
    decode: (params, code) -> output [batch, *output], before the link function of the loss.
    """

    init: Callable[[Key], Params]
    encode: Callable[[Params, Array], Code]
    decode: Callable[[Params, Code], Array]

    def __repr__(self) -> str:
        return record_text(self)


class Batch(NamedTuple):
    """Examples with optional targets and weights; an entire data set is a `Batch` too.

    x:      clean input, [batch, *input].
    target: target of the loss, for example integer labels (default: x itself).
    weight: weight of each example, [batch], or of each element of the loss: its axes are those of
            the elementwise loss, and all but the first may have length 1 (default: 1).
            A weight of zero excludes an element.
    """

    x: Array
    target: Array | None = None
    weight: Array | None = None

    def __repr__(self) -> str:
        return record_text(self)


BatchLike = Any
"""Anything that `batch_inputs.as_batch` accepts: a `Batch`, or x as an array or data frame."""


class Loss(NamedTuple):
    """A reconstruction loss with its link function g, from the decoder's output to x̂.

    elementwise: (output, target) -> loss of each element, with the shape of the target.
    mean:        output -> reconstruction x̂ = g(output), the mean that the loss implies.
    support:     interval (low, high) of valid targets.
    """

    elementwise: Callable[[Array, Array], Array]
    mean: Callable[[Array], Array]
    support: tuple[float, float]

    def __repr__(self) -> str:
        return record_text(self)


class Pass(NamedTuple):
    """Record of one forward pass: everything that a penalty can depend on.

    model:       the autoencoder.
    params:      its parameters.
    batch:       the clean examples.
    key:         PRNG key for penalties that sample.
    x_corrupted: input of the encoder.
    code:        h = encode(params, x_corrupted).
    latent:      code after the perturbation, the input of the decoder.
    output:      decode(params, latent), before the link function.
    tracked:     state of the objective's tracker before this step, or None.
    """

    model: Autoencoder
    params: Params
    batch: Batch
    key: Key
    x_corrupted: Array
    code: Code
    latent: Code
    output: Array
    tracked: Tracked = None

    def __repr__(self) -> str:
        return record_text(self)


class Tracker(NamedTuple):
    """State beside the parameters that changes from step to step without a gradient.

    Examples: steps since a unit was last active, exponential averages, usage of a codebook.

    init:    params -> tracked, a tree of arrays.
    measure: record of a forward pass -> statistics, a tree of means over the examples.
    update:  (tracked, statistics) -> tracked of the next step.
    """

    init: Callable[[Params], Tracked]
    measure: Callable[[Pass], Any]
    update: Callable[[Tracked, Any], Tracked]

    def __repr__(self) -> str:
        return record_text(self)


Penalty = Callable[[Pass], Array]
"""Record of a forward pass -> one value per example, [batch], or a scalar for a term that belongs
to the parameters or to the batch as a whole."""
