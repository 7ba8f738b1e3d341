"""Binary codes for semantic hashing."""

from collections.abc import Callable

import jax

from aejax.types import Array, Autoencoder, Params


def binary_code(
    model: Autoencoder, *, activation: Callable[[Array], Array] = jax.nn.sigmoid
) -> Autoencoder:
    """An autoencoder whose code z consists of logits of bits, decoded as model.decode(f(z)).

    Bit l of an example is 1[z_l > 0]. Two choices make the relaxed bits f(z) nearly binary:

    - f = σ with noise on z, `objective(..., perturbation=corruptions.gaussian(sigma=4.0))`: only
      large |z| survive the noise, so training drives σ(z) towards 0 or 1.
    - f = `aejax.straight_through`: the decoder receives the bits themselves.

    Args:
        model: autoencoder with a real-valued array as code, such as
            `dense(..., code_activation=jax.nn.identity)`.
        activation: f, from logits to [0, 1].

    Returns:
        An `Autoencoder` with the parameters of the model.

    Source: Salakhutdinov & Hinton 2009, Semantic hashing (noise on the logits of the code).

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> model = aejax.binary_code(aejax.dense((8, 3), code_activation=jax.nn.identity))
        >>> bits = model.encode(model.init(jax.random.key(0)), jnp.ones((4, 8))) > 0
        >>> bits.shape, bits.dtype
        ((4, 3), dtype('bool'))
    """

    def decode(params: Params, code: Array) -> Array:
        return model.decode(params, activation(code))

    return Autoencoder(model.init, model.encode, decode)
