"""On a deep autoencoder from a random start, Muon goes furthest in an epoch.

Claim:    on the training loss of the deep autoencoder 784-1000-500-250-30, Nesterov momentum goes
          further in as many epochs than plain gradient descent, Adam further than momentum, and
          Muon further than Adam; all of them further than L-BFGS on the full batch.
Source:   Martens 2010 and Sutskever et al. 2013 (the benchmark, its start and the schedule of
          momentum); Jordan et al. 2024 (Muon); Defazio et al. 2024 (schedule-free).
Command:  python -m experiments.optimisers
Expected: on MNIST's first 5000 images, after ten epochs of 50 steps: Muon 58 nats, Adam 114,
          momentum, which has risen to 0.75 by then, 152, gradient descent 175; L-BFGS 205, which is
          about what the mean digit has. In the time of Adam's ten epochs Muon is a little lower
          too. Three rates each were tried, for four epochs; gradient descent's best was the least
          of them. No test data are looked at.
Run time: about ten minutes on one core with matrix units for bfloat16.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import aejax
from aejax import Objective, data, losses, training
from aejax.models import Initializers
from aejax.plots import figure_style
from aejax.types import Array
from experiments.harness import Comparison, Remember, Results, below, draw_mean, execute, flat
from experiments.harness.optimisation import (
    Make,
    by_epochs,
    by_line_searches,
    log_loss_at,
    rising_momentum,
    searched,
    sparse,
    traced,
)


def falling(optimizer: Callable[..., optax.GradientTransformation], **settings: Any) -> Make:
    """An optimizer whose rate falls to zero by a cosine over its steps."""
    return lambda rate, steps: optimizer(optax.cosine_decay_schedule(rate, steps), **settings)


def nesterov(rate: Any) -> optax.GradientTransformation:
    """Gradient descent with Nesterov's momentum, which rises as Sutskever et al. 2013 let it."""
    momentum = optax.inject_hyperparams(optax.sgd)
    return momentum(learning_rate=rate, momentum=rising_momentum(), nesterov=True)


def schedule_free(rate: Any, steps: int) -> optax.GradientTransformation:
    """Adam without a schedule, whose averages take its place."""
    return optax.contrib.schedule_free_adamw(rate, warmup_steps=max(1, steps // 20))


OPTIMIZERS: dict[str, tuple[Make, float]] = {
    "gradient descent": (falling(optax.sgd), 0.03),
    "Nesterov momentum": (falling(nesterov), 0.01),
    "Adam": (falling(optax.adam), 2e-3),
    "schedule-free Adam": (schedule_free, 5e-3),
    "Muon": (falling(training.muon, dtype=jnp.bfloat16), 2e-2),
}
"""What makes them, and the middle of the rates that are tried."""

L_BFGS = "L-BFGS, full batch"


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers, with the optimizers above."""

    data: str = "mnist"
    """name or place of a data set with bounds"""
    examples: int = 5000
    """training examples, the first so many; only they are looked at"""
    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """units of the encoder's layers, logistic but for the linear code; the decoder mirrors them"""
    optimizers: tuple[str, ...] = ("gradient descent", "Nesterov momentum", "Adam", "Muon")
    """of those above with a learning rate"""
    epochs: int = 10
    """passes over the data of each optimizer; of L-BFGS, evaluations of loss and gradient"""
    search_epochs: int = 4
    """passes of each training of the search for a learning rate"""
    factors: tuple[float, ...] = (0.3, 1, 3)
    """rates that are tried, as factors of each optimizer's middle one"""
    batch_size: int = 100
    """examples a step, but for L-BFGS"""
    seeds: int = 3
    """trainings of each optimizer with the best of its rates"""
    seed: int = 0
    """of all of them; the search has starts of its own"""


QUICK = Config(
    data="digits",
    examples=200,
    sizes=(64, 6),
    optimizers=("gradient descent",),
    epochs=2,
    search_epochs=2,
    factors=(0.1, 0.3),
    seeds=2,
)


def run(config: Config, dataset: data.Dataset, remember: Remember) -> Results:
    """Each optimizer's search and its curves with the best rate; L-BFGS, which has no rate."""
    x, _ = flat(dataset, config.examples)
    model = aejax.dense(
        config.sizes, code_activation=jax.nn.identity, initializers=Initializers(sparse())
    )
    objective = aejax.objective(model, losses.bernoulli)
    metrics = {
        name: remember(name, partial(_tuned, config, objective, x, *OPTIMIZERS[name])).metrics
        for name in config.optimizers
    }
    metrics[L_BFGS] = remember(L_BFGS, partial(_line_searches, config, objective, x)).metrics
    return Results(metrics)


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Log losses after as many passes, and after as many seconds: those that the faster takes."""
    pairs = [
        ("Nesterov momentum", "gradient descent", "passes"),
        ("Adam", "Nesterov momentum", "passes"),
        ("Muon", "Adam", "passes"),
        ("Muon", "Adam", "seconds"),
        ("gradient descent", L_BFGS, "passes"),
        ("gradient descent", L_BFGS, "seconds"),
    ]
    comparisons = {}
    for first, second, what in pairs:
        if not {first, second} <= {*metrics}:  # as in the quick setting
            continue
        place = min(spent[-1] for name in (first, second) for spent in metrics[name][what])
        logs = (log_loss_at(metrics[name], what, place) for name in (first, second))
        comparisons[f"log loss after equal {what}, {first} less {second}"] = below(*logs)
    return comparisons


def plot(config: Config, results: Results) -> Figure:
    """Training loss against passes and processor time, after the start: mean and standard error."""
    with figure_style():
        figure = Figure(figsize=(9, 3.8))
        panels = figure.subplots(1, 2, sharey=True)
        labels = {"passes": "passes over the data", "seconds": "seconds of one core"}
        for panel, (what, label) in zip(panels, labels.items(), strict=True):
            for name, found in results.metrics.items():
                first, last = (min(spent[i] for spent in found[what]) for i in (1, -1))
                places = np.linspace(first, last, 100)
                logs = np.transpose([log_loss_at(found, what, place) for place in places])
                draw_mean(panel, places, np.exp(logs), label=name)
            panel.set(xlabel=label, yscale="log")
        panels[0].set_ylabel("cross-entropy of an example, nats")
        panels[1].legend(fontsize="small")
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _keys(config: Config) -> list[Array]:
    return [jax.random.fold_in(jax.random.key(config.seed), i) for i in range(config.seeds)]


def _tuned(config: Config, objective: Objective, x: Array, make: Make, middle: float) -> Results:
    rates, batch_size = middle * np.array(config.factors), config.batch_size
    key = jax.random.fold_in(jax.random.key(config.seed), config.seeds)
    schedule = {"epochs": config.search_epochs, "batch_size": batch_size}
    ends = searched(objective, make, x, rates=rates, key=key, **schedule)
    best = float(rates[np.argmin(ends)])
    optimizer = make(best, config.epochs * -(-len(x) // batch_size))
    advance = by_epochs(objective, optimizer, batch_size=batch_size)
    found = traced(objective, optimizer, advance, x, keys=_keys(config), passes=config.epochs)
    return Results({"rates": [*map(float, rates)], "searched": ends, "rate": best, **found})


def _line_searches(config: Config, objective: Objective, x: Array) -> Results:
    optimizer = optax.lbfgs()
    advance = by_line_searches(objective, optimizer)
    return Results(
        traced(objective, optimizer, advance, x, keys=_keys(config), passes=config.epochs)
    )


if __name__ == "__main__":
    main()
