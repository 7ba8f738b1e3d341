"""Objectives of variational and regularised autoencoders with fixed parameters and noise."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import aejax
from aejax import losses, posteriors

EXAMPLES, FEATURES, HIDDEN, UNITS = 16, 6, 5, 3
POSTERIOR = posteriors.diagonal_gaussian()
CONSTANT = FEATURES / 2 * math.log(2 * math.pi)
"""n/2 log 2π, which pythae leaves out of Gaussian losses."""


@dataclass(frozen=True)
class Comparison:
    """A quantity by both packages."""

    model: str
    """class of pythae"""
    quantity: str
    """what is compared"""
    aejax: float
    """value by aejax; of a gradient, its norm"""
    pythae: float
    """value by pythae"""
    difference: float
    """relative difference; of a gradient, of all its entries together"""


Gradients = list[np.ndarray]


def compare(model: str, quantity: str, ours: Any, theirs: Any) -> Comparison:
    """Comparison of numbers, or of lists of arrays as vectors."""
    vectors = [
        np.concatenate([np.ravel(np.asarray(each, np.float64)) for each in side])
        if isinstance(side, list)
        else np.array([float(side)])
        for side in (ours, theirs)
    ]
    sizes = [float(np.linalg.norm(each)) for each in vectors]
    values = sizes if isinstance(ours, list) else [float(each[0]) for each in vectors]
    difference = float(np.linalg.norm(vectors[0] - vectors[1])) / sizes[1]
    return Comparison(model, quantity, *values, difference)


def batch(dtype: Any = np.float64) -> np.ndarray:
    """Examples in (0, 1)."""
    return np.random.default_rng(0).uniform(0.05, 0.95, size=(EXAMPLES, FEATURES)).astype(dtype)


def random_params(model: aejax.Autoencoder, dtype: Any = np.float64) -> Any:
    """Normal parameters of standard deviation ½, so that no term is small."""
    generator = np.random.default_rng(1)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    drawn = lambda leaf: jnp.asarray(generator.normal(size=leaf.shape) / 2, dtype)  # noqa: E731
    return jax.tree.map(drawn, shapes)


def evaluate(objective: aejax.Objective, params: Any) -> tuple[float, Gradients]:
    """The objective on the batch and its gradient, decoder first."""
    x = batch(jax.tree.leaves(params)[0].dtype)
    call = lambda params: objective(params, x, jax.random.key(0))[0]  # noqa: E731
    value, gradient = jax.value_and_grad(call)(params)
    return float(value), jax.tree.leaves({k: gradient[k] for k in ("decoder", "encoder")})


def variational_objective(
    loss: aejax.Loss, terms: Mapping[str, Any]
) -> tuple[aejax.Objective, Any, aejax.Pass]:
    """An objective with samples of the posterior, its parameters, and its forward pass."""
    model = aejax.variational((FEATURES, HIDDEN, UNITS), activation=jnp.tanh)
    call = aejax.objective(model, loss, perturbation=POSTERIOR.sample, penalties=terms)
    params = random_params(model)
    return call, params, aejax.forward(call, params, batch(), jax.random.key(0))


def noise_of(record: aejax.Pass, samples: int = 1) -> np.ndarray:
    """Standard noise of the samples [examples, samples, units] that the objective draws."""
    keys = jax.random.split(record.key, samples - 1)
    others = jax.vmap(lambda key: POSTERIOR.sample(key, record.code))(keys)
    z = jnp.concatenate([record.latent[None], others])
    noise = (z - record.code.mean) / jnp.exp(record.code.log_variance / 2)
    return np.asarray(jnp.moveaxis(noise, 0, 1))


def deterministic(terms: Mapping[str, Any]) -> tuple[aejax.Objective, Any]:
    """Objective of a deterministic autoencoder with the squared error, and its parameters."""
    model = aejax.dense(
        (FEATURES, HIDDEN, UNITS), activation=jnp.tanh, code_activation=jax.nn.identity
    )
    return aejax.objective(model, losses.squared, penalties=terms), random_params(model)
