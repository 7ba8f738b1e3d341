"""Denoising turns units into edge detectors on photographs; weight decay does not.

Claim:    trained on patches of whitened photographs with Gaussian noise, hidden units become edge
          detectors; without noise, with or without weight decay, they do not, nor do principal
          components.
Source:   Vincent et al. 2010, §4 (fig. 5 to 7), and the course; Olshausen & Field 1996 (the data).
Command:  python -m experiments.edge_detectors
Expected: with rectified units, a localised Gabor function fits 40 % of the denoising filters with
          R² > 0.7, 6 % of PCA's, 2 % of plain ones and none with weight decay; with `--data photos
          --train 10000 --epochs 100`, 20, 7, 0 and 0 %. Logistic units, as in the course, give none
          (tried: σ from 0.5 to 8, tied and untied); rectified units give few below σ = 1.
Selection: σ of the noise and the activation, by the share of edge detectors (few below σ = 1). No
          test data are involved: the filters themselves are measured.
Run time: about a minute and a half on one idle core.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

import aejax
from aejax import corruptions, data, losses, penalties
from aejax.models.dense import Activation
from aejax.plots import figure_style
from aejax.types import Array
from experiments import harness
from experiments.harness.gabors import fit_gabors
from experiments.harness.whitened_photographs import SIDE, load

RECTIFIED = {"denoising": (1, 0), "weight decay": (0, 1), "plain": (0, 0)}
LOGISTIC = {"logistic denoising": (1, 0)}
"""Rectified or logistic autoencoder -> (1 if it has noise, 1 if it has weight decay)."""


@dataclass(frozen=True)
class Config:
    """Settings that determine the results."""

    data: str = "natural_images"
    """"natural_images", a path of its file, or "photos", which are whitened here"""
    train: int = 20_000
    """number of 12 × 12 patches, from the start of the data, scaled to variance 1"""
    hidden: int = 100
    """units of the code; weights are tied and the output is linear"""
    sigma: float = 2.0
    """standard deviation of the noise of denoising autoencoders"""
    decay: float = 0.5
    """coefficient of Σ W² in the loss of the autoencoder with weight decay"""
    epochs: int = 50
    """epochs of training"""
    batch_size: int = 100
    """patches per step"""
    learning_rate: float = 3e-3
    """initial learning rate of Adam, with cosine decay to zero"""
    threshold: float = 0.7
    """R² above which a filter is an edge detector"""
    seeds: int = 5
    """number of training runs of each autoencoder"""
    seed: int = 0
    """seed of all random choices"""


QUICK = Config(data="photos", train=2000, hidden=9, epochs=5, seeds=2)


def run(config: Config, dataset: data.Dataset) -> harness.Results:
    """Train every autoencoder with every seed; fit Gabor functions to all filters and to PCA."""
    x = jnp.asarray(dataset.x_train[: config.train].reshape(-1, SIDE**2), jnp.float32)
    x = x / x.std()
    components = PCA(config.hidden).fit(np.asarray(x)).components_
    filters = {
        **_train_filters(config, jax.nn.relu, RECTIFIED, x),
        **_train_filters(config, jax.nn.sigmoid, LOGISTIC, x),
        "PCA": components[None],
    }
    metrics: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    for method, kernels in filters.items():
        images = kernels.reshape(*kernels.shape[:2], SIDE, SIDE)
        found = [fit_gabors(seed) for seed in images]
        edges = [gabors.edges(config.threshold) for gabors in found]
        metrics[method] = {
            "edge detectors": [float(seed.mean()) for seed in edges],
            "median R²": [float(np.median(gabors.r_squared)) for gabors in found],
        }
        arrays[method] = images[0]
    return harness.Results(metrics, arrays)


def primary(metrics: dict[str, Any]) -> harness.PrimaryComparison:
    """Comparison that decides the primary claim."""
    return harness.PrimaryComparison(
        "share of units that are edge detectors",
        *((name, metrics[name]["edge detectors"]) for name in ("denoising", "weight decay")),
        harness.above,
    )


def observations(metrics: dict[str, Any]) -> dict[str, harness.Comparison]:
    """Share of edge detectors: denoising minus the rest; logistic denoising minus weight decay."""
    share = {method: np.array(found["edge detectors"]) for method, found in metrics.items()}
    pairs = [("denoising", other) for other in ("weight decay", "plain", "PCA")]
    pairs.append(("logistic denoising", "weight decay"))
    return {f"edge detectors, {a} less {b}": harness.above(share[a], share[b]) for a, b in pairs}


def plot(config: Config, results: harness.Results) -> Figure:
    """Draw filters of the first seed of each method, with its share of edge detectors."""
    shares = {name: np.mean(each["edge detectors"]) for name, each in results.metrics.items()}
    columns = round(np.sqrt(min(64, config.hidden)))
    with figure_style():
        figure = Figure(figsize=(9.4, 6.4))
        figure.suptitle(
            f"Edge detectors: {shares['denoising']:.0%} of the units with denoising, "
            f"{shares['weight decay']:.0%} with weight decay"
        )
        large, small = figure.subfigures(2, 1, height_ratios=(1.7, 1))
        axes = [*large.subplots(1, 2), *small.subplots(1, 3)]
        for axis, (name, share) in zip(axes, shares.items(), strict=True):
            harness.mosaic(axis, results.arrays[name][: columns**2], columns=columns)
            axis.set_title(f"{name}: {share:.0%}", loc="center")
    return figure


EXPERIMENT = harness.Experiment(
    name="edge_detectors", config=Config(), quick=QUICK, run=run, primary=primary,
    observations=observations, plot=plot, load=load,
    title="Denoising turns units into edge detectors on photographs; weight decay does not.",
    claim="On whitened photographs, more units become edge detectors when an autoencoder is "
    "trained with denoising than with weight decay.",
    source="Vincent et al. 2010, §4 (fig. 5 to 7), and the course; Olshausen & Field 1996 (the "
    "data).",
    expected="0.402 against 0, a difference of 0.402 ± 0.048",
    run_time="about a minute and a half on one idle core",
    figure="Filters of the first seed of each method, with its share of edge detectors.",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    harness.execute(EXPERIMENT)


def _train_filters(
    config: Config, activation: Activation, settings: dict[str, tuple[int, int]], x: Array
) -> dict[str, np.ndarray]:
    """Filters [seeds, hidden, pixels] of each autoencoder."""
    start = aejax.Initializers(linen.initializers.normal(0.05))
    sizes = (x.shape[1], config.hidden)
    model = aejax.dense(sizes, activation=activation, tied=True, initializers=start)
    steps = config.epochs * -(-len(x) // config.batch_size)
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, steps))

    def make(setting: Array) -> tuple[aejax.Objective, optax.GradientTransformation]:
        noise = corruptions.gaussian(sigma=config.sigma * setting[0])
        terms = {"decay": (config.decay * setting[1], penalties.l2())}
        return aejax.objective(model, losses.squared, corruption=noise, penalties=terms), optimizer

    params, _ = harness.train_grid(
        make,
        x,
        settings=jnp.array([*settings.values()], float),
        seeds=config.seeds,
        key=jax.random.key(config.seed),
        epochs=config.epochs,
        batch_size=config.batch_size,
    )
    kernels = np.asarray(params["encoder"]["layer_0"]["kernel"]).swapaxes(2, 3)
    return dict(zip(settings, kernels, strict=True))


if __name__ == "__main__":
    main()
