"""Rematerialisation: what the backward pass needs is computed again instead of kept."""

from collections.abc import Callable

import jax

from aejax.types import Autoencoder


def rematerialised(
    model: Autoencoder, *, policy: Callable[..., bool] = jax.checkpoint_policies.nothing_saveable
) -> Autoencoder:
    """The same autoencoder, whose encoder and decoder keep little between forward and backward.

    By default only their inputs are kept, x and the code, and each is run again when its gradient
    is due: a third more work for the memory of its activations.
    `jax.checkpoint_policies.dots_saveable` keeps the results of multiplications and computes
    activations again alone. Values and gradients are the same. `training.calibrate` takes the model
    itself: its params are the same too.

    Args:
        model: any.
        policy: what may be kept, as `jax.remat` takes it.

    Returns:
        An `Autoencoder` with the model's params.

    Source: Chen et al. 2016, Training deep nets with sublinear memory cost, §3.
    """
    return Autoencoder(
        model.init,
        jax.remat(model.encode, policy=policy),
        jax.remat(model.decode, policy=policy),
    )
