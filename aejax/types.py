"""The words of the house: arrays, keys, parameters, and the records that pass between rooms.

Every model, loss, corruption and penalty is a pure function of these, so each composes with each.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jaxtyping
import numpy as np

Array = jax.Array
Key = jaxtyping.Key[Array, ""]
"""One typed random key, as `jax.random.key` makes it."""

KeyLike = Key | int | np.integer | jaxtyping.UInt32[Array | np.ndarray, "words"]
"""What is taken for one key (`keys.typed_key`): a typed key, a seed, or an old-style key."""

Params = Any
"""Parameters: a tree of arrays; of aejax's models a nested dict of leaves `kernel` and `bias`."""

Code = Any
"""A code h: an array [batch, *code], or a tree of such arrays."""

Corruption = Callable[[Key, Array], Array]
"""(key, x) -> x_corrupted, of x's shape and dtype."""

Augmentation = Callable[[Key, Array], Array]
"""(key, x) -> other examples of x's shape and dtype, each to be reconstructed as it is."""

Perturbation = Callable[[Key, Code], Code]
"""(key, code) -> latent: what happens to the code before it is decoded."""


class Autoencoder(NamedTuple):
    """An autoencoder as three pure functions.

    init:   key -> params.
    encode: (params, x [batch, *input]) -> code h.
    decode: (params, code) -> output [batch, *output], before the loss's link.
    """

    init: Callable[[Key], Params]
    encode: Callable[[Params, Array], Code]
    decode: Callable[[Params, Code], Array]


class Batch(NamedTuple):
    """Examples: the input x, what its output is compared with, and how much each element counts.

    x:      [batch, *input], the clean input.
    target: what the loss compares the output with; None means x itself. Perhaps integer labels.
    weight: of each example, [batch], or of each element, with the axes of the element-wise loss,
            each but the first as long or 1; None means one. Zero leaves an element out.

    A whole data set is a `Batch` too: its batch axis is as long as the data.
    """

    x: Array
    target: Array | None = None
    weight: Array | None = None


BatchLike = Any
"""What is taken for a `Batch` (`examples.as_batch`): one, or x alone, array or data frame."""


class Loss(NamedTuple):
    """A reconstruction loss and its link g, together so that decoder and loss cannot disagree.

    elementwise: (output, target) -> loss of each element, shaped like the target.
    mean:        output -> reconstruction x̂ = g(output), the mean that the loss implies.
    support:     the range (low, high) in which the loss makes sense of a target.
    """

    elementwise: Callable[[Array, Array], Array]
    mean: Callable[[Array], Array]
    support: tuple[float, float]


class Pass(NamedTuple):
    """One pass through an autoencoder: all that a penalty may look at.

    code is h = encode(x_corrupted); latent is the code after its perturbation, from which the
    output was decoded. key is for penalties that sample.
    """

    model: Autoencoder
    params: Params
    batch: Batch
    key: Key
    x_corrupted: Array
    code: Code
    latent: Code
    output: Array


Penalty = Callable[[Pass], Array]
"""One pass -> [batch], or a scalar where the term belongs to the parameters or the whole batch."""
