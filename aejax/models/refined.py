"""Codes that an encoder proposes and the decoder improves."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.ranges import check_range
from aejax.types import Array, Autoencoder, Loss, Params


def refined(
    model: Autoencoder,
    loss: Loss,
    *,
    steps: int = 4,
    rate: float | Float[Array, ""] = 0.03,
    longest: float = 1.0,
) -> Autoencoder:
    """The autoencoder whose code goes down the reconstruction error from where the encoder put it.

        h_0 = encode(x),   h_{t+1} = h_t − η ∂/∂h Σ_j ℓ(decode(h_t), x)_j,   code h_T.

    The encoder of one pass misses the best code of an example by far (its amortisation gap); a few
    steps take most of that away. They are part of the model: training goes through them, so that
    the decoder learns to be easy to go down on. Long steps are shortened, since one example on
    which they diverge would end a training. Training may find that it needs no proposal: then the
    encoder's is a constant, and the code is the decoder's gradient alone. The code is fitted to the
    x that it is given: under a corruption that would be the corrupted one.

    Args:
        model: whose code is an array [batch, *code].
        loss: ℓ, the objective's, whose target is the input itself.
        steps: T, 0 or more.
        rate: η, 0 or more, in units of code² per loss.
        longest: Euclidean length of a step at most, 0 or more, in units of the code.

    Returns:
        An `Autoencoder` with the model's params.

    Raises:
        ValueError: for a number of steps, a rate or a length below 0.

    Source: Kim et al. 2018, Semi-amortized variational autoencoders, §3 (there of a posterior);
    Bond-Taylor & Willcocks 2021 (codes by one step from the origin).
    """
    for name, value in (("number of steps", steps), ("rate", rate), ("length", longest)):
        check_range(f"the {name}", value, 0, math.inf)

    def encode(params: Params, x: Array) -> Array:
        def error(code: Array) -> Array:
            return jnp.sum(loss.elementwise(model.decode(params, code), x))

        def step(code: Array, _: None) -> tuple[Array, None]:
            return code - shortened(rate * jax.grad(error)(code), longest), None

        return jax.lax.scan(step, model.encode(params, x), length=steps)[0]

    return Autoencoder(model.init, encode, model.decode)


def shortened(vectors: Float[Array, "batch *code"], longest: float) -> Float[Array, "batch *code"]:
    """Each example's vector v, or v · longest / ‖v‖ where it is longer.

    Args:
        vectors: one an example.
        longest: Euclidean length at most, 0 or more.

    Returns:
        The vectors; they have a gradient everywhere, at zero too.
    """
    squares = jnp.sum(jnp.square(vectors), axis=tuple(range(1, vectors.ndim)), keepdims=True)
    return vectors * jnp.minimum(
        1, longest * jax.lax.rsqrt(squares + jnp.finfo(squares.dtype).eps ** 2)
    )
