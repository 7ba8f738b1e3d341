"""Rematerialisation (gradient checkpointing): activations recomputed in the backward pass."""

from collections.abc import Callable

import jax

from aejax.types import Autoencoder


def rematerialised(
    model: Autoencoder, *, policy: Callable[..., bool] = jax.checkpoint_policies.nothing_saveable
) -> Autoencoder:
    """Apply `jax.remat` to the encoder and the decoder of an autoencoder.

    By default only x and the code are stored for the backward pass, which recomputes all
    activations: about a third more computation. `jax.checkpoint_policies.dots_saveable` stores the
    results of matrix products and recomputes only elementwise operations. Values and gradients are
    unchanged. Pass the original model to `training.calibrate`; the parameters are the same.

    Args:
        model: any autoencoder.
        policy: policy of `jax.remat` that selects the values to store.

    Returns:
        An `Autoencoder` with the parameters of the model.

    Source: Chen et al. 2016, Training deep nets with sublinear memory cost, §3.
    """
    return Autoencoder(
        model.init,
        jax.remat(model.encode, policy=policy),
        jax.remat(model.decode, policy=policy),
    )
