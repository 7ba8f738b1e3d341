"""The words of the house: arrays, keys, parameters, and the records that pass between rooms.

Every model, loss, corruption and penalty is a pure function of these, so each composes with each.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jaxtyping

Array = jax.Array
Key = jaxtyping.Key[Array, ""]
"""One typed random key, as `jax.random.key` makes it."""

Params = dict[str, Any]
"""Parameters: a plain nested dict whose leaves are arrays, named `kernel` and `bias`."""

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
    weight: broadcastable to the element-wise loss; None means one. Zero leaves an element out.

    A whole data set is a `Batch` too: its batch axis is as long as the data.
    """

    x: Array
    target: Array | None = None
    weight: Array | None = None


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
