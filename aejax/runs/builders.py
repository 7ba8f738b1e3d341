"""The pieces that a run's settings name: normalisation, model, objective, optimizer."""

import dataclasses
from functools import partial
from math import prod
from typing import Any

import numpy as np
import optax

from aejax import augmentations, registry
from aejax.corruptions import on_images
from aejax.data import LazyArray, Normalisation, identity, standardise, unit_range
from aejax.models import convolutional, dense, mixed_precision, refined
from aejax.objectives import Objective, objective
from aejax.runs.configuration import Moves, Training
from aejax.types import Array, Augmentation, Autoencoder, Code, Params, Penalty


def make_normalisation(
    training: Training, x_train: np.ndarray | LazyArray, *, low: float | None, high: float | None
) -> Normalisation:
    """The invertible scaling, a shift and a scale a feature, with statistics of the train examples.

    They may lie in memory or not.
    """
    match training.normalise:
        case "unit-range" if low is not None and high is not None:
            found = unit_range(x_train, low=low, high=high)
        case "unit-range":
            found = unit_range(x_train)
        case "standardise":
            found = standardise(x_train)
        case "none":
            found = identity()
    return Normalisation(*(np.broadcast_to(part, x_train.shape[1:]) for part in found))


def make_model(training: Training, shape: tuple[int, ...]) -> Autoencoder:
    """The autoencoder of flat examples that have this shape; ValueError where they do not fit."""
    features = prod(shape)
    sizes = training.sizes or (features, 128, 16)
    if sizes[0] != features:
        raise ValueError(
            f"the data have {features} features, but sizes start with {sizes[0]}: "
            f"say --sizes {' '.join(map(str, (features, *sizes[1:])))}"
        )
    if training.channels and training.decoder_sizes:
        raise ValueError("a decoder of convolutions mirrors its encoder: leave decoder-sizes out")
    activation, code_activation = _activations(training)
    make = (
        partial(dense, sizes, decoder_sizes=_decoder_sizes(training, sizes))
        if not training.channels
        else partial(
            _convolutional, _image_shape(shape, "channels are"), training.channels, sizes[1:]
        )
    )
    return make(
        activation=registry.activation(activation),
        code_activation=registry.activation(code_activation),
        tied=training.tied,
    )


def make_objective(training: Training, shape: tuple[int, ...]) -> Objective:
    """The objective that the settings describe, in full precision."""
    return _objective_of(make_model(training, shape), training, shape)


def make_trained_objective(training: Training, shape: tuple[int, ...]) -> Objective:
    """The objective as it is trained; what has been trained is used in full precision."""
    model = make_model(training, shape)
    if training.precision == "mixed":
        model = mixed_precision(model)
    return _objective_of(model, training, shape)


def make_optimizer(training: Training, steps: int) -> optax.GradientTransformation:
    """The optimizer that the settings describe, for a run of so many steps."""
    rate = training.learning_rate
    rise = min(round(training.warm_up / training.epochs * steps), steps - 1)
    start = 0.0 if rise else rate
    if training.schedule == "cosine":
        schedule = optax.warmup_cosine_decay_schedule(start, rate, rise, steps)
    else:
        schedule = optax.warmup_constant_schedule(start, rate, rise)
    clip = optax.identity() if training.clip is None else optax.clip_by_global_norm(training.clip)
    return optax.chain(clip, registry.optimizer(training.optimizer, schedule))


def make_augmentation(moves: Moves) -> Augmentation | None:
    """The augmentation of images that the settings describe; None where nothing moves."""
    ranges = dataclasses.asdict(moves)
    interpolation = registry.image_interpolation(ranges.pop("interpolation"))
    if not any(ranges.values()):
        return None
    return augmentations.affine(**ranges, interpolation=interpolation)


def _objective_of(model: Autoencoder, training: Training, shape: tuple[int, ...]) -> Objective:
    loss = registry.loss(training.loss)
    if training.refinement_steps:
        model = refined(model, loss, steps=training.refinement_steps, rate=training.refinement_rate)
    return objective(
        model,
        loss,
        augmentation=_augmentation(training, shape),
        corruption=registry.corruption(training.corruption, training.corruption_level),
        penalties=_penalties(training),
    )


def _decoder_sizes(training: Training, sizes: tuple[int, ...]) -> tuple[int, ...] | None:
    """From the code to the output, None for the mirror; ValueError where they do not join."""
    ends = sizes[-1], sizes[0]
    found = training.decoder_sizes
    if found and (len(found) < 2 or (found[0], found[-1]) != ends):
        raise ValueError(
            f"decoder-sizes go from the code to the output, from {ends[0]} to {ends[1]}, "
            f"got {' '.join(map(str, found))}"
        )
    return found or None


def _activations(training: Training) -> tuple[registry.Activation, registry.Activation]:
    """Of hidden layers, and of the code."""
    return training.activation, training.code_activation or training.activation


def _convolutional(
    image: tuple[int, ...], channels: tuple[int, ...], units: tuple[int, ...], **settings: Any
) -> Autoencoder:
    """Convolutions and dense layers, between flat examples."""
    model = convolutional(image, channels, units=units, **settings)

    def encode(params: Params, x: Array) -> Code:
        return model.encode(params, x.reshape(-1, *image))

    def decode(params: Params, code: Code) -> Array:
        output = model.decode(params, code)
        return output.reshape(len(output), -1)

    return Autoencoder(model.init, encode, decode)


def _augmentation(training: Training, shape: tuple[int, ...]) -> Augmentation | None:
    augmentation = make_augmentation(training.augmentation)
    if augmentation is None:
        return None
    *image, channels = _image_shape(shape, "augmentation is")
    if channels != 1:
        raise ValueError(f"augmentation is for images of one channel, got {channels}")
    return on_images(augmentation, image_shape=tuple(image))


def _image_shape(shape: tuple[int, ...], what: str) -> tuple[int, ...]:
    """[height, width, channels] of the examples; ValueError where they are no images."""
    if len(shape) not in (2, 3):
        raise ValueError(
            f"{what} for images, [height, width] or [height, width, channels], "
            f"but the data's examples have shape {list(shape)}"
        )
    return (*shape, 1)[:3]


def _penalties(training: Training) -> dict[str, tuple[float, Penalty]]:
    weights, (_, code_activation) = training.penalty, _activations(training)
    dense_layers = 0 if training.channels else len(training.sizes) - 1
    if weights.sparsity and code_activation != "sigmoid":
        raise ValueError("KL sparsity needs a code in [0, 1]: say --code-activation sigmoid")
    return registry.weighted_penalties(
        {
            "l2": weights.l2,
            "l1": weights.l1,
            "sparsity": weights.sparsity,
            "contraction": weights.contraction,
        },
        rho=weights.rho,
        one_logistic_layer=dense_layers == 1
        and code_activation == "sigmoid"
        and not training.refinement_steps,
    )
