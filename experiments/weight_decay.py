"""Weight decay helps an autoencoder generalise, and most where examples are few.

Claim:    along the path of λ, in loss + λ Σ W², the train error only rises, while the test error
          falls and then rises; the best λ lowers the test error, the more so the fewer the
          examples.
Source:   Krogh & Hertz 1991; Goodfellow, Bengio & Courville 2016, §7.1.1.
Command:  python -m experiments.weight_decay
Expected: on MNIST, 784-32-784 logistic, with 100 examples the best λ, chosen for each seed by the
          other seeds, lowers the log test error, by 0.04; with 6400 examples it is λ = 0.
Run time: two minutes on one quiet core.
"""

import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
import optax
from matplotlib.figure import Figure

import aejax
from aejax import data, losses, penalties
from aejax.plots import figure_style
from aejax.types import Array, Params
from experiments.harness import (
    Comparison,
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
    """name or place of a data set with bounds"""
    examples: tuple[int, ...] = (100, 800, 6400)
    """sizes of the training set, each the first so many of the data"""
    decays: tuple[float, ...] = (0, 0.0003, 0.001, 0.003, 0.01, 0.03)
    """every λ, the weight of Σ W² beside the mean loss of an example in nats"""
    hidden: int = 32
    """units of the code, not tied"""
    steps: int = 500
    """steps of Adam, whatever the number of examples"""
    batch_size: int = 100
    """examples a step"""
    learning_rate: float = 1e-2
    """at the start; it falls to zero by a cosine"""
    test: int = 1000
    """test examples"""
    seeds: int = 5
    """trainings of each size and λ"""
    seed: int = 0
    """of all of them"""


QUICK = Config(data="digits", examples=(50, 400), decays=(0, 0.01, 0.1), steps=200, seeds=2)


def run(config: Config, dataset: data.Dataset, remember: Remember) -> Results:
    """Train and test errors of every size; all λ and seeds of a size in one compiled program."""
    x, x_test = flat(dataset, max(config.examples))
    metrics: dict[str, Any] = {}
    for examples in config.examples:
        part = partial(_path, config, x[:examples], x_test[: config.test])
        metrics[str(examples)] = remember(f"{examples} examples", part).metrics
    return Results(metrics)


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """The best λ against none, and the gain with few examples against that with many."""
    gains = {size: _gain(path["test"]) for size, path in metrics.items()}
    few, *_, many = gains
    train = [np.log(seeds) for seeds in metrics[few]["train"].values()]
    test = [np.log(seeds) for seeds in metrics[few]["test"].values()]
    return {
        f"log test error, best λ less none, {few} examples": below(gains[few], 0),
        f"the same less that with {many} examples": below(gains[few], gains[many]),
        f"log train error, largest λ less none, {few} examples": above(train[-1], train[0]),
        f"log test error, largest λ less best, {few} examples": above(
            test[-1] - test[0], gains[few]
        ),
    }


def plot(config: Config, results: Results) -> Figure:
    """Train and test error against λ (leftmost: none), a panel a training-set size."""
    ticks = np.arange(len(config.decays))
    with figure_style():
        figure = Figure(figsize=(3 * len(config.examples), 3))
        panels = figure.subplots(1, len(config.examples), sharey=True, squeeze=False)[0]
        for panel, (size, path) in zip(panels, results.metrics.items(), strict=True):
            for (what, seeds), style in zip(path.items(), ("s--", "o-"), strict=True):
                draw_mean(panel, ticks, np.transpose([*seeds.values()]), style, label=what)
            panel.set_xticks(ticks, [f"{decay:g}" for decay in config.decays], fontsize="small")
            panel.set(title=f"{size} examples", xlabel="λ", yscale="log")
        panels[0].set_ylabel("squared error of an example")
        panels[0].legend()
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _path(config: Config, x: Array, x_test: Array) -> Results:
    batch_size = min(config.batch_size, len(x))
    model = aejax.dense((x.shape[1], config.hidden))
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))

    def make(decay: Array | float) -> tuple[aejax.Objective, optax.GradientTransformation]:
        terms = {"decay": (decay, penalties.l2())}
        return aejax.objective(model, losses.bernoulli, penalties=terms), optimizer

    def errors(params: Params, x: Array) -> Array:
        return mean_squared_error(make(0.0)[0], params, x)

    params, _ = train_seeds(
        make,
        x,
        settings=np.array(config.decays),
        seeds=config.seeds,
        key=jax.random.key(config.seed),
        epochs=config.steps * batch_size // len(x),
        batch_size=batch_size,
    )
    measure = jax.jit(jax.vmap(jax.vmap(errors, (0, None)), (0, None)))
    names = [f"{decay:g}" for decay in config.decays]
    return Results(
        {
            what: dict(zip(names, measure(params, examples), strict=True))
            for what, examples in {"train": x, "test": x_test}.items()
        }
    )


def _gain(path: dict[str, list[float]]) -> np.ndarray:
    """Log test error [seeds] of the λ that the other seeds find best, less that of λ = 0."""
    logs = np.log([*path.values()])
    others = logs.sum(axis=1, keepdims=True) - logs
    return logs[others.argmin(axis=0), np.arange(logs.shape[1])] - logs[0]


if __name__ == "__main__":
    main()
