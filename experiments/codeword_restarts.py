"""Restarted codewords of a vector-quantised autoencoder are all used, and its error is lower.

Claim:    codebooks of exponential averages use few of their codewords; restarts of unused ones from
          codes of examples raise usage and lower the test error.
Source:   van den Oord, Vinyals & Kavukcuoglu 2017; Dhariwal et al. 2020; Mentzer et al. 2024.
Command:  python -m experiments.codeword_restarts
Expected: on the 8 × 8 digits, all 128 codewords are used with restarts, without them 1% to 41%
          depending on the seed. The test error is lower for each of five seeds, 1.9 instead of 2.3
          to 4.6, but the interval of the mean difference contains zero. Finite scalar quantisation
          uses 86% to 93% of its 125 values; with three channels its error is larger.
Selection: nothing was chosen; all settings were fixed before the first run.
Run time: about two minutes on one idle core.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import aejax
from aejax import Batch, data, evaluation, losses, models, penalties, training
from aejax.plots import figure_style
from aejax.types import Array, Key
from experiments import harness

METHODS = ("gradient", "averages", "averages, restarts", "finite scalar")


@dataclass(frozen=True)
class Config:
    """Settings that determine the results."""

    data: str = "digits"
    """name or path of a data set with bounds"""
    hidden: int = 128
    """units of the hidden layer of encoder and decoder"""
    channels: int = 8
    """channels of a code with a codebook"""
    codewords: int = 128
    """number of codewords"""
    levels: tuple[int, ...] = (5, 5, 5)
    """levels of finite scalar quantisation"""
    decay: float = 0.9
    """decay of the exponential averages, per step"""
    rounds: int = 10
    """number of rounds, each preceded by a restart with that method"""
    epochs: int = 5
    """epochs of a round"""
    learning_rate: float = 3e-3
    """learning rate of Adam"""
    batch_size: int = 128
    """examples per step"""
    seeds: int = 5
    """number of training runs per method"""
    seed: int = 0
    """seed of all random choices"""


QUICK = Config(hidden=8, codewords=16, rounds=2, epochs=1, batch_size=719, seeds=2)


def run(config: Config, dataset: data.Dataset) -> harness.Results:
    """Compute test error and usage after each round; one compiled program per method."""
    x, x_test = harness.flatten_and_scale(dataset)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    measured = {
        method: jax.jit(jax.vmap(partial(_train, config, method, x, x_test)))(keys)
        for method in METHODS
    }
    metrics = {
        name: {method: found[name] for method, found in measured.items()}
        for name in ("error", "used", "perplexity")
    }
    return harness.Results(metrics)


def primary(metrics: dict[str, Any]) -> harness.PrimaryComparison:
    """Comparison that decides the primary claim."""
    errors = metrics["error"]
    return harness.PrimaryComparison(
        "mean squared error of a test digit",
        *((name, np.array(errors[name])[:, -1]) for name in ("averages, restarts", "averages")),
        harness.below,
    )


def observations(metrics: dict[str, Any]) -> dict[str, harness.Comparison]:
    """Further comparisons of usage, perplexity and error."""
    last = {
        name: {method: np.array(curve)[:, -1] for method, curve in methods.items()}
        for name, methods in metrics.items()
    }
    used, perplexity, error = last["used"], last["perplexity"], last["error"]
    restarts, averages = "averages, restarts", "averages"
    return {
        "used, restarts less none": harness.above(used[restarts], used[averages]),
        "perplexity, restarts less none": harness.above(perplexity[restarts], perplexity[averages]),
        "used, finite scalar less averages": harness.above(used["finite scalar"], used[averages]),
        "error, averages less gradient": harness.below(error[averages], error["gradient"]),
        "error, finite scalar less restarts": harness.below(
            error["finite scalar"], error[restarts]
        ),
    }


def plot(config: Config, results: harness.Results) -> Figure:
    """Draw error and perplexity against epochs."""
    with figure_style():
        figure = Figure(figsize=(8.4, 3.6))
        used = {
            name: np.array(each)[:, -1].mean() for name, each in results.metrics["used"].items()
        }
        figure.suptitle(
            f"Codewords used: {used['averages, restarts']:.0%} with restarts, "
            f"{used['averages']:.0%} without"
        )
        panels = figure.subplots(1, 2)
        epochs = config.epochs * np.arange(1, config.rounds + 1)
        for panel, name in zip(panels, ("error", "perplexity"), strict=True):
            for method, seeds in results.metrics[name].items():
                harness.draw_mean(panel, epochs, seeds, label=method)
            panel.set(title=name, xlabel="epochs")
        panels[0].set(yscale="log", title="test error")
        panels[0].legend(fontsize="small")
    return figure


EXPERIMENT = harness.Experiment(
    name="codeword_restarts", config=Config(), quick=QUICK, run=run, primary=primary,
    observations=observations, plot=plot,
    title="Restarted codewords of a vector-quantised autoencoder are all used, and its error is "
    "lower.",
    claim="With restarts of unused codewords, a codebook of exponential averages has a lower test "
    "error than without.",
    source="van den Oord, Vinyals & Kavukcuoglu 2017; Dhariwal et al. 2020; Mentzer et al. 2024.",
    expected="1.93 against 2.928, lower for each of five seeds, with an interval that contains "
    "zero; all codewords are used instead of 19%",
    run_time="about two minutes on one idle core",
    figure="Test error and perplexity of the code against epochs, for four quantisers.",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    harness.execute(EXPERIMENT)


def _method(
    config: Config, method: str, features: int
) -> tuple[aejax.Objective, optax.GradientTransformation]:
    """Objective and optimizer of a method."""
    scalar, adam = method == "finite scalar", optax.adam(config.learning_rate)
    channels = len(config.levels) if scalar else config.channels
    base = aejax.dense((features, config.hidden, channels), code_activation=jax.nn.identity)
    if scalar:
        model = models.finite_scalar_quantised(base, levels=config.levels)
        return aejax.objective(model, losses.squared), adam
    averaged = method != "gradient"
    model = models.vector_quantised(
        base, codewords=config.codewords, channels=channels, averaged=averaged
    )
    terms = {"commitment": (0.25, penalties.commitment()), "codebook": (1.0, penalties.codebook())}
    objective = aejax.objective(model, losses.squared, penalties=terms)
    return objective, training.averaged_codebook(adam, decay=config.decay) if averaged else adam


def _train(config: Config, method: str, x: Array, x_test: Array, key: Key) -> dict[str, Array]:
    """Train one method with one seed; return its measurements after each round."""
    objective, optimizer = _method(config, method, x.shape[1])
    codewords = int(np.prod(config.levels)) if method == "finite scalar" else config.codewords
    key_start, key_restarts = jax.random.split(key)

    def one_round(state: training.TrainState, index: Array) -> tuple[Any, dict[str, Array]]:
        if method == "averages, restarts":
            key_round = jax.random.fold_in(key_restarts, index)
            state = training.restart_codewords(objective, optimizer, state, x, key_round)
        state, _ = jax.lax.scan(
            lambda state, _: training.epoch(
                objective, optimizer, state, Batch(x), batch_size=config.batch_size
            ),
            state,
            length=config.epochs,
        )
        x_hat = aejax.reconstruct(objective, state.params, x_test)
        indices = objective.model.encode(state.params, x).indices
        usage = evaluation.codebook_usage(indices, codewords=codewords)
        error = jnp.mean(jnp.sum(jnp.square(x_hat - x_test), axis=1))
        return state, {"error": error, "used": usage.used, "perplexity": usage.perplexity}

    start = training.init_state(objective, optimizer, key_start)
    return jax.lax.scan(one_round, start, jnp.arange(config.rounds))[1]


if __name__ == "__main__":
    main()
