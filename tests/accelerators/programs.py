"""Programs of the support matrix: one value of each axis makes one training step."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple, get_args

import jax
import optax

import aejax
from aejax import (
    Batch,
    Objective,
    corruptions,
    losses,
    models,
    planning,
    registry,
    sharding,
    training,
)
from aejax.planning.step_plan import Place
from aejax.training import Gradient
from aejax.types import Penalty
from tests.accelerators.covering import Choice
from tests.contract import components
from tests.contract.components import CLASSES, FEATURES

SIZE = 16
"""Factor of the widths of the contract tests."""

BATCH_SIZE = 64
DIVIDED_UNITS = 3 * SIZE
"""Minimum number of units of a layer that tensor-parallel training divides."""

NONE, LABELS, VARIANCE = "none", "categorical of labels", "gaussian with variance"

OWN_LOSSES = {
    "segnet": LABELS,
    "shared variance": VARIANCE,
    "importance-weighted bounds": VARIANCE,
    "bounds with gradients of their own": VARIANCE,
}
"""Losses of models whose outputs do not have the shape of the input."""


class Program(NamedTuple):
    """Arguments of `planning.plan` for one step.

    objective:   objective with all components.
    optimizer:   optax gradient transformation.
    data:        shapes of the examples.
    place:       devices of the target -> placement.
    gradient_of: computation of the gradient.
    """

    objective: Objective
    optimizer: optax.GradientTransformation
    data: Batch
    place: Place
    gradient_of: Gradient


def axes() -> dict[str, tuple[str, ...]]:
    """Names of the components by axis, in the order in which tables show them."""
    noise = (_on_examples((FEATURES,)).keys(), _augmentations((FEATURES,)).keys(), ("on the code",))
    return {
        "model": tuple(_models()),
        "loss": tuple(_losses()),
        "penalty": (NONE, *_penalties()),
        "noise": (NONE, *(name for names in noise for name in names)),
        "optimizer": tuple(_optimizers()),
        "precision": ("float32", "bfloat16"),
        "placement": tuple(_placements()),
        "gradient": tuple(_gradients()),
    }


def program(choice: Choice) -> Program:
    """Compose the components of a choice.

    Args:
        choice: name of the component of each axis; the first of `axes` where one is missing.

    Returns:
        The arguments of its plan.
    """
    full = {axis: names[0] for axis, names in axes().items()} | choice
    template, shape = _models()[full["model"]]
    if "loss" not in choice:
        full["loss"] = OWN_LOSSES.get(full["model"], full["loss"])
    noise = full["noise"]
    chosen = replace(
        template,
        loss=_losses()[full["loss"]],
        augmentation=_augmentations(shape).get(noise),
        corruption=_on_examples(shape).get(noise),
        perturbation=corruptions.gaussian(sigma=0.1)
        if noise == "on the code"
        else template.perturbation,
        penalties=template.penalties | _weighted(full["penalty"]),
    )
    if full["precision"] == "bfloat16":
        chosen = replace(chosen, model=models.mixed_precision(chosen.model))
    return Program(
        chosen,
        _optimizers()[full["optimizer"]],
        _examples(shape, labelled=full["loss"] == LABELS),
        _placements()[full["placement"]],
        _gradients()[full["gradient"]],
    )


def is_refused(choice: Choice, exclusions: Collection[tuple[str, str, str]]) -> bool:
    """Whether a choice contains an exclusion.

    Args:
        choice: names of some components.
        exclusions: (model, axis, component) that aejax refuses together.
    """
    noise = choice.get("noise")
    if choice.get("loss") == LABELS and noise in _augmentations((FEATURES,)):
        return True  # an augmentation transforms x only, and labels belong to x
    model = choice.get("model")
    return any((model, axis, value) in exclusions for axis, value in choice.items())


def refusal(choice: Choice) -> str | None:
    """Reason why aejax refuses components together, by abstract evaluation of the objective.

    Args:
        choice: names of components, as `program` takes them.

    Returns:
        The message of the error; None if they can be combined.
    """
    found = program(choice)
    key = jax.random.key(0)
    try:
        params = jax.eval_shape(found.objective.model.init, key)
        jax.eval_shape(found.objective, params, found.data, key)
    except ValueError as error:
        return str(error)
    return None


@cache
def _models() -> Mapping[str, tuple[Objective, tuple[int, ...]]]:
    """An objective without noise for each model, and the shape of its examples."""
    flat = components.dense_models(SIZE) | components.special_models(SIZE)
    flat["shared variance"] = components.variational_models(SIZE)["shared variance"]
    every = {name: (model, (FEATURES * SIZE,)) for name, model in flat.items()}
    every |= components.image_models(SIZE)
    return {
        **{
            name: (aejax.objective(model, losses.squared), shape)
            for name, (model, shape) in every.items()
        },
        **{
            name: (objective, (FEATURES * SIZE,))
            for name, objective in {
                **components.own_objectives(SIZE),
                **components.variational_objectives(SIZE),
            }.items()
        },
    }


def _losses() -> dict[str, aejax.Loss]:
    return {
        **components.reconstruction_losses(SIZE),
        **components.losses_of_two_parameters(),
        LABELS: losses.categorical_labels(classes=CLASSES),
    }


@cache
def _penalties() -> Mapping[str, Penalty]:
    return components.exact_penalties() | components.sampled_penalties()


def _weighted(name: str) -> dict[str, tuple[float, Penalty]]:
    return {} if name == NONE else {name: (0.1, _penalties()[name])}


def _on_examples(shape: tuple[int, ...]) -> dict[str, Callable[..., Any]]:
    return components.elementwise_noise() | _on_images(components.image_noise(), shape)


def _augmentations(shape: tuple[int, ...]) -> dict[str, Callable[..., Any]]:
    images = _on_images(components.image_augmentations(), shape)
    return images | components.samples(shape)


def _on_images(noise: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, Callable[..., Any]]:
    """Noise on the first two axes of an example; a flat one is an image of one row."""
    image = shape[:2] if len(shape) > 1 else (1, *shape)
    return {name: corruptions.on_images(each, image_shape=image) for name, each in noise.items()}


def _optimizers() -> dict[str, optax.GradientTransformation]:
    named = {name: registry.optimizer(name, 1e-3) for name in get_args(registry.Optimizer)}
    return named | {"of Boltzmann machines": training.rbm_optimizer(learning_rate=0.1, switch=5)}


def _placements() -> dict[str, Place]:
    def tensor_parallel(devices: Any) -> training.Placement:
        mesh = sharding.make_mesh(model=2, devices=devices)
        return sharding.tensor_parallel(mesh, wide=DIVIDED_UNITS)

    return {
        "one device": planning.one_device,
        "data parallel": sharding.placement_on,
        "fully sharded": partial(sharding.placement_on, sharded=True),
        "tensor parallel": tensor_parallel,
        "fully sharded, tensor parallel": lambda devices: sharding.fully_sharded(
            tensor_parallel(devices)
        ),
    }


def _gradients() -> dict[str, Gradient]:
    return {
        "whole batch": training.whole_batch,
        "accumulated": training.accumulated(part_size=BATCH_SIZE // 4),
    }


def _examples(shape: tuple[int, ...], *, labelled: bool) -> Batch:
    x = jax.ShapeDtypeStruct((BATCH_SIZE, *shape), "float32")
    labels = jax.ShapeDtypeStruct((BATCH_SIZE, *shape[:-1]) if len(shape) > 1 else x.shape, "int32")
    return Batch(x, target=labels if labelled else None)
