"""Autoencoders trained by importance-weighted bounds, and the log-likelihood of test images."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import aejax
from aejax import augmentations, evaluation, losses, penalties, posteriors, runs
from aejax.posteriors import Bound
from aejax.studies.part_cache import Results
from aejax.types import Array, Params
from experiments.harness.records import ROOT

BOUNDS: dict[str, tuple[int, Callable[[], Bound]]] = {
    "VAE 1": (1, posteriors.iwae),
    "VAE 5": (5, partial(posteriors.miwae, groups=5)),
    "VAE 50": (50, partial(posteriors.miwae, groups=50)),
    "IWAE 5": (5, posteriors.iwae),
    "IWAE 50": (50, posteriors.iwae),
    "MIWAE 8, 8": (64, partial(posteriors.miwae, groups=8)),
    "PIWAE 8, 8": (64, partial(posteriors.piwae, groups=8)),
    "CIWAE 64": (64, partial(posteriors.ciwae, beta=0.05)),
}
"""Row -> number of samples, and the bound of log p(x) that is maximised."""

WARM_UP = 0.05
"""Share of the steps in which the learning rate increases from 0."""


@dataclass(frozen=True)
class Config:
    """Settings that determine the results."""

    data: str = "mnist"
    """name or path of a data set of images with bounds, whose values are probabilities"""
    hidden: tuple[int, ...] = (200, 200)
    """units of the hidden layers of the encoder, and in reverse of the decoder"""
    code: int = 50
    """dimensions of z"""
    rows: tuple[str, ...] = ("VAE 1", "IWAE 5")
    """rows of the table, of those in `BOUNDS`"""
    epochs: int = 30
    """epochs of training; the published number is 3280"""
    batch_size: int = 100
    """examples per step"""
    learning_rate: float = 3e-3
    """highest learning rate of Adam, after a warm-up; it then decreases to 0 by a cosine"""
    held_out: int = 5000
    """number of training images on which the epoch is chosen"""
    test: int = 10_000
    """number of test images"""
    samples: int = 5000
    """number of samples of the log-likelihood of a test image"""
    seeds: int = 3
    """number of training runs of each row"""
    seed: int = 0
    """seed of all random choices"""


def schedule(config: Config, examples: int) -> optax.Schedule:
    """Learning rate with a linear warm-up and a cosine decay."""
    steps = config.epochs * -(-examples // config.batch_size)
    warm_up = round(WARM_UP * steps)
    return optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, warm_up, steps)


def run_name(settings: Mapping[str, Any]) -> str:
    """Name of the folder of a run: its row, and a digest of its settings."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return f"{settings['row'].replace(', ', '-').replace(' ', '-')}-{digest[:8]}"


def make_objective(config: Config, row: str, features: int) -> aejax.Objective:
    """Minus the bound of a row, of images that are binarised at random in every step."""
    samples, bound = BOUNDS[row]
    posterior = posteriors.diagonal_gaussian()
    sizes = (features, *config.hidden, config.code)
    term = penalties.importance_weighted(
        losses.bernoulli, posterior, samples=samples, bound=bound()
    )
    return aejax.objective(
        aejax.variational(sizes, posterior=posterior, activation=jnp.tanh),
        losses.bernoulli,
        augmentation=augmentations.binarise(),
        perturbation=posterior.sample,
        penalties={"bound": (1.0, term)},
    )


def train_and_measure(
    config: Config, row: str, x: np.ndarray, x_test: np.ndarray, key: Array
) -> Results:
    """Train one run, in a folder from which it resumes; choose its epoch, and measure it."""
    key_train, key_validation, key_test, key_samples = jax.random.split(key, 4)
    binarise = augmentations.binarise()
    train, held_out = x[: -config.held_out], x[-config.held_out :]
    validation = binarise(key_validation, jnp.asarray(held_out))
    objective = make_objective(config, row, x.shape[1])
    names = ("data", "hidden", "code", "epochs", "batch_size", "learning_rate", "held_out")
    words = np.asarray(jax.random.key_data(key)).tolist()
    settings = {name: getattr(config, name) for name in names} | {"row": row, "key": words}
    folder = ROOT / "results" / "variational_mnist" / "runs" / run_name(settings)
    found = runs.train(
        objective,
        optax.adam(schedule(config, len(train))),
        train,
        out=folder,
        epochs=config.epochs,
        batch_size=config.batch_size,
        key=key_train,
        resume=True,
        validation=validation,
        settings=settings,
        loggers=(),
    )
    test = binarise(key_test, jnp.asarray(x_test[: config.test]))
    curve = [record["validation"]["loss"] for record in found.history]
    metrics = likelihood(config, objective, found.params, test, key_samples)
    metrics |= {"validation curve": curve, "epoch": int(np.argmin(curve)) + 1}
    z = jax.random.normal(key_samples, (10, config.code))
    drawn = objective.loss.mean(objective.model.decode(found.params, z))
    return Results(metrics, {"samples": np.asarray(drawn)})


def likelihood(
    config: Config, objective: aejax.Objective, params: Params, test: Array, key: Array
) -> dict[str, float]:
    """Negative log-likelihood and evidence lower bound of test images, with standard errors."""
    posterior = posteriors.diagonal_gaussian()

    @jax.jit
    def measure(x: Array, key: Array) -> evaluation.LogLikelihood:
        return evaluation.log_likelihood(
            objective, params, x, key, posterior=posterior, samples=config.samples
        )

    size = min(config.batch_size, len(test))
    blocks = test[: len(test) // size * size].reshape(-1, size, test.shape[1])
    keys = jax.random.split(key, len(blocks))
    found = [measure(block, each) for block, each in zip(blocks, keys, strict=True)]
    value = jnp.concatenate([each.value for each in found])
    elbo = jnp.concatenate([each.elbo for each in found])
    error = evaluation.mean_with_error(value).standard_error
    return {
        "negative log-likelihood": -float(value.mean()),
        "standard error over digits": float(error),
        "negative evidence lower bound": -float(elbo.mean()),
    }
