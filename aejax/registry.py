"""Pieces by their names, for the shells that take words: the command line and the estimators."""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import optax

from aejax import corruptions, losses, penalties
from aejax.augmentations import interpolation
from aejax.training.muon import muon
from aejax.types import Array, Corruption, Loss, Penalty

Activation = Literal["sigmoid", "tanh", "relu", "gelu", "identity"]
NamedLoss = Literal["bernoulli", "squared", "squared-logistic", "squared-tanh"]
NamedCorruption = Literal["none", "masking", "gaussian", "salt-and-pepper"]
NamedInterpolation = Literal["linear", "cubic"]
Optimizer = Literal["adam", "muon", "sgd"]


def activation(name: str) -> Callable[[Array], Array]:
    """An activation of `jax.nn`, or tanh.

    Args:
        name: one of `Activation`.

    Returns:
        The function.

    Raises:
        ValueError: for another name.
    """
    _check("activation", name, Activation)
    return getattr(jax.nn, name)


def loss(name: str) -> Loss:
    """A reconstruction loss with its link.

    Args:
        name: one of `NamedLoss`.

    Returns:
        The `Loss` of `aejax.losses`.

    Raises:
        ValueError: for another name.
    """
    _check("loss", name, NamedLoss)
    return getattr(losses, name.replace("-", "_"))


def corruption(name: str, level: float | Array) -> Corruption | None:
    """A corruption at a level.

    Args:
        name: one of `NamedCorruption`.
        level: rate of masking and salt and pepper, standard deviation of Gaussian noise.

    Returns:
        The corruption; None for "none".

    Raises:
        ValueError: for another name, and for a level out of the corruption's range.
    """
    _check("corruption", name, NamedCorruption)
    match name:
        case "masking":
            return corruptions.masking(rate=level)
        case "gaussian":
            return corruptions.gaussian(sigma=level)
        case "salt-and-pepper":
            return corruptions.salt_and_pepper(rate=level)
    return None


def image_interpolation(name: str) -> interpolation.Interpolation:
    """How values between pixels are found.

    Args:
        name: one of `NamedInterpolation`.

    Returns:
        The function of `aejax.augmentations.interpolation`.

    Raises:
        ValueError: for another name.
    """
    _check("interpolation", name, NamedInterpolation)
    return getattr(interpolation, name)


def weighted_penalties(
    weights: Mapping[str, float], *, rho: float, one_logistic_layer: bool
) -> dict[str, tuple[float, Penalty]]:
    """Penalties by name with their weights; those of weight zero are left out.

    Args:
        weights: λ ≥ 0 of any of l2, l1, sparsity and contraction.
        rho: the mean activation ρ that KL sparsity asks for.
        one_logistic_layer: the encoder is one; its contraction then has a closed form.

    Returns:
        What `aejax.objective` takes as penalties.

    Raises:
        ValueError: for a weight below zero or not finite, and for ρ out of its range.
    """
    for name, weight in weights.items():
        if not 0 <= weight < float("inf"):
            raise ValueError(f"the weight of penalty {name} must be 0 or more, got {weight}")
    contractive = penalties.contractive_logistic if one_logistic_layer else penalties.contractive
    every = {
        "l2": penalties.l2(),
        "l1": penalties.l1(),
        "sparsity": penalties.kl_sparsity(rho=rho),
        "contraction": contractive(),
    }
    return {name: (weights[name], every[name]) for name in weights if weights[name]}


def optimizer(name: str, learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """Adam, Muon in bfloat16, or stochastic gradient descent with Nesterov momentum 0.9.

    Args:
        name: one of `Optimizer`.
        learning_rate: a number or an optax schedule.

    Returns:
        The optimizer.

    Raises:
        ValueError: for another name.
    """
    _check("optimizer", name, Optimizer)
    match name:
        case "muon":
            return muon(learning_rate, dtype=jnp.bfloat16)
        case "sgd":
            return optax.sgd(learning_rate, momentum=0.9, nesterov=True)
    return optax.adam(learning_rate)


def _check(kind: str, name: str, names: object) -> None:
    if name not in get_args(names):
        raise ValueError(f"no {kind} is called {name!r}; there are {', '.join(get_args(names))}")
