"""Compressors of images to a few numbers, each a reconstruction: what it makes of x."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

import aejax
from aejax import Batch, Objective, corruptions, losses, theory, training
from aejax.runs.builders import (
    make_augmentation,
    make_objective,
    make_optimizer,
    make_trained_objective,
)
from aejax.runs.configuration import Training
from aejax.runs.recipes import RECIPES
from aejax.types import Array, Key, Loss, Params
from experiments.harness.machines import machines

Reconstruction = Callable[[Array], Array]
"""x [examples, features] -> x̂."""

MOVES = RECIPES["thirty-numbers"].training.augmentation
"""Of augmented images: those of the recipe."""


class Deep(NamedTuple):
    """A deep autoencoder with a linear code, and how it is trained.

    sizes:      units of the encoder's layers; the decoder mirrors them.
    epochs:     passes over the data.
    activation: of hidden layers.
    pretrained: epochs of each layer as a restricted Boltzmann machine, before all of it.
    augmented:  whether images are turned, stretched, sheared and shifted anew in every step.
    loss:       with the outputs' link: logistic, for pixels in [0, 1], unless given.
    """

    sizes: tuple[int, ...]
    epochs: int
    activation: Callable[[Array], Array] = jax.nn.sigmoid
    pretrained: int = 0
    augmented: bool = False
    loss: Loss = losses.squared_logistic


def pca_reconstruction(x: Array, code: int) -> Reconstruction:
    """By PCA of the training images."""
    analysis = theory.pca(x)
    rows, mean = jnp.asarray(analysis.components[:code]), jnp.asarray(analysis.mean)
    return lambda x: mean + (x - mean) @ rows.T @ rows


def logistic_reconstruction(key: Key, x: Array, code: int) -> Reconstruction:
    """By logistic PCA of the training images."""
    found = theory.logistic_pca(key, x, code)
    return lambda x: theory.logistic_reconstruction(found, theory.logistic_codes(found, x))


def deep_reconstruction(
    key: Key, x: Array, deep: Deep, *, batch_size: int, learning_rate: float
) -> Reconstruction:
    """By a deep autoencoder: trained in mixed precision by Muon, used in full.

    Args:
        key: of start and training.
        x: training images.
        deep: what is trained.
        batch_size: examples a step.
        learning_rate: Muon's, at its highest.

    Returns:
        Its reconstruction.
    """
    key_start, key = jax.random.split(key)
    program = deep._replace(pretrained=0)  # the start is no part of what is compiled
    full, mixed = objectives(program, round(x.shape[1] ** 0.5))
    optimizer = schedule(deep.epochs * -(-len(x) // batch_size), learning_rate)
    state = training.init_state(mixed, optimizer, key)
    if deep.pretrained:
        state = state._replace(params=pretrained(key_start, x, deep, batch_size))
    state, _ = training.fit(
        mixed, optimizer, Batch(x), state=state, epochs=deep.epochs, batch_size=batch_size
    )
    return lambda x: aejax.reconstruct(full, state.params, x)


def recipe_reconstruction(key: Key, x: Array, settings: Training) -> Reconstruction:
    """By what `aejax train` would train with the same settings.

    Args:
        key: of start and training.
        x: training images.
        settings: all but data and seed, which are those given.

    Returns:
        Its reconstruction, in full precision.
    """
    full, trained, optimizer = _pieces(settings, -(-len(x) // settings.batch_size))
    state, _ = training.fit(
        trained,
        optimizer,
        Batch(x),
        key=key,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
    )
    return lambda x: aejax.reconstruct(full, state.params, x)


@cache  # compiled once for all seeds
def _pieces(
    settings: Training, steps: int
) -> tuple[Objective, Objective, optax.GradientTransformation]:
    side = round(settings.sizes[0] ** 0.5)
    full, trained = (
        make(settings, (side, side)) for make in (make_objective, make_trained_objective)
    )
    return full, trained, make_optimizer(settings, steps * settings.epochs)


@cache  # an objective and an optimizer are compiled once for all seeds
def objectives(deep: Deep, side: int) -> tuple[Objective, Objective]:
    """In full precision, to measure; and as it is trained."""
    model = aejax.dense(deep.sizes, activation=deep.activation, code_activation=jax.nn.identity)
    moved = make_augmentation(MOVES)
    assert moved is not None
    augmentation = corruptions.on_images(moved, image_shape=(side, side))
    mixed = aejax.objective(
        aejax.mixed_precision(model),
        deep.loss,
        augmentation=augmentation if deep.augmented else None,
    )
    return aejax.objective(model, deep.loss), mixed


@cache
def schedule(steps: int, learning_rate: float) -> optax.GradientTransformation:
    """Muon; its rate rises for a twentieth of the steps, and falls to zero as half a cosine."""
    rate = optax.warmup_cosine_decay_schedule(0, learning_rate, max(steps // 20, 1), steps)
    return training.muon(rate, dtype=jnp.bfloat16)


def pretrained(key: Key, x: Array, deep: Deep, batch_size: int) -> Params:
    """Layer by layer as machines, unrolled into transposed copies."""
    params, _ = training.pretrain(
        _layers(deep.sizes, len(x), batch_size),
        x,
        key=key,
        epochs=deep.pretrained,
        batch_size=batch_size,
    )
    return aejax.untied(training.unroll(params))


@cache
def _layers(sizes: tuple[int, ...], examples: int, batch_size: int) -> list:
    return machines(sizes, examples=examples, batch_size=batch_size)
