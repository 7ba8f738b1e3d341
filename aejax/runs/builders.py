"""Factories from the settings of a run: normalisation, model, objective, optimizer."""

import dataclasses
from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import optax

from aejax import augmentations, registry
from aejax.corruptions import on_images
from aejax.data import (
    Column,
)
from aejax.models import convolutional, dense, mixed_precision, refined, with_linear_path
from aejax.objectives import Objective, objective
from aejax.runs.configuration import AffineAugmentation, Training
from aejax.runs.dictionary_objective import (
    dictionary_constraints,
    dictionary_penalties,
    make_dictionary,
)
from aejax.runs.factories import call_factory
from aejax.runs.quantised_objective import (
    is_quantised,
    quantisation_penalties,
    quantise_code_of,
    with_averaged_codebook,
)
from aejax.runs.variational_objective import (
    binarisation,
    is_variational,
    make_variational,
    posterior_of,
    variational_penalties,
)
from aejax.trackers import steps_since_active
from aejax.training import constrained
from aejax.types import Array, Augmentation, Autoencoder, Code, Loss, Params, Penalty


def input_shape(training: Training, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of one example for the model: flat, unless a factory makes a model of other examples.

    Args:
        training: settings of the run.
        shape: shape of one raw example.

    Returns:
        The shape.
    """
    is_flat = training.factory is None or "features" in training.arguments
    return (prod(shape),) if is_flat else shape


def with_data_arguments(training: Training, shape: tuple[int, ...]) -> Training:
    """Settings with the arguments of the factory that are taken from the data.

    Args:
        training: settings of a run, in which those arguments are named.
        shape: shape of one raw example.

    Returns:
        The settings.
    """
    found = {"features": prod(shape), "shape": list(shape)}
    filled = {name: found[name] for name in training.arguments if name in found}
    return dataclasses.replace(training, arguments=training.arguments | filled)


def make_model(training: Training, shape: tuple[int, ...], *, in_use: bool = True) -> Autoencoder:
    """Make the autoencoder of flattened examples; ValueError if the settings do not fit them.

    Args:
        training: settings of the run.
        shape: shape of one raw example.
        in_use: whether a dictionary has the threshold that is solved for after training.

    Returns:
        The autoencoder.
    """
    features = prod(shape)
    sizes = training.sizes or (features, 128, 16)
    if sizes[0] != features:
        raise ValueError(
            f"the data have {features} features, but sizes start with {sizes[0]}: "
            f"say --sizes {' '.join(map(str, (features, *sizes[1:])))}"
        )
    if training.dictionary.activation is not None:
        return make_dictionary(training, in_use=in_use)
    if is_variational(training):
        return make_variational(training, sizes)
    if training.channels and training.decoder_sizes:
        raise ValueError("a convolutional decoder mirrors its encoder: remove --decoder-sizes")
    conflict = linear_path_conflict(training) if training.linear_path else None
    if conflict:
        raise ValueError(
            "a linear path requires dense, untied layers, an identity code and squared error of "
            f"all values: remove --linear-path or {conflict}"
        )
    activation, code_activation = _activations(training)
    make = (
        partial(dense, sizes, decoder_sizes=_decoder_sizes(training, sizes))
        if not training.channels
        else partial(_convolutional, _image_shape(shape, "channels"), training.channels, sizes[1:])
    )
    model = make(
        activation=registry.activation(activation),
        code_activation=registry.activation(code_activation),
        tied=training.tied,
    )
    if is_quantised(training):
        return quantise_code_of(model, training)
    return with_linear_path(model, features, sizes[-1]) if training.linear_path else model


def linear_path_conflict(training: Training) -> str | None:
    """First option that excludes a linear path beside the layers."""
    _, code_activation = _activations(training)
    conflicts = {
        "--variational.posterior": is_variational(training),
        "--quantised.quantiser": is_quantised(training),
        "--channels": bool(training.channels),
        "--tied": training.tied,
        f"--code-activation {code_activation}": code_activation != "identity",
        f"--loss {training.loss}": training.loss != "squared",
        "--missing weight-zero": training.missing == "weight-zero",
    }
    return next((option for option, is_set in conflicts.items() if is_set), None)


def make_objective(
    training: Training, shape: tuple[int, ...], columns: Sequence[Column] = ()
) -> Objective:
    """Make the objective in full precision, for examples of this shape, or of these columns."""
    if training.factory is not None:
        return call_factory(training.factory, training.arguments)
    return _objective_of(make_model(training, shape), training, shape, columns)


def make_trained_objective(
    training: Training, shape: tuple[int, ...], columns: Sequence[Column] = ()
) -> Objective:
    """Make the objective for training, in the precision of the settings."""
    if training.factory is not None:
        return make_objective(training, shape)
    model = make_model(training, shape, in_use=False)
    if training.precision == "mixed":
        model = mixed_precision(model)
    return _objective_of(model, training, shape, columns)


def make_optimizer(
    training: Training, steps: int, *, learning_rate: float | Array | None = None
) -> optax.GradientTransformation:
    """Make the optimizer for a run of this number of steps.

    Args:
        training: settings of the run.
        steps: number of steps.
        learning_rate: maximum learning rate in place of that of the settings; it may be traced.

    Returns:
        The optimizer.
    """
    rate = training.learning_rate if learning_rate is None else learning_rate
    warm_up_steps = min(round(training.warm_up / training.epochs * steps), steps - 1)
    start = 0.0 if warm_up_steps else rate
    if training.schedule == "cosine":
        # `optax.warmup_cosine_decay_schedule`, whose peak cannot be traced
        decay = optax.cosine_decay_schedule(rate, steps - warm_up_steps)
        warm_up = optax.linear_schedule(start, rate, warm_up_steps)
        schedule = optax.join_schedules([warm_up, decay], [warm_up_steps])
    else:
        schedule = optax.warmup_constant_schedule(start, rate, warm_up_steps)
    clip = optax.identity() if training.clip is None else optax.clip_by_global_norm(training.clip)
    optimizer = optax.chain(clip, registry.optimizer(training.optimizer, schedule))
    constraints = dictionary_constraints(training.dictionary)
    if constraints:
        return constrained(optimizer, *constraints)
    return with_averaged_codebook(optimizer, training)


def make_augmentation(settings: AffineAugmentation) -> Augmentation | None:
    """Make the augmentation of images; None if all ranges are 0."""
    ranges = dataclasses.asdict(settings)
    interpolation = registry.image_interpolation(ranges.pop("interpolation"))
    if not any(ranges.values()):
        return None
    return augmentations.affine(**ranges, interpolation=interpolation)


def _objective_of(
    model: Autoencoder, training: Training, shape: tuple[int, ...], columns: Sequence[Column]
) -> Objective:
    loss = registry.loss(training.loss, columns)
    if training.refinement_steps:
        model = refined(model, loss, steps=training.refinement_steps, rate=training.refinement_rate)
    is_dictionary = training.dictionary.activation is not None
    return objective(
        model,
        loss,
        augmentation=_augmentation(training, shape),
        corruption=registry.corruption(training.corruption, training.corruption_level),
        perturbation=posterior_of(training).sample if is_variational(training) else None,
        penalties=_penalties(training, loss),
        tracker=steps_since_active(training.sizes[-1]) if is_dictionary else None,
    )


def _decoder_sizes(training: Training, sizes: tuple[int, ...]) -> tuple[int, ...] | None:
    """Sizes from the code to the output, None for the mirror image of the encoder."""
    ends = sizes[-1], sizes[0]
    found = training.decoder_sizes
    if found and (len(found) < 2 or (found[0], found[-1]) != ends):
        raise ValueError(
            f"decoder-sizes must go from the code size {ends[0]} to the output size {ends[1]}, "
            f"got {' '.join(map(str, found))}"
        )
    return found or None


def _activations(training: Training) -> tuple[registry.Activation, registry.Activation]:
    """Activations of the hidden layers and of the code."""
    return training.activation, training.code_activation or training.activation


def _convolutional(
    image: tuple[int, ...], channels: tuple[int, ...], units: tuple[int, ...], **settings: Any
) -> Autoencoder:
    """Make an autoencoder with convolutions and dense layers for flattened examples."""
    model = convolutional(image, channels, units=units, **settings)

    def encode(params: Params, x: Array) -> Code:
        return model.encode(params, x.reshape(-1, *image))

    def decode(params: Params, code: Code) -> Array:
        output = model.decode(params, code)
        return output.reshape(len(output), -1)

    return Autoencoder(model.init, encode, decode)


def _augmentation(training: Training, shape: tuple[int, ...]) -> Augmentation | None:
    """Augmentation of flattened images."""
    augmentation, binarise = make_augmentation(training.augmentation), binarisation(training)
    if binarise is not None and (augmentation is not None or training.normalise != "unit-range"):
        raise ValueError(
            "binary examples are sampled from values in [0, 1] without augmentation: say "
            "--normalise unit-range and leave out --augmentation, or --variational.binarise"
        )
    if augmentation is None:
        return binarise
    *image, channels = _image_shape(shape, "augmentation")
    if channels != 1:
        raise ValueError(f"augmentation requires images of one channel, got {channels}")
    return on_images(augmentation, image_shape=tuple(image))


def _image_shape(shape: tuple[int, ...], option: str) -> tuple[int, ...]:
    """[height, width, channels] of the examples; ValueError if they are not images."""
    if len(shape) not in (2, 3):
        raise ValueError(
            f"{option} requires images, [height, width] or [height, width, channels], "
            f"but the data's examples have shape {list(shape)}"
        )
    return (*shape, 1)[:3]


def _penalties(training: Training, loss: Loss) -> dict[str, tuple[float, Penalty]]:
    """Weights and penalties by name."""
    weights, (_, code_activation) = training.penalty, _activations(training)
    dense_layers = 0 if training.channels else len(training.sizes) - 1
    if weights.sparsity and code_activation != "sigmoid":
        raise ValueError("KL sparsity requires a code in [0, 1]: say --code-activation sigmoid")
    named = {} if training.dictionary.activation is None else dictionary_penalties(training)
    if is_variational(training):
        if weights.l1 or weights.sparsity or weights.contraction:
            raise ValueError(
                "the code of a variational autoencoder is a distribution: of the penalties, it has "
                "only --penalty.l2"
            )
        named = variational_penalties(training, loss)
    elif is_quantised(training):
        if weights.l1 or weights.sparsity or weights.contraction:
            raise ValueError("the code is discrete: of the penalties, it has only --penalty.l2")
        named = quantisation_penalties(training.quantised)
    return named | registry.weighted_penalties(
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
