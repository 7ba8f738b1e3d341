"""An autoencoder that learned to fill holes knows what digits look like; smoothness does not.

Claim:    a denoising autoencoder trained on images with a block masked fills blocks nearer to the
          truth, by PSNR and SSIM, than biharmonic inpainting, which continues what lies around
          them smoothly, and than the principal components that fit the pixels that are left.
Source:   Pathak et al. 2016 (blocks); Vincent et al. 2010 (denoising); the course's applications.
Command:  python -m experiments.inpainting
Expected: on MNIST, blocks of 6, 10 and 14 pixels a side: PSNR 27.3, 21.5 and 17.7 dB against 25.9,
          18.9 and 14.8 of biharmonic inpainting; SSIM above it from 10 on. With PCA, whose 400
          components and ridge were chosen on 400 training images that are not trained on, it is
          28.1, 21.8 and 17.6: the fit, which is the best linear guess and is told where the hole
          is, is better for small holes, and worse, by little, for the largest.
Run time: four minutes on one quiet core.
"""

import sys
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
from experiments.harness import (
    Comparison,
    Results,
    above,
    draw_mean,
    execute,
    flat,
    mosaic,
    over_seeds,
    train_alike,
)
from experiments.harness.inpainting import (
    block_holes,
    filled_by_biharmonic,
    filled_by_pca,
    nearness,
)

OURS, BLACK = "autoencoder", "left black"
OTHERS = ("biharmonic", "PCA")
MEASURES = ("PSNR", "SSIM")


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    data: str = "mnist"
    """name or place of a data set of square images with bounds"""
    train: int = 20_000
    """examples, the first of the data"""
    test: int = 500
    """test images, the first; a seed's holes lie elsewhere in them"""
    holes: tuple[int, ...] = (6, 10, 14)
    """sides of the blocks that are masked, in pixels; each as often in training"""
    hidden: tuple[int, ...] = (512, 256)
    """units of the encoder's layers; the decoder is its mirror"""
    components: int = 400
    """of PCA"""
    ridge: float = 0.003
    """of its fit"""
    epochs: int = 20
    """passes over the examples"""
    batch_size: int = 100
    """examples a step"""
    learning_rate: float = 2e-3
    """of Adam at the start; it falls to zero by a cosine"""
    seeds: int = 5
    """trainings, and draws of the holes"""
    seed: int = 0
    """of all of them"""


QUICK = Config("digits", train=1400, test=60, holes=(2, 4), hidden=(64,), components=20, seeds=2)


def run(config: Config, dataset: data.Dataset) -> Results:
    """Train with holes; fill those of test images in each way, one draw of holes a seed."""
    x, x_test = flat(dataset, config.train)
    side = round(x.shape[1] ** 0.5)
    whole = np.asarray(x_test[: config.test]).reshape(-1, side, side)
    objective = aejax.objective(
        aejax.dense((x.shape[1], *config.hidden), activation=jax.nn.gelu),
        losses.squared_tanh,
        corruption=corruptions.on_images(blocks(config.holes), image_shape=(side, side)),
    )
    params = train_alike(objective, 2 * x - 1, config, jax.random.key(config.seed))
    pca = PCA(config.components, random_state=config.seed).fit(np.asarray(x))
    reconstruct = jax.jit(jax.vmap(partial(aejax.reconstruct, objective)))
    metrics: dict[str, Any] = {}
    pictures: dict[str, np.ndarray] = {}
    for hole in config.holes:
        keys = jax.random.split(jax.random.key(config.seed + hole), config.seeds)
        holes = [block_holes(key, whole.shape, hole) for key in keys]
        grey = jnp.stack([jnp.where(each, 0, 2 * whole - 1).reshape(-1, side**2) for each in holes])
        guesses = (1 + np.asarray(reconstruct(params, grey)).reshape(-1, *whole.shape)) / 2
        ways = {
            BLACK: [np.where(each, 0, whole) for each in holes],
            "biharmonic": [filled_by_biharmonic(whole, each) for each in holes],
            "PCA": [filled_by_pca(whole, each, pca=pca, ridge=config.ridge) for each in holes],
            OURS: [
                np.where(each, guess, whole) for each, guess in zip(holes, guesses, strict=True)
            ],
        }
        metrics[f"{hole}"] = {
            way: over_seeds([nearness(whole, seed) for seed in filled])
            for way, filled in ways.items()
        }
        shown = [np.where(holes[0], -1, whole), *(filled[0] for filled in ways.values()), whole]
        pictures[f"{hole}"] = np.stack(shown)[:, :10]
    return Results(metrics, pictures)


def blocks(sides: tuple[int, ...]) -> Corruption:
    """Block masking whose side is drawn anew for each batch."""
    each = [corruptions.block_masking(size=(side, side)) for side in sides]

    def corrupt(key: Key, x: Array) -> Array:
        key_side, key_place = jax.random.split(key)
        return jax.lax.switch(jax.random.randint(key_side, (), 0, len(each)), each, key_place, x)

    return corrupt


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Each measure, for each size of hole: the autoencoder less each other way, in pairs."""
    return {
        f"{measure}, holes of {hole}, {OURS} less {other}": above(
            by_way[OURS][measure], by_way[other][measure]
        )
        for other in OTHERS
        for measure in MEASURES
        for hole, by_way in metrics.items()
    }


def plot(config: Config, results: Results) -> Figure:
    """PSNR and SSIM against the hole's side; test digits with holes, filled in each way, whole."""
    with figure_style():
        figure = Figure(figsize=(9.4, 3.8))
        curves, pictures = figure.subfigures(1, 2, width_ratios=(1.3, 1))
        for axis, measure in zip(curves.subplots(1, 2), MEASURES, strict=True):
            for way in (OURS, *OTHERS, BLACK):
                seeds = [results.metrics[f"{hole}"][way][measure] for hole in config.holes]
                draw_mean(axis, config.holes, np.transpose(seeds), "o-", label=way)
            axis.set(title=measure, xlabel="side of the hole, pixels", xticks=config.holes)
        axis.legend()
        axis = pictures.subplots()
        hole = config.holes[len(config.holes) // 2]
        rows = results.arrays[f"{hole}"]
        mosaic(axis, rows.reshape(-1, *rows.shape[2:]), columns=rows.shape[1])
        extent = rows.shape[2] + 1
        names = (f"hole of {hole}", BLACK, *OTHERS, OURS, "whole")
        axis.set_yticks(extent * (np.arange(len(names)) + 0.5), names)
        axis.tick_params(length=0)
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


if __name__ == "__main__":
    main()
