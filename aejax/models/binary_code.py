"""Codes of bits, for semantic hashing."""

from collections.abc import Callable

import jax

from aejax.types import Array, Autoencoder, Params


def binary_code(
    model: Autoencoder, *, activation: Callable[[Array], Array] = jax.nn.sigmoid
) -> Autoencoder:
    """The autoencoder whose code is the logits of bits, which its decoder sees as near-bits f(z).

    encode gives z, decode gives model.decode(f(z)), and bit l of an example is 1[z_l > 0]. Two ways
    lead to bits that keep what the decoder needs:

    - f = σ and noise on z, `objective(..., perturbation=corruptions.gaussian(sigma=4.0))`: only a z
      far from 0 tells the decoder anything through the noise, so that σ(z) ends near 0 or 1.
    - f = `aejax.straight_through`: the decoder sees the bits themselves.

    Args:
        model: whose code is an array of any real values:
            `dense(..., code_activation=jax.nn.identity)`.
        activation: f, from logits to [0, 1].

    Returns:
        An `Autoencoder` with the model's params.

    Source: Salakhutdinov & Hinton 2009, Semantic hashing (noise on the logits of the code).
    """

    def decode(params: Params, code: Array) -> Array:
        return model.decode(params, activation(code))

    return Autoencoder(model.init, model.encode, decode)
