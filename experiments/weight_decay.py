"""Weight decay improves the generalisation of an autoencoder, most with few examples.

Claim:    as λ increases in loss + λ Σ W², the training error only increases, while the test error
          first decreases and then increases; the best λ lowers the test error, more so with fewer
          examples.
Source:   Krogh & Hertz 1991; Goodfellow, Bengio & Courville 2016, §7.1.1.
Command:  python -m experiments.weight_decay
Expected: on MNIST, 784-32-784 logistic, with 100 examples the best λ, chosen for each seed by the
          other seeds, lowers the log test error by 0.04; with 6400 examples it is λ = 0.
Run time: two minutes on one idle core.
"""

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
from experiments import harness


@dataclass(frozen=True)
class Config:
    """Settings that determine the results."""

    data: str = "mnist"
    """name or path of a data set with bounds"""
    examples: tuple[int, ...] = (100, 800, 6400)
    """sizes of the training set, taken from the start of the data"""
    decays: tuple[float, ...] = (0, 0.0003, 0.001, 0.003, 0.01, 0.03)
    """values of λ, the weight of Σ W² added to the loss in nats per example"""
    hidden: int = 32
    """units of the code; weights are untied"""
    steps: int = 500
    """optimization steps, for every number of examples"""
    batch_size: int = 100
    """examples per step"""
    learning_rate: float = 1e-2
    """initial learning rate, with cosine decay to zero"""
    test: int = 1000
    """number of test examples"""
    seeds: int = 5
    """number of training runs of each size and λ"""
    seed: int = 0
    """seed of all random choices"""


QUICK = Config(data="digits", examples=(50, 400), decays=(0, 0.01, 0.1), steps=200, seeds=2)


def run(config: Config, dataset: data.Dataset, cache: harness.PartCache) -> harness.Results:
    """Compute errors for every size; all λ and seeds of a size in one compiled program."""
    x, x_test = harness.flatten_and_scale(dataset, max(config.examples))
    metrics: dict[str, Any] = {}
    for examples in config.examples:
        part = partial(_regularisation_path, config, x[:examples], x_test[: config.test])
        metrics[str(examples)] = cache(f"{examples} examples", part).metrics
    return harness.Results(metrics)


def primary(metrics: dict[str, Any]) -> harness.PrimaryComparison:
    """Comparison that decides the primary claim."""
    few, path = next(iter(metrics.items()))
    none = np.array(path["test"]["0"])
    return harness.PrimaryComparison(
        f"mean squared error of a test image, {few} training examples",
        ("best λ", none * np.exp(_gain(path["test"]))),
        ("λ = 0", none),
        harness.below,
    )


def observations(metrics: dict[str, Any]) -> dict[str, harness.Comparison]:
    """Log errors: best λ minus λ = 0, with few examples and minus that with many; largest λ."""
    gains = {size: _gain(path["test"]) for size, path in metrics.items()}
    few, *_, many = gains
    train = [np.log(seeds) for seeds in metrics[few]["train"].values()]
    test = [np.log(seeds) for seeds in metrics[few]["test"].values()]
    return {
        f"log test error, best λ less none, {few} examples": harness.below(gains[few], 0),
        f"the same less that with {many} examples": harness.below(gains[few], gains[many]),
        f"log train error, largest λ less none, {few} examples": harness.above(train[-1], train[0]),
        f"log test error, largest λ less best, {few} examples": harness.above(
            test[-1] - test[0], gains[few]
        ),
    }


def plot(config: Config, results: harness.Results) -> Figure:
    """Draw errors against λ (leftmost: none), one panel per training-set size."""
    ticks = np.arange(len(config.decays))
    with figure_style():
        figure = Figure(figsize=(3 * len(config.examples), 3))
        panels = figure.subplots(1, len(config.examples), sharey=True, squeeze=False)[0]
        for panel, (size, path) in zip(panels, results.metrics.items(), strict=True):
            for (what, seeds), style in zip(path.items(), ("s--", "o-"), strict=True):
                harness.draw_mean(panel, ticks, np.transpose([*seeds.values()]), style, label=what)
            panel.set_xticks(ticks, [f"{decay:g}" for decay in config.decays], fontsize="small")
            panel.set(title=f"{size} examples", xlabel="λ", yscale="log")
        panels[0].set_ylabel("squared error per example")
        panels[0].legend()
    return figure


EXPERIMENT = harness.Experiment(
    name="weight_decay", config=Config(), quick=QUICK, run=run, primary=primary,
    observations=observations, plot=plot,
    title="Weight decay improves the generalisation of an autoencoder, most with few examples.",
    claim="With 100 training examples, the best λ (chosen for each seed by the others) lowers the "
    "test error.",
    source="Krogh & Hertz 1991; Goodfellow, Bengio & Courville 2016, §7.1.1.",
    expected="36.22 against 37.8, a difference of −1.59 ± 0.83",
    run_time="two minutes on one idle core",
    figure="Training and test error against λ (leftmost: none), one panel per training-set size.",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    harness.execute(EXPERIMENT)


def _regularisation_path(config: Config, x: Array, x_test: Array) -> harness.Results:
    batch_size = min(config.batch_size, len(x))
    model = aejax.dense((x.shape[1], config.hidden))
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))

    def make(decay: Array | float) -> tuple[aejax.Objective, optax.GradientTransformation]:
        terms = {"decay": (decay, penalties.l2())}
        return aejax.objective(model, losses.bernoulli, penalties=terms), optimizer

    def errors(params: Params, x: Array) -> Array:
        return harness.mean_squared_error(make(0.0)[0], params, x)

    params, _ = harness.train_grid(
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
    return harness.Results(
        {
            what: dict(zip(names, measure(params, examples), strict=True))
            for what, examples in {"train": x, "test": x_test}.items()
        }
    )


def _gain(path: dict[str, list[float]]) -> np.ndarray:
    """Log test error [seeds] of the λ that is best for the other seeds, minus that of λ = 0."""
    logs = np.log([*path.values()])
    others = logs.sum(axis=1, keepdims=True) - logs
    return logs[others.argmin(axis=0), np.arange(logs.shape[1])] - logs[0]


if __name__ == "__main__":
    main()
