"""Codes that an encoder proposes and the decoder improves."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import as_integer, check_range
from aejax.types import Array, Autoencoder, Loss, Params


def refined(
    model: Autoencoder,
    loss: Loss,
    *,
    steps: int = 4,
    rate: float | Float[Array, ""] = 0.03,
) -> Autoencoder:
    """The autoencoder whose code goes down the reconstruction error from where the encoder put it.

        h_0 = encode(x),   h_{t+1} = h_t − η ∂/∂h Σ_j ℓ(decode(h_t), x)_j,   code h_T.

    The encoder of one pass misses the best code of an example by far (its amortisation gap); a few
    steps take most of that away. They are part of the model: training goes through them, so that
    the decoder learns to be easy to go down on. Training may find that it needs no proposal: then
    the encoder's is a constant, and the code is the decoder's gradient alone. The code is fitted to
    the x that it is given: under a corruption that would be the corrupted one.

    Args:
        model: whose code is an array [batch, *code].
        loss: ℓ, the objective's, whose target is the input itself.
        steps: T, 0 or more.
        rate: η, 0 or more, in units of code² per loss.

    Returns:
        An `Autoencoder` with the model's params.

    Raises:
        ValueError: for a number of steps that is no integer, or it or a rate below 0.

    Source: Kim et al. 2018, Semi-amortized variational autoencoders, §3 (there of a posterior);
    Bond-Taylor & Willcocks 2021 (codes by one step from the origin).
    """
    steps = as_integer("the number of steps", steps)
    for name, value in (("number of steps", steps), ("rate", rate)):
        check_range(f"the {name}", value, 0, math.inf)

    def encode(params: Params, x: Array) -> Array:
        def error(code: Array) -> Array:
            return jnp.sum(loss.elementwise(model.decode(params, code), x))

        def step(code: Array, _: None) -> tuple[Array, None]:
            return code - rate * jax.grad(error)(code), None

        return jax.lax.scan(step, model.encode(params, x), length=steps)[0]

    return Autoencoder(model.init, encode, model.decode)
