"""Tied weights generalise better than untied ones where examples are few.

Claim:    a decoder that shares the encoder's weights, W_d = W_eᵀ, has half the parameters; its
          train error is higher and its test error lower, the more so the fewer the examples.
Source:   Vincent et al. 2010, §2.3 and §4 (tied weights); Goodfellow, Bengio & Courville 2016, §7.9
          (parameter sharing).
Command:  python -m experiments.weight_sharing
Expected: on MNIST, 784-64-784 logistic, as many steps for all: the test error of the tied one is
          lower from 400 examples on, and so is its train error: it learns faster. A smaller gap
          between the two, which is what sharing is said to buy, shows with 100 examples alone.
Run time: about two minutes on one quiet core.
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
from aejax import Batch, data, losses, training
from aejax.plots import figure_style
from aejax.types import Array, Key
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
)

UNTIED, TIED = "untied", "tied"


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    data: str = "mnist"
    """name or place of a data set with bounds"""
    train: int = 20_000
    """examples from which each seed draws its own"""
    examples: tuple[int, ...] = (100, 400, 1600, 6400)
    """sizes of a seed's training set, each part of the next"""
    hidden: int = 64
    """units of the code"""
    steps: int = 1200
    """steps of Adam, whatever the number of examples"""
    batch_size: int = 100
    """examples a step"""
    learning_rate: float = 3e-3
    """at the start; it falls to zero by a cosine"""
    test: int = 2000
    """test examples"""
    seeds: int = 5
    """trainings of each size, tied and untied; each seed has its own training examples"""
    seed: int = 0
    """of all of them"""


QUICK = Config(data="digits", train=1000, examples=(100,), hidden=32, steps=200, test=300, seeds=2)


def run(config: Config, dataset: data.Dataset, remember: Remember) -> Results:
    """Train and test error of every size, tied and untied; all seeds of each at once."""
    x, x_test = flat(dataset, config.train)
    metrics: dict[str, Any] = {UNTIED: {}, TIED: {}}
    for examples in config.examples:
        for name, found in metrics.items():
            part = partial(_errors, config, name == TIED, examples, x, x_test[: config.test])
            found[str(examples)] = remember(f"{name} {examples}", part).metrics
    return Results(metrics)


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Tied less untied, paired over seeds: logs of test and train errors, and of their ratio."""
    logs = {
        name: {size: {k: np.log(v) for k, v in errors.items()} for size, errors in sizes.items()}
        for name, sizes in metrics.items()
    }
    found = {}
    for what, side in (("test", below), ("train", above)):
        for size in logs[TIED]:
            found[f"log {what} error, tied less untied, {size} examples"] = side(
                logs[TIED][size][what], logs[UNTIED][size][what]
            )
    for size in logs[TIED]:
        gap = {name: sizes[size]["test"] - sizes[size]["train"] for name, sizes in logs.items()}
        found[f"log of test over train error, tied less untied, {size} examples"] = below(
            gap[TIED], gap[UNTIED]
        )
    return found


def plot(config: Config, results: Results) -> Figure:
    """Train and test error, tied and untied, against the number of training examples."""
    with figure_style():
        figure = Figure(figsize=(4.6, 3.4))
        axis = figure.subplots()
        for (name, sizes), marker in zip(results.metrics.items(), "os", strict=True):
            colour = None
            for what, style in (("test", "-"), ("train", "--")):
                seeds = np.transpose([errors[what] for errors in sizes.values()])
                label = f"{name}, {what}"
                line = draw_mean(axis, config.examples, seeds, marker + style, label=label,
                                 color=colour)  # fmt: skip
                colour = line.get_color()
        axis.set(xscale="log", yscale="log", xlabel="training examples")
        axis.set_title("squared error Σ(x̂ − x)² of an example")
        axis.legend(fontsize="small")
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _errors(config: Config, tied: bool, examples: int, x: Array, x_test: Array) -> Results:
    """Squared errors [seeds] on the seed's own training examples and on the test examples."""
    batch_size = min(config.batch_size, examples)
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    model = aejax.dense((x.shape[1], config.hidden), tied=tied)
    objective = aejax.objective(model, losses.bernoulli)

    def train(key: Key, x: Array, x_test: Array) -> dict[str, Array]:
        key_examples, key_training = jax.random.split(key)
        own = x[jax.random.permutation(key_examples, len(x))[:examples]]
        state, _ = training.train(
            objective,
            optimizer,
            Batch(own),
            key_training,
            epochs=config.steps * batch_size // examples,
            batch_size=batch_size,
        )
        return {
            "train": mean_squared_error(objective, state.params, own),
            "test": mean_squared_error(objective, state.params, x_test),
        }

    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    return Results(jax.jit(jax.vmap(train, (0, None, None)))(keys, x, x_test))


if __name__ == "__main__":
    main()
