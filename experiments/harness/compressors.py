"""Compressors of images to low-dimensional codes, as functions x -> x̂."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

import aejax
from aejax import Batch, Initializers, Objective, corruptions, losses, theory, training
from aejax.runs.builders import (
    make_augmentation,
    make_objective,
    make_optimizer,
    make_trained_objective,
)
from aejax.runs.configuration import Training
from aejax.runs.recipes import RECIPES
from aejax.types import Array, Augmentation, Key, Loss, Params
from experiments.harness.layer_stacks import rbm_stack

Reconstruction = Callable[[Array], Array]
"""x [examples, features] -> x̂."""

AUGMENTATION = RECIPES["thirty-numbers"].training.augmentation
"""Affine augmentation of the recipe."""


class Deep(NamedTuple):
    """A deep autoencoder with a linear code, and its training settings.

    sizes:      units of the encoder's layers; the decoder has them in reverse.
    epochs:     epochs of training.
    activation: activation of hidden layers.
    pretrained: epochs of pretraining of each layer as a restricted Boltzmann machine.
    augmented:  whether images have random affine augmentation, resampled at every step.
    loss:       loss with its output link (default: logistic, for pixels in [0, 1]).
    sampler:    (key, x) -> new examples, which replace the batch x at every step (default: none).
    start:      initialisers of kernels and biases.
    """

    sizes: tuple[int, ...]
    epochs: int
    activation: Callable[[Array], Array] = jax.nn.sigmoid
    pretrained: int = 0
    augmented: bool = False
    loss: Loss = losses.squared_logistic
    sampler: Augmentation | None = None
    start: Initializers = Initializers()


def pca_reconstruction(x: Array, code: int) -> Reconstruction:
    """Reconstruct by PCA of the training images."""
    return components_reconstruction(theory.pca(x), code)


def components_reconstruction(analysis: theory.PCA, code: int) -> Reconstruction:
    """Reconstruct by the first components of a PCA."""
    rows, mean = jnp.asarray(analysis.components[:code]), jnp.asarray(analysis.mean)
    return lambda x: mean + (x - mean) @ rows.T @ rows


def logistic_reconstruction(key: Key, x: Array, code: int) -> Reconstruction:
    """Reconstruct by logistic PCA of the training images."""
    found = theory.logistic_pca(key, x, code)
    return lambda x: theory.logistic_reconstruction(found, theory.logistic_codes(found, x))


def deep_reconstruction(
    key: Key, x: Array, deep: Deep, *, batch_size: int, learning_rate: float
) -> Reconstruction:
    """Train a deep autoencoder by Muon in mixed precision; reconstruct in full precision.

    Args:
        key: key of initialisation and training.
        x: training images.
        deep: autoencoder and training settings.
        batch_size: examples per step.
        learning_rate: maximum learning rate of Muon.

    Returns:
        Function x -> x̂.
    """
    key_start, key = jax.random.split(key)
    program = deep._replace(pretrained=0)  # shared compilation: only the initialisation differs
    full, mixed = objectives(program, round(x.shape[1] ** 0.5))
    optimizer = muon_with_schedule(deep.epochs * -(-len(x) // batch_size), learning_rate)
    state = training.init_state(mixed, optimizer, key)
    if deep.pretrained:
        state = state._replace(params=pretrain_stack(key_start, x, deep, batch_size))
    state, _ = training.fit(
        mixed, optimizer, Batch(x), state=state, epochs=deep.epochs, batch_size=batch_size
    )
    return lambda x: aejax.reconstruct(full, state.params, x)


def recipe_reconstruction(key: Key, x: Array, settings: Training) -> Reconstruction:
    """Train the same autoencoder as `aejax train` with these settings, and reconstruct by it.

    Args:
        key: key of initialisation and training.
        x: training images.
        settings: configuration of the run; its data and seed are ignored.

    Returns:
        Function x -> x̂ in full precision.
    """
    full, trained, optimizer = _from_settings(settings, -(-len(x) // settings.batch_size))
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
def _from_settings(
    settings: Training, steps: int
) -> tuple[Objective, Objective, optax.GradientTransformation]:
    side = round(settings.sizes[0] ** 0.5)
    full, trained = (
        make(settings, (side, side)) for make in (make_objective, make_trained_objective)
    )
    return full, trained, make_optimizer(settings, steps * settings.epochs)


@cache  # an objective and an optimizer are compiled once for all seeds
def objectives(deep: Deep, side: int) -> tuple[Objective, Objective]:
    """Objectives in full precision, for evaluation, and in mixed precision, for training."""
    model = aejax.dense(
        deep.sizes,
        activation=deep.activation,
        code_activation=jax.nn.identity,
        initializers=deep.start,
    )
    mixed = aejax.objective(
        aejax.mixed_precision(model), deep.loss, augmentation=_augmentation(deep, side)
    )
    return aejax.objective(model, deep.loss), mixed


def _augmentation(deep: Deep, side: int) -> Augmentation | None:
    if not deep.augmented:
        return deep.sampler
    augment = make_augmentation(AUGMENTATION)
    assert augment is not None
    return corruptions.on_images(augment, image_shape=(side, side))


@cache
def muon_with_schedule(steps: int, learning_rate: float) -> optax.GradientTransformation:
    """Muon with linear warm-up for 5 % of the steps and cosine decay to zero."""
    rate = optax.warmup_cosine_decay_schedule(0, learning_rate, max(steps // 20, 1), steps)
    return training.muon(rate, dtype=jnp.bfloat16)


def pretrain_stack(key: Key, x: Array, deep: Deep, batch_size: int) -> Params:
    """Pretrain layers as Boltzmann machines and unroll them with untied decoder weights."""
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
    return rbm_stack(sizes, examples=examples, batch_size=batch_size)
