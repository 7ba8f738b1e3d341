"""A linear autoencoder trained on the squared error becomes principal component analysis.

Claim:    the best linear autoencoder with k code units and the squared error projects onto the k
          leading principal components, and its loss has no other local minimum: every optimizer
          converges to it. Yet its code units are not the components but some basis of their span.
Source:   Bourlard & Kamp 1988; Baldi & Hornik 1989.
Command:  python -m experiments.pca_equivalence
Expected: on MNIST with k = 12, the decoder's span ends 0.04 degrees from that of the components by
          gradient descent, 0.12 by Adam, and 0.34 by L-BFGS; the loss is within 1e-4 of
          PCA's. The mean cosine of a unit to its closest component stays between 0.5 and 0.8.
Selection: nothing was chosen on data; the learning rates were not tuned.
Run time: seven minutes on one idle core.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen
from matplotlib.figure import Figure

import aejax
from aejax import data, losses
from aejax.models import pca_params
from aejax.plots import INK, figure_style
from aejax.theory.analysis.pca import PCA, leading_components, pca
from aejax.types import Array
from experiments import harness
from experiments.harness.pca_comparison import examples_with_the_same_loss, measure_against_pca


@dataclass(frozen=True)
class Config:
    """Settings that determine the results."""

    data: str = "mnist"
    """name or path of a data set of square images with bounds"""
    train: int = 60_000
    """number of examples of both PCA and the autoencoder"""
    code: int = 12
    """number k of code units"""
    epochs: int = 60
    """epochs of training by mini-batches"""
    iterations: int = 600
    """iterations of L-BFGS on the loss of all examples"""
    batch_size: int = 100
    """examples per step, except for L-BFGS"""
    optimizers: tuple[str, ...] = ("gradient descent", "Adam", "L-BFGS")
    """compared optimizers; the first two have a cosine schedule to zero"""
    seeds: int = 5
    """number of training runs by each optimizer"""
    seed: int = 0
    """seed of all random choices"""


QUICK = Config(data="digits", train=1000, code=6, epochs=30, optimizers=("Adam",), seeds=2)


def run(config: Config, dataset: data.Dataset, cache: harness.PartCache) -> harness.Results:
    """Train by every optimizer; compare with PCA after each epoch or iteration."""
    x, _ = harness.flatten_and_scale(dataset, config.train)
    analysis = pca(x)
    components = leading_components(analysis, config.code)
    exact = pca_params(*(jnp.asarray(each, x.dtype) for each in (components, analysis.mean)))
    measure = measure_against_pca(_objective(config, x), analysis, config.code, x.dtype)
    metrics: dict[str, Any] = {"PCA's parameters": measure(exact, x)}
    kernels = {}
    for name in config.optimizers:
        parts = [
            cache(f"{name}, seed {i}", partial(_train, config, name, x, analysis, key))
            for i, key in enumerate(jax.random.split(jax.random.key(config.seed), config.seeds))
        ]
        metrics[name] = harness.stack_seeds([part.metrics for part in parts])
        kernels[name] = parts[0].arrays["kernel"]
    units = kernels[config.optimizers[0]]
    return harness.Results(metrics, {"components": components, "units": units})


def primary(metrics: dict[str, Any]) -> harness.PrimaryComparison:
    """Comparison that decides the primary claim."""
    name, measured = list(metrics.items())[1]
    return harness.PrimaryComparison(
        "largest angle between the span of the decoder and that of the components, in degrees",
        (name, np.array(measured["angle"])[:, -1]), ("limit", 1.0), harness.below,
    )  # fmt: skip


def observations(metrics: dict[str, Any]) -> dict[str, harness.Comparison]:
    """For every optimizer after training: principal angle, loss and basis."""
    found = {}
    for name, measured in list(metrics.items())[1:]:
        last = {what: np.array(values)[:, -1] for what, values in measured.items()}
        found |= {
            f"largest principal angle less 1 degree, {name}": harness.below(last["angle"], 1.0),
            f"loss above PCA's, share of it, less 0.001, {name}": harness.below(last["gap"], 1e-3),
            f"cosine of units to components less 0.95, {name}": harness.below(
                last["aligned"], 0.95
            ),
        }
    exact = abs(metrics["PCA's parameters"]["gap"])
    return found | {"loss of PCA's parameters off by 1e-5": harness.above([1e-5] * 2, exact)}


def plot(config: Config, results: harness.Results) -> Figure:
    """Draw angle and loss by epoch; components, one decoder, and the components in its span."""
    names = list(results.metrics)[1:]
    angle = np.mean([seed[-1] for seed in results.metrics[names[0]]["angle"]])
    with figure_style():
        figure = Figure(figsize=(10, 6.2))
        figure.suptitle(f"{names[0].capitalize()} ends {angle:.2g} degrees from PCA", fontsize=14)
        curves, images = figure.subfigures(2, 1, height_ratios=(1, 1))
        for axis, what, title in zip(
            curves.subplots(1, 2),
            ("angle", "gap"),
            ("largest angle to the span of the components, degrees", "(L − L_PCA)/L_PCA"),
            strict=True,
        ):
            for name, style in zip(names, ("-", "--", "-."), strict=False):
                seeds = np.array(results.metrics[name][what])
                epochs = np.arange(1, 1 + seeds.shape[1])
                harness.draw_mean(axis, epochs, seeds.clip(1e-12), style, label=name)
            axis.set(
                xscale="log", yscale="log", title=title, xlabel="epoch, or iteration of L-BFGS"
            )
            axis.legend()
        components, units = results.arrays["components"], results.arrays["units"]
        basis = np.linalg.qr(units.T)[0]
        rows = {
            "principal components": components,
            f"units of {names[0]}": units,
            "components, projected\nonto the units' span": components @ basis @ basis.T,
        }
        for axis, (name, row) in zip(images.subplots(len(rows), 1), rows.items(), strict=True):
            harness.mosaic(axis, row, columns=len(row), colours="PuOr_r")
            axis.set_ylabel(name, rotation=0, ha="right", va="center", color=INK)
    return figure


EXPERIMENT = harness.Experiment(
    name="pca_equivalence", config=Config(), quick=QUICK, run=run, primary=primary,
    observations=observations, plot=plot,
    title="A linear autoencoder trained on the squared error becomes principal component analysis.",
    claim="After training by gradient descent, the decoder of a linear autoencoder spans the k "
    "leading principal components, within an angle of one degree.",
    source="Bourlard & Kamp 1988; Baldi & Hornik 1989.",
    expected="0.04384 against 1, a difference of −0.956 ± 0.0066",
    run_time="seven minutes on one idle core",
    figure="Principal angle and loss gap by epoch; components, the units of one decoder, and the "
    "components projected onto their span.",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    harness.execute(EXPERIMENT)


def _objective(config: Config, x: Array) -> aejax.Objective:
    """Squared error; encoder and decoder start at equal scales, which gradient descent keeps."""
    glorot = aejax.Initializers(kernel=linen.initializers.glorot_normal())
    sizes = (x.shape[1], config.code)
    model = aejax.dense(sizes, activation=jax.nn.identity, initializers=glorot)
    return aejax.objective(model, losses.squared)


def _train(config: Config, name: str, x: Array, analysis: PCA, key: Array) -> harness.Results:
    """Train once; comparison with PCA after every epoch or iteration, and the decoder's kernel."""
    steps = config.epochs * -(-len(x) // config.batch_size)
    schedule = partial(optax.cosine_decay_schedule, decay_steps=steps)
    optimizer, epochs, batch_size = {
        "gradient descent": (optax.sgd(schedule(3e-3), 0.9), config.epochs, config.batch_size),
        "Adam": (optax.adam(schedule(1e-2)), config.epochs, config.batch_size),
        "L-BFGS": (optax.lbfgs(), config.iterations, None),
    }[name]
    with jax.enable_x64(batch_size is None):  # float32 stops line searches early
        if batch_size is None:
            x = jnp.asarray(examples_with_the_same_loss(analysis))
        objective = _objective(config, x)
        params, measured = harness.train_grid(
            lambda _: (objective, optimizer),
            x,
            settings=np.zeros(1),
            seeds=1,
            key=key,
            epochs=epochs,
            batch_size=batch_size or len(x),
            measure=measure_against_pca(objective, analysis, config.code, x.dtype),
        )
    kernel = params["decoder"]["layer_0"]["kernel"][0, 0]
    metrics = {name: values[0, 0] for name, values in measured.items() if name != "loss"}
    return harness.Results(metrics, {"kernel": kernel})


if __name__ == "__main__":
    main()
