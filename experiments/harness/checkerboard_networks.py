"""Checkerboard patterns of convolutional autoencoders at random starts and after training."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

import aejax
from aejax import Batch, losses, training
from aejax.types import Array, Autoencoder, Key, Params
from experiments.harness import checkerboards
from experiments.harness.experiment import Results

SPREAD, ONE_SPREAD, COMMON, FLAT = "spread", "spread of one", "common", "flat"
"""Measured: `spread` of the contrasts of photographs over the starts of a population, and of one
network; `common_pattern` of photographs; `periodic_share` of flat images."""


class Settings(Protocol):
    """Fields of a `Config` that determine starts and training."""

    side: int
    photographs: int
    steps: int
    batch_size: int
    learning_rate: float
    seeds: int
    starts: int
    trained: int
    seed: int


def measure(
    settings: Settings, make_model: Callable[[int], Autoencoder], period: int, x: Array
) -> Results:
    """Measure patterns at every random start, and after training from the first starts.

    Args:
        settings: numbers of starts and of training runs, and the training settings.
        make_model: side of an image -> convolutional autoencoder; its parameters do not depend on
            the side.
        period: period of the pattern in pixels.
        x: training patches [patches, side, side, 1].

    Returns:
        Metrics "start" with one value per population, means over its starts except for `SPREAD`,
        and "trained" with one value per training run; and the array "flat", a flat image as
        reconstructed at the first start.
    """
    side = checkerboards.side_for(period)
    model = make_model(side)
    photographs = checkerboards.standardised_photographs(side, settings.photographs)
    flat_images = checkerboards.flat_images(side)
    reconstruct = partial(checkerboards.reconstructed_centres, model, period=period)

    def measure_one(params: Params) -> tuple[Array, dict[str, Array]]:
        content, flat = reconstruct(params, photographs), reconstruct(params, flat_images)
        contrasts = checkerboards.contrasts(content, period)
        return contrasts, {
            ONE_SPREAD: checkerboards.spread(contrasts),
            COMMON: checkerboards.common_pattern(content, period),
            FLAT: checkerboards.periodic_share(flat, period),
        }

    count = settings.seeds * settings.starts
    keys = jax.random.split(jax.random.key(settings.seed), count)
    starts = jax.vmap(model.init)(keys)
    train = partial(_train, settings, make_model(settings.side), x)
    trained = jax.jit(partial(jax.lax.map, lambda pair: train(*pair)))(
        jax.tree.map(lambda leaf: leaf[: settings.trained], (starts, keys))
    )
    both = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), starts, trained)
    contrasts, found = jax.jit(partial(jax.lax.map, measure_one))(both)

    def populations(values: Array) -> Array:
        return values[:count].reshape(settings.seeds, settings.starts, *values.shape[1:])

    metrics = {
        "start": jax.tree.map(lambda values: jnp.mean(populations(values), axis=1), found)
        | {SPREAD: jax.vmap(checkerboards.spread)(populations(contrasts))},
        "trained": jax.tree.map(lambda values: values[count:], found),
    }
    shown = reconstruct(jax.tree.map(lambda leaf: leaf[0], starts), flat_images)[-1]
    rounded = jax.tree.map(lambda values: np.round(np.asarray(values, float), 5).tolist(), metrics)
    return Results(rounded, {"flat": np.asarray(shown)})


def _train(settings: Settings, model: Autoencoder, x: Array, start: Params, key: Key) -> Params:
    """Train one autoencoder by Adam on patches drawn with replacement."""
    objective = aejax.objective(model, losses.squared)
    optimizer = optax.adam(settings.learning_rate)

    def step(state: training.TrainState, examples: Array) -> tuple[training.TrainState, None]:
        return training.step(objective, optimizer, state, Batch(x[examples]))[0], None

    state = training.init_state(objective, optimizer, key)._replace(params=start)
    orders = jax.random.randint(key, (settings.steps, settings.batch_size), 0, len(x))
    return jax.lax.scan(step, state, orders)[0].params
