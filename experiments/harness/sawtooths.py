"""Sawtooth curves, and decoders that fold a line into them."""

import itertools

import jax.numpy as jnp

from aejax.types import Array, Params


def sawtooth(t: Array, folds: int) -> Array:
    """Points (t, z), where z is the tent map 1 − |2 t − 1| applied `folds` times to t."""
    z = t
    for _ in range(folds):
        z = 1 - jnp.abs(2 * z - 1)
    return jnp.stack([t, z], axis=1)


def folding_params(folds: int) -> Params:
    """Parameters of an exact autoencoder of (t, z) with code t and `folds` layers of three units.

    Each layer computes relu(t), relu(z) and relu(z − ½); the tent map of z is
    2 relu(z) − 4 relu(z − ½).
    """
    first = jnp.array([[1.0, 1, 1]])
    middle = jnp.array([[1.0, 0, 0], [0, 2, 2], [0, -4, -4]])
    last = {"kernel": middle[:, :2], "bias": jnp.zeros(2)}
    kernels = [first, *[middle] * (folds - 1)]
    layers = [{"kernel": kernel, "bias": jnp.array([0, 0, -0.5])} for kernel in kernels]
    encoder = {"layer_0": {"kernel": jnp.array([[1.0], [0]]), "bias": jnp.zeros(1)}}
    decoder = {f"layer_{i}": layer for i, layer in enumerate([*layers, last])}
    return {"encoder": encoder, "decoder": decoder}


def num_parameters(hidden: tuple[int, ...]) -> int:
    """Number of parameters of a decoder from one code unit to two outputs."""
    sizes = (1, *hidden, 2)
    return sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(sizes))


def single_layer(hidden: tuple[int, ...]) -> tuple[int, ...]:
    """The smallest single layer with at least as many parameters (4 per unit, plus 2)."""
    return (-(-(num_parameters(hidden) - 2) // 4),)
