"""Training of networks on images with square holes, which are marked in their input."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Bool, Float

import aejax
from aejax import Batch, corruptions, losses, training
from aejax.types import Array, Autoencoder, Corruption, Key, Params

Images = Float[np.ndarray, "images height width"]
Holes = Bool[np.ndarray, "images height width"]

Fill = Callable[[Images, Holes], Images]
"""Method of inpainting: (images, masks of the missing pixels) -> filled images."""

HOLE = -1.0
"""Value of a missing pixel; other pixels are in [0, 1]."""


class InpainterSettings(Protocol):
    """Fields of a `Config` that determine a network and its training."""

    channels: tuple[int, ...]
    units: int
    holes: tuple[int, ...]
    batch_size: int
    learning_rate: float
    seed: int


def train_inpainter(settings: InpainterSettings, x: Images, epochs: int) -> Callable[[int], Fill]:
    """Function seed -> trained network as a method of inpainting, compiled once for all seeds.

    Args:
        settings: architecture, sides of the holes and training settings.
        x: complete images in [0, 1].
        epochs: epochs of training.
    """
    objective = aejax.objective(
        convolutional_inpainter(x.shape[1:], settings.channels, settings.units),
        losses.squared_logistic,
        corruption=marked(block_sides(settings.holes)),
    )
    steps = epochs * -(-len(x) // settings.batch_size)
    rate = optax.warmup_cosine_decay_schedule(0, settings.learning_rate, steps // 20, steps)
    optimizer, batch = optax.adam(rate), Batch(jnp.asarray(x[..., None]))
    reconstruct = jax.jit(partial(aejax.reconstruct, objective))

    def train(seed: int) -> Fill:
        key = jax.random.fold_in(jax.random.key(settings.seed), seed)
        state, _ = training.fit(
            objective, optimizer, batch, key=key, epochs=epochs, batch_size=settings.batch_size
        )

        def fill(x: Images, holes: Holes) -> Images:
            guess = reconstruct(state.params, np.where(holes, HOLE, x)[..., None])
            return np.where(holes, np.asarray(guess)[..., 0], x)

        return fill

    return train


def block_sides(sides: tuple[int, ...]) -> Corruption:
    """Block masking with a random side for each batch."""
    each = [corruptions.block_masking(size=(side, side)) for side in sides]

    def corrupt(key: Key, x: Array) -> Array:
        key_side, key_position = jax.random.split(key)
        return jax.lax.switch(jax.random.randint(key_side, (), 0, len(each)), each, key_position, x)

    return corrupt


def marked(masking: Corruption) -> Corruption:
    """Corruption that sets the pixels which `masking` sets to zero to `HOLE` instead."""

    def corrupt(key: Key, x: Array) -> Array:
        return jnp.where(masking(key, jnp.ones_like(x)) == 0, HOLE, x)

    return corrupt


def convolutional_inpainter(
    shape: tuple[int, int], channels: tuple[int, ...], units: int
) -> Autoencoder:
    """Convolutional autoencoder whose encoder sees each image with a mask of its holes.

    Args:
        shape: height and width of the images.
        channels: channels of the encoder's convolutions, of stride two and kernel size three.
        units: units of the dense layer between encoder and decoder.

    Returns:
        The `Autoencoder` from [batch, height, width, 1] with `HOLE` for missing pixels.

    Source: Pathak et al. 2016, §3.1.
    """
    model = aejax.convolutional(
        (*shape, 2),
        channels,
        units=(units,),
        decoder_channels=(*channels[::-1], 1),
        activation=jax.nn.gelu,
    )

    def encode(params: Params, x: Array) -> Array:
        missing = x == HOLE
        return model.encode(params, jnp.concatenate([jnp.where(missing, 0, x), missing], axis=-1))

    return model._replace(encode=encode)
