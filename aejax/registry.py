"""Registry: activations, losses, corruptions, penalties and optimisers by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import optax

from aejax import corruptions, losses, penalties
from aejax.augmentations import interpolation
from aejax.data.columns import Column
from aejax.training.muon import muon
from aejax.types import Array, Corruption, Loss, Penalty

Activation = Literal["sigmoid", "tanh", "relu", "gelu", "identity"]
NamedLoss = Literal["bernoulli", "squared", "squared-logistic", "squared-tanh", "by-column"]
NamedCorruption = Literal["none", "masking", "gaussian", "salt-and-pepper"]
NamedInterpolation = Literal["linear", "cubic"]
Optimizer = Literal["adam", "muon", "sgd"]


def activation(name: str) -> Callable[[Array], Array]:
    """Activation function of `jax.nn`.

    Args:
        name: one of `Activation`.

    Returns:
        The function.

    Raises:
        ValueError: if the name is unknown.
    """
    _check("activation", name, Activation)
    return getattr(jax.nn, name)


def loss(name: str, columns: Sequence[Column] = ()) -> Loss:
    """Reconstruction loss of `aejax.losses`, with its link function.

    Args:
        name: one of `NamedLoss`. "by-column" is the squared error of each numeric column of a table
            and the categorical cross-entropy of each categorical column.
        columns: columns of a table, for "by-column".

    Returns:
        The loss.

    Raises:
        ValueError: if the name is unknown, or "by-column" has no columns.

    Example:
        >>> from aejax import registry
        >>> registry.loss("bernoulli").support
        (0.0, 1.0)
    """
    _check("loss", name, NamedLoss)
    if name != "by-column":
        return getattr(losses, name.replace("-", "_"))
    if not columns:
        raise ValueError("the loss by-column is for the columns of a table: use another --loss")
    return losses.by_blocks(
        [
            (losses.squared, 1) if categories is None else (losses.categorical, len(categories))
            for _, categories in columns
        ]
    )


def corruption(name: str, level: float | Array) -> Corruption | None:
    """Corruption of `aejax.corruptions` at a given level.

    Args:
        name: one of `NamedCorruption`.
        level: rate of masking or salt-and-pepper noise, or standard deviation of Gaussian noise.

    Returns:
        The corruption; None for "none".

    Raises:
        ValueError: if the name is unknown or the level is out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from aejax import registry
        >>> registry.corruption("masking", 1.0)(jax.random.key(0), jnp.ones(3)).tolist()
        [0.0, 0.0, 0.0]
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
    """Interpolation method of `aejax.augmentations.interpolation`.

    Args:
        name: one of `NamedInterpolation`.

    Returns:
        The function.

    Raises:
        ValueError: if the name is unknown.
    """
    _check("interpolation", name, NamedInterpolation)
    return getattr(interpolation, name)


def weighted_penalties(
    weights: Mapping[str, float], *, rho: float, one_logistic_layer: bool
) -> dict[str, tuple[float, Penalty]]:
    """Weighted penalties by name, without those of weight zero.

    Args:
        weights: λ ≥ 0 by name; the names are l2, l1, sparsity and contraction.
        rho: target mean activation ρ of KL sparsity.
        one_logistic_layer: whether the encoder is a single sigmoid layer, for which the contractive
            penalty has a closed form.

    Returns:
        Dict of name -> (weight, penalty), the `penalties` of `aejax.objective`.

    Raises:
        ValueError: if a weight is negative or not finite, or ρ is out of range.

    Example:
        >>> from aejax import registry
        >>> sorted(registry.weighted_penalties(
        ...     {"l2": 1e-4, "l1": 0.0}, rho=0.05, one_logistic_layer=False))
        ['l2']
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
        learning_rate: scalar or optax schedule.

    Returns:
        The optimizer.

    Raises:
        ValueError: if the name is unknown.
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
