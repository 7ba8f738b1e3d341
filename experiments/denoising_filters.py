"""The filters of a denoising autoencoder widen with its noise.

Claim:    with masking noise of rate q, each hidden unit must predict missing pixels from more
          distant ones: its filter widens with q, and its strokes become larger.
Source:   Vincent et al. 2008, §5 and fig. 3 (the course's figure).
Command:  python -m experiments.denoising_filters
Expected: on MNIST, 784-256-784 logistic and tied, for q = 0, 0.25, 0.5: the mean width (standard
          deviation of pixel positions weighted by w²) and the mean stroke (length over which
          weights change) increase with each q. The participation ratio decreases: weights
          concentrate in fewer pixels, on larger strokes; with q = 0, filters look like noise.
Run time: about two minutes on one idle core.
"""

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
from experiments import harness

EXTENTS = {
    "participation ratio": "(Σ w²)²/Σ w⁴, pixels",
    "width": "spread of w² about its centre, pixels",
    "stroke": "√(2 Σ w²/Σ |∇w|²), pixels",
}


@dataclass(frozen=True)
class Config:
    """Settings that determine the results."""

    data: str = "mnist"
    """name or path of a data set of square images with bounds"""
    train: int = 5000
    """number of training examples, from the start of the data"""
    rates: tuple[float, ...] = (0.0, 0.25, 0.5)
    """values of q, the probability that a pixel is set to 0"""
    hidden: int = 256
    """units of the code"""
    epochs: int = 15
    """epochs of training"""
    batch_size: int = 50
    """examples per step"""
    learning_rate: float = 1e-3
    """learning rate of Adam"""
    seeds: int = 5
    """number of training runs of each rate"""
    seed: int = 0
    """seed of all random choices"""


QUICK = Config(data="digits", train=500, hidden=36, epochs=5, seeds=2)


def run(config: Config, dataset: data.Dataset) -> harness.Results:
    """Train with every rate and seed; measure the mean of each of `EXTENTS` over filters."""
    x, _ = harness.flatten_and_scale(dataset, config.train)
    model = aejax.dense((x.shape[1], config.hidden), tied=True)

    def make(rate: Array) -> tuple[aejax.Objective, optax.GradientTransformation]:
        noise = corruptions.masking(rate=rate)
        objective = aejax.objective(model, losses.bernoulli, corruption=noise)
        return objective, optax.adam(config.learning_rate)

    params, _ = harness.train_grid(
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
    return harness.Results(metrics, {"filters": _images(kernels[:, 0])[:, :64]})


def extents(filters: np.ndarray) -> dict[str, np.ndarray]:
    """Mean of each of `EXTENTS` over filters [..., filters, height, width]."""
    energy = np.square(filters)
    total = energy.sum(axis=(-2, -1))
    spread = 0
    for axis in (-2, -1):
        positions = np.arange(filters.shape[axis])
        share = energy.sum(axis=-3 - axis) / total[..., None]
        centre = share @ positions
        spread = spread + (share @ positions**2 - centre**2) / 2
    change = sum(np.square(np.diff(filters, axis=axis)).sum(axis=(-2, -1)) for axis in (-2, -1))
    found = {
        "participation ratio": total**2 / np.square(energy).sum(axis=(-2, -1)),
        "width": np.sqrt(spread),
        "stroke": np.sqrt(2 * total / change),
    }
    return {name: values.mean(axis=-1) for name, values in found.items()}


def primary(metrics: dict[str, Any]) -> harness.PrimaryComparison:
    """Comparison that decides the primary claim."""
    width = metrics["width"]
    most = list(width)[-1]
    return harness.PrimaryComparison(
        "mean width of a filter in pixels",
        (f"q = {most}", width[most]),
        ("q = 0", width["0"]),
        harness.above,
    )


def observations(metrics: dict[str, Any]) -> dict[str, harness.Comparison]:
    """Increase of each of `EXTENTS` with the rate q."""
    return {
        f"mean {name}, q = {more} less q = {less}": harness.above(by_rate[more], by_rate[less])
        for name, by_rate in metrics.items()
        for less, more in pairwise(by_rate)
    }


def plot(config: Config, results: harness.Results) -> Figure:
    """Draw filters of the first seed, each on its own scale, and mean extents against q."""
    filters = results.arrays["filters"]
    with figure_style():
        figure = Figure(figsize=(9, 6))
        grids, curves = figure.subfigures(2, 1, height_ratios=(1.3, 1))
        for axis, rate, images in zip(
            grids.subplots(1, len(filters)), config.rates, filters, strict=True
        ):
            harness.mosaic(axis, images, columns=8)
            axis.set_title(f"q = {rate:g}")
        for axis, (name, unit) in zip(
            curves.subplots(1, len(EXTENTS)), EXTENTS.items(), strict=True
        ):
            seeds = np.transpose([*results.metrics[name].values()])
            harness.draw_mean(axis, config.rates, seeds, "o-")
            axis.set(title=name, xlabel=f"q\n{unit}", xticks=config.rates)
    return figure


EXPERIMENT = harness.Experiment(
    name="denoising_filters", config=Config(), quick=QUICK, run=run, primary=primary,
    observations=observations, plot=plot,
    title="The filters of a denoising autoencoder widen with its noise.",
    claim="The filters of an autoencoder trained with masking rate 0.5 are wider than without "
    "noise.",
    source="Vincent et al. 2008, §5 and fig. 3 (the course's figure).",
    expected="6.515 against 6.436, a difference of 0.079 ± 0.022",
    run_time="about two minutes on one idle core",
    figure="Filters of the first seed at each rate, each on its own scale; mean extents against q.",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    harness.execute(EXPERIMENT)


def _images(kernels: np.ndarray) -> np.ndarray:
    """Reshape [..., pixels, units] to [..., units, side, side]."""
    side = round(np.sqrt(kernels.shape[-2]))
    return np.swapaxes(kernels, -2, -1).reshape(*kernels.shape[:-2], -1, side, side)


if __name__ == "__main__":
    main()
