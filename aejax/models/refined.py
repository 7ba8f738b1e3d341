"""Codes refined by gradient descent on the reconstruction error (semi-amortised inference)."""

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
    """Refine the code of the encoder by gradient steps on the reconstruction error.

        h_0 = encode(x),   h_{t+1} = h_t − η ∂/∂h Σ_j ℓ(decode(h_t), x)_j,   code h_T.

    The steps close most of the amortisation gap, the excess error of the encoder's code over the
    best code of an example. Training differentiates through them, so that the decoder learns a loss
    surface that gradient descent on the code decreases quickly. The encoder may then become
    constant, so that the code depends on x through the gradient alone. Under a corruption, the code
    is fitted to the corrupted x.

    Args:
        model: autoencoder with an array [batch, *code] as code.
        loss: loss ℓ of the objective; its target is the input.
        steps: number of steps T ≥ 0.
        rate: step size η ≥ 0, a scalar.

    Returns:
        An `Autoencoder` with the parameters of the model.

    Raises:
        ValueError: if `steps` is not an integer, or `steps` or `rate` is negative.

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
