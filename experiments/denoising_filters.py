"""The filters of a denoising autoencoder widen as its noise grows.

Claim:    trained with masking noise of rate q, each hidden unit must fill in what is missing from
          what lies farther off: its filter grows wider with q, and its strokes larger.
Source:   Vincent et al. 2008, §5 and fig. 3 (the course's figure).
Command:  python -m experiments.denoising_filters
Expected: on MNIST, 784-256-784 logistic and tied, over q = 0, 0.25, 0.5: mean width (the spread of
          the squared weights about their centre) and mean stroke (the length over which weights
          change) rise at each step. The participation ratio does not: it falls, for the weights
          gather in fewer pixels, those of larger strokes, while noise fills the whole image.
Run time: about two minutes on one quiet core.
"""

import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import numpy as np
import optax
from matplotlib.figure import Figure

import aejax
from aejax import corruptions, data, losses
from aejax.plots import figure_style
from aejax.types import Array
from experiments.harness import (
    Comparison,
    Results,
    above,
    draw_mean,
    execute,
    flat,
    mosaic,
    train_seeds,
)

EXTENTS = {
    "participation ratio": "(Σ w²)²/Σ w⁴, pixels",
    "width": "spread of w² about its centre, pixels",
    "stroke": "√(2 Σ w²/Σ |∇w|²), pixels",
}


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    data: str = "mnist"
    """name or place of a data set of square images with bounds"""
    train: int = 5000
    """examples, the first of the data; filters take their form from few"""
    rates: tuple[float, ...] = (0.0, 0.25, 0.5)
    """every q, the probability with which a pixel is set to 0"""
    hidden: int = 256
    """units of the code"""
    epochs: int = 15
    """passes over the examples"""
    batch_size: int = 50
    """examples a step"""
    learning_rate: float = 1e-3
    """of Adam"""
    seeds: int = 5
    """trainings of each rate"""
    seed: int = 0
    """of all of them"""


QUICK = Config(data="digits", train=500, hidden=36, epochs=5, seeds=2)


def run(config: Config, dataset: data.Dataset) -> Results:
    """Train every rate with every seed, and measure the mean extent of the filters."""
    x, _ = flat(dataset, config.train)
    model = aejax.dense((x.shape[1], config.hidden), tied=True)

    def make(rate: Array) -> tuple[aejax.Objective, optax.GradientTransformation]:
        noise = corruptions.masking(rate=rate)
        objective = aejax.objective(model, losses.bernoulli, corruption=noise)
        return objective, optax.adam(config.learning_rate)

    params, _ = train_seeds(
        make,
        x,
        settings=np.array(config.rates),
        seeds=config.seeds,
        key=jax.random.key(config.seed),
        epochs=config.epochs,
        batch_size=config.batch_size,
    )
    kernels = np.asarray(params["encoder"]["layer_0"]["kernel"])
    measured = [extents(_images(kernel)) for kernel in kernels]
    metrics = {
        name: {f"{q:g}": means[name] for q, means in zip(config.rates, measured, strict=True)}
        for name in EXTENTS
    }
    return Results(metrics, {"filters": _images(kernels[:, 0])[:, :64]})


def extents(filters: np.ndarray) -> dict[str, np.ndarray]:
    """Mean extents over filters [..., filters, height, width], each a length or area in pixels."""
    energy = np.square(filters)
    total = energy.sum(axis=(-2, -1))
    spread = 0
    for axis in (-2, -1):
        places = np.arange(filters.shape[axis])
        share = energy.sum(axis=-3 - axis) / total[..., None]
        centre = share @ places
        spread = spread + (share @ places**2 - centre**2) / 2
    change = sum(np.square(np.diff(filters, axis=axis)).sum(axis=(-2, -1)) for axis in (-2, -1))
    found = {
        "participation ratio": total**2 / np.square(energy).sum(axis=(-2, -1)),
        "width": np.sqrt(spread),
        "stroke": np.sqrt(2 * total / change),
    }
    return {name: values.mean(axis=-1) for name, values in found.items()}


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Each extent rises with each rate."""
    return {
        f"mean {name}, q = {more} less q = {less}": above(by_rate[more], by_rate[less])
        for name, by_rate in metrics.items()
        for less, more in pairwise(by_rate)
    }


def plot(config: Config, results: Results) -> Figure:
    """Filters of the first seed at each rate, each on its own scale; mean extents against q."""
    filters = results.arrays["filters"]
    with figure_style():
        figure = Figure(figsize=(9, 6))
        pictures, curves = figure.subfigures(2, 1, height_ratios=(1.3, 1))
        for axis, rate, images in zip(
            pictures.subplots(1, len(filters)), config.rates, filters, strict=True
        ):
            mosaic(axis, images, columns=8)
            axis.set_title(f"q = {rate:g}")
        for axis, (name, unit) in zip(
            curves.subplots(1, len(EXTENTS)), EXTENTS.items(), strict=True
        ):
            seeds = np.transpose([*results.metrics[name].values()])
            draw_mean(axis, config.rates, seeds, "o-")
            axis.set(title=name, xlabel=f"q\n{unit}", xticks=config.rates)
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _images(kernels: np.ndarray) -> np.ndarray:
    """[..., pixels, units] as [..., units, side, side]."""
    side = round(np.sqrt(kernels.shape[-2]))
    return np.swapaxes(kernels, -2, -1).reshape(*kernels.shape[:-2], -1, side, side)


if __name__ == "__main__":
    main()
