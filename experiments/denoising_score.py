"""A denoising autoencoder learns the score of its data, the better the more data it has.

Claim:    trained with noise N(0, σ² I) and the squared error, (x̂ − x̃)/σ² estimates the gradient of
          the log density of the noisy data, ∇ log p_σ(x̃), and its error falls with the data.
Source:   Vincent 2011, §4; Alain & Bengio 2014, theorem 1.
Command:  python -m experiments.denoising_score
Expected: on a mixture of three Gaussians in the plane the error, E‖s − ∇ log p_σ‖² as a share of
          E‖∇ log p_σ‖², falls with every fourfold data, paired over seeds, and is below 0.005
          with 25 600 examples. The Parzen density of the same examples, whose score the denoising
          objective's minimiser over all functions has, stands beside it.
Run time: about two minutes on one quiet core.
"""

import sys
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import aejax
from aejax import Batch, corruptions, losses, training
from aejax.evaluation import score_estimate
from aejax.plots import COLOURS, INK, figure_style
from aejax.theory.analysis import gaussian_mixtures as mixtures
from aejax.theory.analysis.gaussian_mixtures import parzen_posterior_mean as parzen
from aejax.types import Array, Key, Params
from experiments.harness import Comparison, Results, below, draw_mean, execute

DENOISER, PARZEN = "denoising autoencoder", "Parzen density"
MIXTURE = mixtures.GaussianMixture(
    weights=jnp.array([0.4, 0.35, 0.25]),
    means=jnp.array([[-1.5, -0.5], [1.5, -0.5], [0.0, 1.5]]),
    covariances=jnp.array([[[0.2, 0.15], [0.15, 0.3]], [[0.3, -0.2], [-0.2, 0.2]], jnp.eye(2) / 8]),
)
AXIS = np.linspace(-3, 3, 61, dtype=np.float32)
GRID = np.stack(np.meshgrid(AXIS, AXIS), axis=-1)


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    examples: tuple[int, ...] = (100, 400, 1600, 6400, 25600)
    """sizes of the training set, each four times the one before"""
    seeds: int = 5
    """trainings of each size; a seed's smaller training sets are part of its larger ones"""
    seed: int = 0
    """of all of them, and of the points on which the error is measured"""
    sigma: float = 0.3
    """σ of the noise, in units of x"""
    hidden: tuple[int, ...] = (64, 32)
    """units of the encoder's layers; the decoder mirrors them"""
    steps: int = 20_000
    """steps of Adam, whatever the number of examples"""
    batch_size: int = 100
    """examples a step"""
    learning_rate: float = 3e-3
    """at the start; it falls to zero by a cosine"""
    points: int = 4096
    """noisy points, drawn from p_σ, on which the error is measured"""


QUICK = Config(examples=(100, 400), seeds=3, hidden=(16,), steps=500, points=512)


def run(config: Config) -> Results:
    """Train every size and seed; all seeds of a size in one compiled program."""
    key_points, *keys = jax.random.split(jax.random.key(config.seed), 1 + config.seeds)
    noisy = mixtures.convolve_gaussian(MIXTURE, config.sigma)
    points = mixtures.sample(key_points, noisy, config.points)
    measure = jax.vmap(partial(_error, mixtures.score(noisy, points), points, config.sigma))
    metrics: dict[str, Any] = {DENOISER: {}, PARZEN: {}}
    params: Params = {}
    for examples in config.examples:
        x, params = _train(config, examples, jnp.stack(keys))
        denoised = jax.lax.map(lambda params: _denoise(config, params, points), params)
        smoothed = jax.lax.map(lambda x: parzen(x, points, sigma=config.sigma), x)
        metrics[DENOISER][str(examples)] = measure(denoised)
        metrics[PARZEN][str(examples)] = measure(smoothed)
    grid = jnp.asarray(GRID.reshape(-1, 2))
    x_hat = _denoise(config, jax.tree.map(lambda leaf: leaf[0], params), grid)
    learned = score_estimate(x_hat, grid, sigma=config.sigma)
    return Results(metrics, {"learned": learned.reshape(GRID.shape)})


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Every fourfold data lessens the error: its log ratio, paired over seeds, is below 0."""
    errors = {int(examples): np.log(seeds) for examples, seeds in metrics[DENOISER].items()}
    return {
        f"log error, {after} examples less {before}": below(errors[after], errors[before])
        for before, after in pairwise(errors)
    }


def plot(config: Config, results: Results) -> Figure:
    """The score over the density, where its error lies, and the error against the examples."""
    with figure_style():
        figure = Figure(figsize=(10.2, 3.2))
        field, error, curve = figure.subplots(1, 3)
        _draw_score(field, error, config, results.arrays["learned"])
        for name, style in {DENOISER: "o-", PARZEN: "s--"}.items():
            errors = results.metrics[name]
            draw_mean(
                curve, [*map(int, errors)], np.transpose([*errors.values()]), style, label=name
            )
        curve.set(xscale="log", yscale="log", xlabel="training examples")
        curve.set(title="error, share of E‖∇ log p_σ‖²")
        curve.legend(fontsize="small")
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _objective(config: Config) -> aejax.Objective:
    return aejax.objective(
        aejax.dense((2, *config.hidden), activation=jax.nn.gelu),
        losses.squared,
        corruption=corruptions.gaussian(sigma=config.sigma),
    )


def _denoise(config: Config, params: Params, x_corrupted: Array) -> Array:
    return aejax.reconstruct(_objective(config), params, x_corrupted)


def _train(config: Config, examples: int, keys: Key) -> tuple[Array, Params]:
    batch_size = min(config.batch_size, examples)
    epochs = max(1, config.steps * batch_size // examples)
    schedule = optax.cosine_decay_schedule(config.learning_rate, config.steps)

    @jax.jit
    @jax.vmap
    def train(key: Key) -> tuple[Array, Params]:
        key_data, key_training = jax.random.split(key)
        x = mixtures.sample(key_data, MIXTURE, max(config.examples))[:examples]
        state, _ = training.train(
            _objective(config),
            optax.adam(schedule),
            Batch(x),
            key_training,
            epochs=epochs,
            batch_size=batch_size,
        )
        return x, state.params

    return train(keys)


def _error(expected: Array, points: Array, sigma: float, x_hat: Array) -> Array:
    found = score_estimate(x_hat, points, sigma=sigma)
    return jnp.sum(jnp.square(found - expected)) / jnp.sum(jnp.square(expected))


def _draw_score(field: Axes, error: Axes, config: Config, learned: np.ndarray) -> None:
    """Exact and learned arrows over p_σ; and the length of their difference, on p_σ's contours."""
    noisy = mixtures.convolve_gaussian(MIXTURE, config.sigma)
    x = jnp.asarray(GRID.reshape(-1, 2))
    density = np.exp(mixtures.log_density(noisy, x)).reshape(61, 61)
    exact = mixtures.score(noisy, x).reshape(GRID.shape)
    field.contourf(AXIS, AXIS, density, 8, cmap="Greys", alpha=0.6)
    arrows = {"angles": "xy", "scale": 150, "width": 0.006}
    some = np.s_[2::6, 2::6]
    for arrow, color, name in ((exact, INK, "exact"), (learned, COLOURS[1], "learned")):
        field.quiver(*GRID[some].T, *arrow[some].T, color=color, label=name, **arrows)
    field.set(title="∇ log p_σ over p_σ", aspect="equal")
    field.legend(loc="lower left", fontsize="small")
    length = np.linalg.norm(learned - exact, axis=2)
    image = error.pcolormesh(AXIS, AXIS, length, cmap="viridis", vmax=np.quantile(length, 0.98))
    error.contour(AXIS, AXIS, density, 5, colors="white", linewidths=0.7)
    error.set(title="‖learned − exact‖, contours of p_σ", aspect="equal")
    error.figure.colorbar(image, ax=error)


if __name__ == "__main__":
    main()
