"""A linear autoencoder trained on the squared error becomes principal component analysis.

Claim:    with the squared error the best linear autoencoder with k code units projects on the k
          leading principal components; whichever optimizer trains it, it ends there; yet its code
          units are not the components, but any basis of their span.
Source:   Bourlard & Kamp 1988; Baldi & Hornik 1989.
Command:  python -m experiments.pca_equivalence
Expected: on MNIST, PCA's own parameters have that loss to 1e-5. In its epochs Adam comes within
          1e-3 of it, and within an angle of 0.2 of the components. Gradient descent and L-BFGS come
          within 1 % or nearly so, but leave the last of the components, whose eigenvalue is close
          to the next one's, an angle that more steps would have to close.
Run time: about two minutes on one core.
"""

import sys
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
from aejax.theory.analysis.pca import leading_components, least_loss, pca
from aejax.types import Array, Params
from experiments.harness import (
    Comparison,
    Measure,
    Remember,
    Results,
    above,
    below,
    draw_mean,
    execute,
    flat,
    mean_squared_error,
    train_seeds,
)


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    data: str = "mnist"
    """name or place of a data set of images with bounds"""
    train: int = 4000
    """examples; PCA and the autoencoder see the same ones"""
    code: int = 12
    """k, the code units"""
    epochs: int = 40
    """passes over the data, by batches"""
    whole: int = 120
    """passes of L-BFGS, a step each"""
    batch_size: int = 100
    """examples a step; L-BFGS takes all of them"""
    optimizers: tuple[str, ...] = ("gradient descent", "Adam", "L-BFGS")
    """which of the three; the first two end with a rate of zero"""
    seeds: int = 5
    """trainings by each optimizer"""
    seed: int = 0
    """of all of them"""


QUICK = Config(data="digits", train=1000, code=6, epochs=30, optimizers=("Adam",), seeds=2)


def run(config: Config, dataset: data.Dataset, remember: Remember) -> Results:
    """Train by every optimizer, measured against PCA after each epoch."""
    x, _ = flat(dataset, config.train)
    analysis = pca(x)
    components = leading_components(analysis, config.code)
    least = least_loss(analysis, config.code)
    model = aejax.dense(
        (x.shape[1], config.code),
        activation=jax.nn.identity,
        initializers=aejax.Initializers(kernel=linen.initializers.glorot_normal()),
    )  # Glorot's kernels start encoder and decoder alike, which gradient descent keeps balanced
    objective = aejax.objective(model, losses.squared)
    measure = partial(_measure, objective, jnp.asarray(components, x.dtype), least)
    pca_arrays = (jnp.asarray(array, x.dtype) for array in (components, analysis.mean))
    exact = measure(pca_params(*pca_arrays), x)
    metrics: dict[str, Any] = {"PCA's parameters": exact | {"least loss": least}}
    kernels = {}
    for name in config.optimizers:
        part = remember(name, partial(_train, config, name, objective, x, measure))
        metrics[name] = part.metrics
        kernels[name] = part.arrays["kernels"]
    images = np.stack([components, *kernels.values()])
    return Results(metrics, {"images": images, "eigenvalues": analysis.eigenvalues})


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """At the end of training, for every optimizer: the loss, the subspace, and not the basis."""
    found = {}
    for name, measured in list(metrics.items())[1:]:
        last = {what: np.array(values)[:, -1] for what, values in measured.items()}
        found |= {
            f"loss above PCA's, share of it, below 0.01, {name}": below(last["gap"], 0.01),
            f"largest principal angle below 0.2, {name}": below(last["angle"], 0.2),
            f"cosine of units to components below 0.95, {name}": below(last["aligned"], 0.95),
        }
    exact = abs(metrics["PCA's parameters"]["gap"])
    return found | {"loss of PCA's parameters off by 1e-5": above([1e-5] * 2, exact)}


def plot(config: Config, results: Results) -> Figure:
    """The spectrum; loss gap and principal angle by epoch; components above the decoders' rows."""
    names = list(results.metrics)[1:]
    with figure_style():
        figure = Figure(figsize=(9, 5.6))
        above_, below_ = figure.subfigures(2, 1, height_ratios=(1, 0.9))
        spectrum, gap, angle = above_.subplots(1, 3)
        values = results.arrays["eigenvalues"]
        spectrum.semilogy(np.arange(1, 101), np.pad(values, (0, 100))[:100].clip(1e-6))
        spectrum.axvline(config.code + 0.5, color=INK, linestyle="--", linewidth=0.8)
        spectrum.set(
            title="spectrum, cut at k", xlabel="component", ylim=(values[:100].min(), None)
        )
        for name, style in zip(names, ("-", "--", "-."), strict=False):
            for axis, what in ((gap, "gap"), (angle, "angle")):
                seeds = np.array(results.metrics[name][what])
                draw_mean(axis, np.arange(1, 1 + seeds.shape[1]), seeds, style, label=name)
        gap.set(title="(L − L_PCA)/L_PCA", yscale="log", xlabel="epoch")
        angle.set(title="largest principal angle", yscale="log", xlabel="epoch")
        gap.legend(fontsize="small")
        rows = ["PCA", *names]
        side = round(np.sqrt(results.arrays["images"].shape[-1]))
        axes = below_.subplots(len(rows), min(config.code, 12), squeeze=False)
        for line, name, images in zip(axes, rows, results.arrays["images"], strict=True):
            line[0].set_ylabel(name, rotation=0, ha="right", va="center")
            for axis, image in zip(line, images, strict=False):
                limit = np.abs(image).max()
                axis.imshow(image.reshape(side, side), "coolwarm", vmin=-limit, vmax=limit)
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _train(
    config: Config, name: str, objective: aejax.Objective, x: Array, measure: Measure
) -> Results:
    """All seeds by one optimizer: the measurements of every epoch, and one decoder's kernel."""
    steps = config.epochs * -(-len(x) // config.batch_size)
    falling = partial(optax.cosine_decay_schedule, decay_steps=steps)
    optimizer, batch_size, epochs = {
        "gradient descent": (optax.sgd(falling(3e-3), 0.9), config.batch_size, config.epochs),
        "Adam": (optax.adam(falling(1e-2)), config.batch_size, config.epochs),
        "L-BFGS": (optax.lbfgs(), len(x), config.whole),
    }[name]
    params, measured = train_seeds(
        lambda _: (objective, optimizer),
        x,
        settings=np.zeros(1),
        seeds=config.seeds,
        key=jax.random.key(config.seed),
        epochs=epochs,
        batch_size=batch_size,
        measure=measure,
    )
    kernels = params["decoder"]["layer_0"]["kernel"][0, 0]
    return Results({name: values[0] for name, values in measured.items()}, {"kernels": kernels})


def _measure(
    objective: aejax.Objective, components: Array, least: float, params: Params, x: Array
) -> dict[str, Array]:
    """The loss gap as a share; the largest principal angle to PCA; and the units' own cosines."""
    loss = mean_squared_error(objective, params, x)
    kernel = params["decoder"]["layer_0"]["kernel"]
    basis, _ = jnp.linalg.qr(kernel.T)
    outside = basis - components.T @ (components @ basis)
    sine = jnp.linalg.norm(outside, ord=2)
    cosines = components @ (kernel / jnp.linalg.norm(kernel, axis=1, keepdims=True)).T
    return {
        "gap": (loss - least) / least,
        "angle": jnp.arcsin(jnp.minimum(sine, 1)),
        "aligned": jnp.mean(jnp.max(jnp.abs(cosines), axis=0)),
    }


if __name__ == "__main__":
    main()
