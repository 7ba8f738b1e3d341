"""An overcomplete autoencoder copies whatever it is given; every regulariser ends that.

Claim:    with more code units than inputs and nothing else, an autoencoder returns noise as well as
          data; weight decay, an L1 or KL penalty on the code, contraction and corruption each make
          it lose the noise and keep the data, and leave codes that classify better.
Source:   Goodfellow, Bengio & Courville 2016, §14.2; Vincent et al. 2010, §3.
Command:  python -m experiments.overcomplete
Expected: on MNIST at 14 × 14 with 400 logistic units: the plain one loses less than 0.05 of the
          variance of noise; with each regulariser the loss of noise exceeds that of data by 0.3
          more. Accuracy on the code rises by 0.05 with all but L1, with which it does not change.
Run time: three minutes on one quiet core.
"""

import sys
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from scipy import stats

import aejax
from aejax import corruptions, data, losses, penalties
from aejax.evaluation import copying
from aejax.plots import COLOURS, figure_style
from aejax.types import Array, Key, Params
from experiments.harness import (
    Comparison,
    Results,
    above,
    below,
    execute,
    flat,
    linear_accuracy,
    train_seeds,
)

PLAIN = "plain"
CURES = {"L2": 0.01, "L1": 0.1, "KL": 1.0, "contraction": 1.0, "masking": 0.5}
"""Each regulariser's weight, or its rate for masking; none was tuned."""
SEEDED = (PLAIN, *CURES)
SETTINGS = [{name: level * (name == cure) for name, level in CURES.items()} for cure in SEEDED]


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers, with the levels above."""

    data: str = "mnist"
    """name or place of a data set of square images with bounds and labels"""
    train: int = 3000
    """examples, for the autoencoder and the classifier"""
    test: int = 2000
    """test examples"""
    pool: int = 2
    """pixels are means of so many by so many"""
    hidden: int = 400
    """units of the code; more than there are pixels"""
    epochs: int = 40
    """passes over the examples"""
    batch_size: int = 100
    """examples a step"""
    learning_rate: float = 5e-3
    """of Adam"""
    seeds: int = 5
    """trainings of each regulariser"""
    seed: int = 0
    """of all of them"""


QUICK = Config(data="digits", train=1400, test=300, pool=1, hidden=96, epochs=10, seeds=2)


def run(config: Config, dataset: data.Dataset) -> Results:
    """Train with every regulariser and seed at once; measure copying and classification."""
    x, x_test = (_pooled(part, config.pool) for part in flat(dataset, config.train))
    x_test = x_test[: config.test]
    model = aejax.dense((x.shape[1], config.hidden))
    plain = aejax.objective(model, losses.squared)
    params, _ = train_seeds(
        lambda levels: (_objective(model, levels), optax.adam(config.learning_rate)),
        x,
        settings=jax.tree.map(lambda *levels: jnp.asarray(levels), *SETTINGS),
        seeds=config.seeds,
        key=jax.random.key(config.seed),
        epochs=config.epochs,
        batch_size=config.batch_size,
    )

    @jax.jit
    def measure(params: Params, x: Array, x_test: Array, key: Key) -> tuple:
        codes = model.encode(params, x), model.encode(params, x_test)
        return copying(plain, params, x_test, key), *codes

    keys = jax.random.split(jax.random.key(config.seed + 1), config.seeds)
    labels = dataset.labels_train[: config.train], dataset.labels_test[: config.test]
    metrics: dict[str, Any] = {}
    for i, name in enumerate(SEEDED):
        found: dict[str, list[float]] = {"data": [], "noise": [], "accuracy": []}
        for j, key in enumerate(keys):
            member = jax.tree.map(lambda leaf, i=i, j=j: leaf[i, j], params)
            lost, code, code_test = measure(member, x, x_test, key)
            found["data"].append(float(lost.data))
            found["noise"].append(float(lost.noise))
            found["accuracy"].append(linear_accuracy(code, labels[0], code_test, labels[1]))
        metrics[name] = found
    metrics["pixels"] = {"accuracy": linear_accuracy(x, labels[0], x_test, labels[1])}
    return Results(metrics)


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """The plain one copies noise; each regulariser widens the gap, and classifies better or not."""
    gaps = {name: np.subtract(metrics[name]["noise"], metrics[name]["data"]) for name in SEEDED}
    accuracy = {name: metrics[name]["accuracy"] for name in SEEDED}
    found = {
        "share of noise lost by the plain one, less 0.05": below(metrics[PLAIN]["noise"], 0.05)
    }
    for cure in CURES:
        claim = f"share lost of noise above that of data, {cure} less plain"
        found[claim] = above(gaps[cure], gaps[PLAIN])
    for cure in CURES:
        found[f"accuracy on the code, {cure} less plain"] = above(accuracy[cure], accuracy[PLAIN])
    return found


def plot(config: Config, results: Results) -> Figure:
    """Share of variance lost, of data and of noise, and accuracy on the code; mean ± error."""
    places = np.arange(len(SEEDED))
    with figure_style():
        figure = Figure(figsize=(8.4, 3.2))
        lost, accuracy = figure.subplots(1, 2)
        bars = ((lost, "data", -0.2, 0), (lost, "noise", 0.2, 1), (accuracy, "accuracy", 0, 0))
        for axis, what, shift, colour in bars:
            seeds = np.array([results.metrics[name][what] for name in SEEDED])
            axis.bar(places + shift, seeds.mean(axis=1), 0.4, color=COLOURS[colour], label=what,
                     yerr=stats.sem(seeds, axis=1))  # fmt: skip
        lost.set(title="share of variance lost", yscale="log")
        lost.legend()
        pixels = results.metrics["pixels"]["accuracy"]
        accuracy.axhline(pixels, color=COLOURS[6], linestyle="--", label="pixels")
        values = [value for name in SEEDED for value in results.metrics[name]["accuracy"]]
        accuracy.set(title="accuracy of a linear classifier on the code")
        accuracy.set_ylim(min([*values, pixels]) - 0.02, max([*values, pixels]) + 0.02)
        accuracy.legend()
        for axis in (lost, accuracy):
            axis.set_xticks(places, SEEDED, rotation=20)
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _objective(model: aejax.Autoencoder, levels: dict[str, Array]) -> aejax.Objective:
    return aejax.objective(
        model,
        losses.squared,
        corruption=corruptions.masking(rate=levels["masking"]),
        penalties={
            "L2": (levels["L2"], penalties.l2()),
            "L1": (levels["L1"], penalties.l1()),
            "KL": (levels["KL"], penalties.kl_sparsity(rho=0.05)),
            "contraction": (levels["contraction"], penalties.contractive_logistic()),
        },
    )


def _pooled(x: Array, pool: int) -> Array:
    """Images as rows, pixels averaged pool by pool."""
    side = round(x.shape[1] ** 0.5) // pool
    return x.reshape(-1, side, pool, side, pool).mean(axis=(2, 4)).reshape(len(x), -1)


if __name__ == "__main__":
    main()
