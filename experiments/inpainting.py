"""A denoising autoencoder fills holes in digits better than smooth interpolation.

Claim:    a denoising autoencoder trained on images with a masked block fills blocks better, by PSNR
          and SSIM, than biharmonic inpainting, which smoothly continues the surroundings, and than
          principal components fitted to the known pixels.
Source:   Pathak et al. 2016 (blocks); Vincent et al. 2010 (denoising); the course's applications.
Command:  python -m experiments.inpainting
Expected: on MNIST, blocks of 6, 10 and 14 pixels a side: PSNR 27.3, 21.5 and 17.7 dB against 25.9,
          18.9 and 14.8 of biharmonic inpainting; SSIM is higher for 10 and 14. PCA (400 components
          and ridge chosen on 400 held-out training images) has 28.1, 21.8 and 17.6: the
          optimal linear prediction, which knows the position of the hole, is better for small holes
          and slightly worse for the largest.
Run time: four minutes on one idle core.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

import aejax
from aejax import corruptions, data, losses
from aejax.plots import figure_style
from aejax.types import Array, Corruption, Key
from experiments import harness
from experiments.harness.inpainting import (
    block_holes,
    filled_by_biharmonic,
    filled_by_pca,
    similarity,
)

OURS, BLACK = "autoencoder", "left black"
OTHERS = ("biharmonic", "PCA")
METRICS = ("PSNR", "SSIM")


@dataclass(frozen=True)
class Config:
    """Settings that determine the results."""

    data: str = "mnist"
    """name or path of a data set of square images with bounds"""
    train: int = 20_000
    """number of training examples, from the start of the data"""
    test: int = 500
    """number of test images, from the start; hole positions differ between seeds"""
    holes: tuple[int, ...] = (6, 10, 14)
    """sides of the masked blocks in pixels, equally frequent in training"""
    hidden: tuple[int, ...] = (512, 256)
    """units of the encoder's layers; the decoder has them in reverse"""
    components: int = 400
    """number of principal components"""
    ridge: float = 0.003
    """ridge penalty when PCA is fitted to the known pixels"""
    epochs: int = 20
    """epochs of training"""
    batch_size: int = 100
    """examples per step"""
    learning_rate: float = 2e-3
    """initial learning rate of Adam, with cosine decay to zero"""
    seeds: int = 5
    """number of training runs, each with its own hole positions"""
    seed: int = 0
    """seed of all random choices"""


QUICK = Config("digits", train=1400, test=60, holes=(2, 4), hidden=(64,), components=20, seeds=2)


def run(config: Config, dataset: data.Dataset) -> harness.Results:
    """Train with holes; fill holes of test images by each method, at new positions per seed."""
    x, x_test = harness.flatten_and_scale(dataset, config.train)
    side = round(x.shape[1] ** 0.5)
    originals = np.asarray(x_test[: config.test]).reshape(-1, side, side)
    objective = aejax.objective(
        aejax.dense((x.shape[1], *config.hidden), activation=jax.nn.gelu),
        losses.squared_tanh,
        corruption=corruptions.on_images(blocks(config.holes), image_shape=(side, side)),
    )
    params = harness.train_with_seeds(objective, 2 * x - 1, config, jax.random.key(config.seed))
    pca = PCA(config.components, random_state=config.seed).fit(np.asarray(x))
    reconstruct = jax.jit(jax.vmap(partial(aejax.reconstruct, objective)))
    metrics: dict[str, Any] = {}
    rows: dict[str, np.ndarray] = {}
    for hole in config.holes:
        keys = jax.random.split(jax.random.key(config.seed + hole), config.seeds)
        holes = [block_holes(key, originals.shape, hole) for key in keys]
        corrupted = jnp.stack(
            [jnp.where(each, 0, 2 * originals - 1).reshape(-1, side**2) for each in holes]
        )
        guesses = (1 + np.asarray(reconstruct(params, corrupted)).reshape(-1, *originals.shape)) / 2
        filled_by = {
            BLACK: [np.where(each, 0, originals) for each in holes],
            "biharmonic": [filled_by_biharmonic(originals, each) for each in holes],
            "PCA": [filled_by_pca(originals, each, pca=pca, ridge=config.ridge) for each in holes],
            OURS: [
                np.where(each, guess, originals) for each, guess in zip(holes, guesses, strict=True)
            ],
        }
        metrics[f"{hole}"] = {
            method: harness.stack_seeds([similarity(originals, seed) for seed in filled])
            for method, filled in filled_by.items()
        }
        shown = [
            np.where(holes[0], -1, originals),
            *(filled[0] for filled in filled_by.values()),
            originals,
        ]
        rows[f"{hole}"] = np.stack(shown)[:, :10]
    return harness.Results(metrics, rows)


def blocks(sides: tuple[int, ...]) -> Corruption:
    """Block masking with a random side for each batch."""
    each = [corruptions.block_masking(size=(side, side)) for side in sides]

    def corrupt(key: Key, x: Array) -> Array:
        key_side, key_position = jax.random.split(key)
        return jax.lax.switch(jax.random.randint(key_side, (), 0, len(each)), each, key_position, x)

    return corrupt


def primary(metrics: dict[str, Any]) -> harness.PrimaryComparison:
    """Comparison that decides the primary claim."""
    hole, found = next(iter(metrics.items()))
    return harness.PrimaryComparison(
        f"PSNR of test images with holes of {hole} × {hole} pixels, in dB",
        *((method, found[method]["PSNR"]) for method in (OURS, "biharmonic")),
        harness.above,
    )


def observations(metrics: dict[str, Any]) -> dict[str, harness.Comparison]:
    """Autoencoder minus each other method, by metric and size of the hole."""
    return {
        f"{metric}, holes of {hole}, {OURS} less {other}": harness.above(
            by_method[OURS][metric], by_method[other][metric]
        )
        for other in OTHERS
        for metric in METRICS
        for hole, by_method in metrics.items()
    }


def plot(config: Config, results: harness.Results) -> Figure:
    """Draw PSNR and SSIM by the side of the hole, and test digits filled by each method."""
    with figure_style():
        figure = Figure(figsize=(9.4, 3.8))
        curves, images = figure.subfigures(1, 2, width_ratios=(1.3, 1))
        for axis, metric in zip(curves.subplots(1, 2), METRICS, strict=True):
            for method in (OURS, *OTHERS, BLACK):
                seeds = [results.metrics[f"{hole}"][method][metric] for hole in config.holes]
                harness.draw_mean(axis, config.holes, np.transpose(seeds), "o-", label=method)
            axis.set(title=metric, xlabel="side of the hole, pixels", xticks=config.holes)
        axis.legend()
        axis = images.subplots()
        hole = config.holes[len(config.holes) // 2]
        rows = results.arrays[f"{hole}"]
        harness.mosaic(axis, rows.reshape(-1, *rows.shape[2:]), columns=rows.shape[1])
        extent = rows.shape[2] + 1
        names = (f"hole of {hole}", BLACK, *OTHERS, OURS, "original")
        axis.set_yticks(extent * (np.arange(len(names)) + 0.5), names)
        axis.tick_params(length=0)
    return figure


EXPERIMENT = harness.Experiment(
    name="inpainting", config=Config(), quick=QUICK, run=run, primary=primary,
    observations=observations, plot=plot,
    title="A denoising autoencoder fills holes in digits better than smooth interpolation.",
    claim="A denoising autoencoder fills holes of 6 × 6 pixels with a higher PSNR than biharmonic "
    "inpainting.",
    source="Pathak et al. 2016 (blocks); Vincent et al. 2010 (denoising); the course's "
    "applications.",
    expected="27.32 against 25.9, a difference of 1.42 ± 0.15",
    run_time="four minutes on one idle core",
    figure="PSNR and SSIM against the side of the hole; test digits with holes, filled by each "
    "method.",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    harness.execute(EXPERIMENT)


if __name__ == "__main__":
    main()
