"""Activations that `jax.nn` does not have."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import as_integer
from aejax.types import Array


def top_k(*, k: int) -> Callable[[Array], Array]:
    """k-sparse activation: the k largest units of each example keep their values, the rest are 0.

    h_l = z_l if z_l is among the k largest of z, else 0; the gradient flows through those k. Of
    equal units the first are kept, so exactly k are. It is an activation and not a perturbation
    because a k-sparse code is sparse at test time too: `dense(..., code_activation=top_k(k=...))`.

    Args:
        k: how many units stay, from 1 to the units of the code.

    Returns:
        The activation, along the last axis.

    Raises:
        ValueError: for k that is no integer, or below 1; from the activation, for fewer than k
            units.

    Source: Makhzani & Frey 2014, §2.1.
    """
    k = as_integer("top_k's k", k)
    if k < 1:
        raise ValueError(f"top_k must keep one unit or more, got k = {k}")

    def keep(z: Array) -> Array:
        values, units = jax.lax.top_k(z, k)
        return jnp.zeros_like(z).at[units].set(values)

    def activation(z: Float[Array, "*batch units"]) -> Float[Array, "*batch units"]:
        if k > z.shape[-1]:
            raise ValueError(f"top_k cannot keep {k} of {z.shape[-1]} units; use a smaller k")
        return jnp.vectorize(keep, signature="(units)->(units)")(z)

    return activation


def straight_through(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Bits that can be trained through: h = 1[z > 0], with the derivative σ(z) (1 − σ(z)) of σ.

    The step has derivative 0 wherever it has one; that of the logistic, which is a soft step,
    stands for it. So what flows back is not the gradient of the objective, but an estimate.

    Args:
        z: logits, where 0 is the threshold.

    Returns:
        0 or 1, shaped and typed like z.

    Source: Bengio, Léonard & Courville 2013 (the straight-through estimator; theirs takes the
        derivative of the identity, or this one).
    """
    h = jax.nn.sigmoid(z)
    return (z > 0).astype(h.dtype) + (h - jax.lax.stop_gradient(h))
