"""On photographs, denoising makes edge detectors of an autoencoder's units; weight decay does not.

Claim:    trained on patches of whitened photographs with Gaussian noise, hidden units become edge
          detectors; trained without noise, with weight decay or not, they do not, nor are the
          principal components.
Source:   Vincent et al. 2010, §4 (fig. 5 to 7), and the course; Olshausen & Field 1996 (the data).
Command:  python -m experiments.edge_detectors
Expected: with rectified units a local Gabor function explains 40 % of denoising's filters to an R²
          above 0.7, 6 % of PCA's, 2 % of plain's, none of weight decay's; of `--data photos --train
          10000 --epochs 100`, 20, 7, 0 and 0 %. Logistic units, the course's, come to none on
          either (tried: σ from 0.5 to 8, tied and not); rectified ones to few below σ = 1.
Run time: about a minute and a half on one quiet core.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
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
from experiments.harness import Comparison, Results, above, execute, mosaic, train_seeds
from experiments.harness.gabors import fit_gabors

PHOTOGRAPHS = Path(__file__).parents[2] / "shared/data/natural_images/olshausen_whitened.npz"
SIDE = 12
RECTIFIED = {"denoising": (1, 0), "weight decay": (0, 1), "plain": (0, 0)}
LOGISTIC = {"logistic denoising": (1, 0)}
"""Autoencoders by name: whether with noise, and whether with weight decay."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    data: str = "natural_images"
    """"natural_images", another place of its file, or "photos", which are whitened here"""
    train: int = 20_000
    """patches of 12 × 12 pixels, the first of the data, of variance 1"""
    hidden: int = 100
    """units of the code, tied; the output is linear"""
    sigma: float = 2.0
    """standard deviation of the noise that the denoising ones are trained with"""
    decay: float = 0.5
    """weight of Σ W² beside the squared error of an example, for weight decay"""
    epochs: int = 50
    """passes over the patches"""
    batch_size: int = 100
    """patches a step"""
    learning_rate: float = 3e-3
    """of Adam at the start; it falls to zero by a cosine"""
    threshold: float = 0.7
    """of R², above which a filter is an edge detector"""
    seeds: int = 5
    """trainings of each autoencoder"""
    seed: int = 0
    """of all of them"""


QUICK = Config(data="photos", train=2000, hidden=9, epochs=5, seeds=2)


def load(place: str) -> data.Dataset:
    """Whitened patches, float32: of Olshausen & Field's photographs, or of scikit-learn's two."""
    if place == "photos":
        photos = data.photos()
        whiten = _whitening(photos.x_train)
        return data.Dataset("photos", whiten(photos.x_train), whiten(photos.x_test))
    file = PHOTOGRAPHS if place == "natural_images" else Path(place)
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing; give --data the place of {PHOTOGRAPHS.name}")
    with np.load(file) as arrays:
        images = arrays["images"][:, 8:-8, 8:-8]  # the whitening rings along the borders
    images = images / images.std(axis=(1, 2), keepdims=True)
    windows = np.lib.stride_tricks.sliding_window_view(images, (SIDE, SIDE), axis=(1, 2))
    generator = np.random.default_rng(0)
    chosen = tuple(generator.integers(n, size=25_000) for n in windows.shape[:3])
    return data.Dataset("natural_images", windows[chosen][:20_000], windows[chosen][20_000:])


def run(config: Config, dataset: data.Dataset) -> Results:
    """Train every autoencoder and seed; fit Gabor functions to their filters, and to PCA's."""
    x = jnp.asarray(dataset.x_train[: config.train].reshape(-1, SIDE**2), jnp.float32)
    x = x / x.std()
    components = PCA(config.hidden).fit(np.asarray(x)).components_
    filters = {
        **_trained(config, jax.nn.relu, RECTIFIED, x),
        **_trained(config, jax.nn.sigmoid, LOGISTIC, x),
        "PCA": components[None],
    }
    metrics: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    for arm, kernels in filters.items():
        images = kernels.reshape(*kernels.shape[:2], SIDE, SIDE)
        found = [fit_gabors(seed) for seed in images]
        edges = [gabors.edges(config.threshold) for gabors in found]
        metrics[arm] = {
            "edge detectors": [float(seed.mean()) for seed in edges],
            "median R²": [float(np.median(gabors.r_squared)) for gabors in found],
        }
        arrays |= {f"{arm} filters": images[0], f"{arm} R²": [g.r_squared for g in found]}
        if arm == "denoising":
            for what in ("orientation", "frequency"):
                values = [getattr(g, what)[e] for g, e in zip(found, edges, strict=True)]
                arrays[what] = np.concatenate(values)
            arrays["fits"] = found[0].images
    return Results(metrics, arrays)


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Shares of edge detectors: denoising less each other; with logistic units less decay's."""
    share = {arm: np.array(found["edge detectors"]) for arm, found in metrics.items()}
    pairs = [("denoising", other) for other in ("weight decay", "plain", "PCA")]
    pairs.append(("logistic denoising", "weight decay"))
    return {f"edge detectors, {a} less {b}": above(share[a], share[b]) for a, b in pairs}


def plot(config: Config, results: Results) -> Figure:
    """Filters of the first seed; denoising's with their Gabor fits; R²; orientation, frequency."""
    arrays = results.arrays
    with figure_style():
        figure = Figure(figsize=(9.4, 6.2))
        pictures, curves = figure.subfigures(2, 1, height_ratios=(1, 1.1))
        count = min(64, config.hidden)
        for axis, arm in zip(pictures.subplots(1, 5), results.metrics, strict=True):
            mosaic(axis, arrays[f"{arm} filters"][:count], columns=round(np.sqrt(count)))
            axis.set_title(f"{arm}: {np.mean(results.metrics[arm]['edge detectors']):.0%}")
        fits, explained, orientation, frequency = curves.subplots(1, 4)
        order = np.argsort(-arrays["denoising R²"][0])[:24]
        pairs = [arrays[name][order] for name in ("denoising filters", "fits")]
        mosaic(fits, np.stack(pairs, axis=1).reshape(-1, SIDE, SIDE), columns=6)
        fits.set_title("denoising: best, with fits")
        for arm, style in zip(results.metrics, ("-", "--", "-.", ":", (0, (8, 2))), strict=True):
            values = np.sort(np.ravel(arrays[f"{arm} R²"]))
            explained.plot(values, np.linspace(1, 0, len(values)), linestyle=style, label=arm)
        explained.axvline(config.threshold, linestyle=":", linewidth=1)
        explained.set(title="share of filters above R²", xlabel="R²", ylim=(0, 1))
        explained.legend(fontsize="small")
        orientation.hist(np.degrees(arrays["orientation"]), np.arange(0, 181, 15))
        orientation.set(title="orientation, degrees", xticks=(0, 45, 90, 135, 180))
        frequency.hist(arrays["frequency"], np.arange(0, 0.51, 0.04))
        frequency.set_title("cycles a pixel")
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _trained(
    config: Config, activation: Activation, arms: dict[str, tuple[int, int]], x: Array
) -> dict[str, np.ndarray]:
    """The filters of all seeds of each autoencoder: [seeds, hidden, pixels]."""
    start = aejax.Initializers(linen.initializers.normal(0.05))
    sizes = (x.shape[1], config.hidden)
    model = aejax.dense(sizes, activation=activation, tied=True, initializers=start)
    steps = config.epochs * -(-len(x) // config.batch_size)
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, steps))

    def make(setting: Array) -> tuple[aejax.Objective, optax.GradientTransformation]:
        noise = corruptions.gaussian(sigma=config.sigma * setting[0])
        terms = {"decay": (config.decay * setting[1], penalties.l2())}
        return aejax.objective(model, losses.squared, corruption=noise, penalties=terms), optimizer

    params, _ = train_seeds(
        make,
        x,
        settings=jnp.array([*arms.values()], float),
        seeds=config.seeds,
        key=jax.random.key(config.seed),
        epochs=config.epochs,
        batch_size=config.batch_size,
    )
    kernels = np.asarray(params["encoder"]["layer_0"]["kernel"]).swapaxes(2, 3)
    return dict(zip(arms, kernels, strict=True))


def _whitening(x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The map x ↦ (x − mean) (Σ + ε)^(−½), with ε a hundredth of the mean variance."""
    flat = x.reshape(len(x), -1)
    values, vectors = np.linalg.eigh(np.cov(flat.T))
    matrix = (vectors / np.sqrt(values + values.mean() / 100)) @ vectors.T
    return lambda x: ((x.reshape(len(x), -1) - flat.mean(axis=0)) @ matrix).reshape(x.shape)


if __name__ == "__main__":
    main()
