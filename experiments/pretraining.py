"""A deep logistic autoencoder learns after greedy pretraining, and hardly from a random start.

Claim:    layers trained one by one, as restricted Boltzmann machines or as denoising autoencoders,
          and unrolled into the deep autoencoder, lead to a lower test error than a random start
          given all of the epochs, whether gradient descent or Adam then tunes the whole.
Source:   Hinton & Salakhutdinov 2006; Bengio et al. 2007; Vincent et al. 2010.
Command:  python -m experiments.pretraining
Expected: on the 8 × 8 digits with a code of six, for both optimizers and every seed, each
          pretraining's error is below 0.7 times that of the random start, which by gradient
          descent has not left the error of the mean digit. Each optimizer has one learning rate,
          the same for every start and tuned for none.
Run time: about two minutes on one quiet core.
"""

import sys
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

import aejax
from aejax import Batch, corruptions, data, losses, training
from aejax.plots import figure_style
from aejax.types import Array, Key, Params
from experiments.harness import Comparison, Results, below, draw_mean, execute, flat, machines

STARTS = ("random", "boltzmann", "denoising")
OPTIMIZERS = {"gradient descent": optax.sgd(0.05, momentum=0.9), "adam": optax.adam(1e-3)}


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers, with the optimizers above."""

    data: str = "digits"
    """name or place of a data set with bounds"""
    sizes: tuple[int, ...] = (64, 100, 50, 25, 6)
    """units of the encoder's layers, logistic but for the linear code; the decoder mirrors them"""
    pretrained: int = 20
    """epochs of each layer"""
    tuned: int = 40
    """epochs of the whole after pretraining; a random start has those of the layers as well"""
    seeds: int = 5
    """trainings of each start and optimizer"""
    seed: int = 0
    """of all of them"""
    batch_size: int = 100
    """examples a step"""


QUICK = Config(sizes=(64, 6), pretrained=2, tuned=2, seeds=2, batch_size=719)


def run(config: Config, dataset: data.Dataset) -> Results:
    """Test errors of every start by optimizer; its starts and seeds in one compiled program."""
    x, x_test = flat(dataset)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    starts = [jax.jit(jax.vmap(partial(_start, config, start, x)))(keys) for start in STARTS]
    params = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *starts)
    layers = (len(config.sizes) - 1) * config.pretrained
    curves: dict[str, Any] = {}
    for name, optimizer in OPTIMIZERS.items():
        tune = partial(_tune, config, optimizer, x, x_test, config.tuned + layers)
        errors = jnp.split(jax.jit(jax.vmap(tune))(params), len(STARTS))
        epochs = [config.tuned + layers * (start == "random") for start in STARTS]
        curves[name] = {
            start: seeds[:, :spent]
            for start, seeds, spent in zip(STARTS, errors, epochs, strict=True)
        }
    reference = PCA(config.sizes[-1]).fit(x)
    pca = reference.inverse_transform(reference.transform(x_test))
    metrics = {
        "errors": curves,
        "mean": float(np.square(x_test - x.mean(axis=0)).sum(axis=1).mean()),
        "pca": float(np.square(x_test - pca).sum(axis=1).mean()),
    }
    return Results(metrics)


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Pretraining helps: the log of its last error less the random start's is below 0."""
    last = {
        optimizer: {start: np.log(np.array(curves[start])[:, -1]) for start in STARTS}
        for optimizer, curves in metrics["errors"].items()
    }
    return {
        f"log error, {start} less random, {optimizer}": below(logs[start], logs["random"])
        for optimizer, logs in last.items()
        for start in STARTS[1:]
    }


def plot(config: Config, results: Results) -> Figure:
    """Test error against epochs of the whole network; a panel an optimizer."""
    with figure_style():
        figure = Figure(figsize=(8.4, 3.2))
        panels = figure.subplots(1, len(OPTIMIZERS), sharey=True)
        for panel, (name, curves) in zip(panels, results.metrics["errors"].items(), strict=True):
            for start, seeds in curves.items():
                spent = (len(config.sizes) - 1) * config.pretrained * (start != "random")
                epochs = spent + np.arange(1, 1 + len(seeds[0]))
                draw_mean(panel, epochs, seeds, label=start)
            code = config.sizes[-1]
            panel.axhline(results.metrics["pca"], linestyle=":", label=f"PCA, {code} numbers")
            panel.set(title=f"test error, {name}", xlabel="epochs, those of layers included")
        panels[0].legend(fontsize="small")
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _start(config: Config, start: str, x: Array, key: Key) -> Params:
    """`training.pretrain` and `unroll` as one pure function, so that seeds can be vmapped."""
    if start == "random":
        return _deep(config).init(key)
    layers = (
        machines(config.sizes, examples=len(x), batch_size=config.batch_size)
        if start == "boltzmann"
        else _denoisers(config)
    )
    trained = []
    for (objective, optimizer), key_layer in zip(
        layers, jax.random.split(key, len(layers)), strict=True
    ):
        state, _ = training.train(
            objective,
            optimizer,
            Batch(x),
            key_layer,
            epochs=config.pretrained,
            batch_size=config.batch_size,
        )
        trained.append(state.params)
        x = objective.model.encode(state.params, x)
    unrolled = training.unroll(trained)
    return aejax.untied(unrolled) if start == "boltzmann" else unrolled


def _denoisers(config: Config) -> list:
    *hidden, last = pairwise(config.sizes)
    models = [*map(aejax.dense, hidden), aejax.dense(last, code_activation=jax.nn.identity)]
    corruption = corruptions.masking(rate=0.1)
    return [
        (aejax.objective(model, losses.bernoulli, corruption=corruption), optax.adam(3e-3))
        for model in models
    ]


def _deep(config: Config) -> aejax.Autoencoder:
    return aejax.dense(config.sizes, code_activation=jax.nn.identity)


def _tune(
    config: Config,
    optimizer: optax.GradientTransformation,
    x: Array,
    x_test: Array,
    epochs: int,
    params: Params,
) -> Array:
    """Train the whole from params; the test error after each epoch."""
    model = _deep(config)._replace(init=lambda _: params)
    objective = aejax.objective(model, losses.bernoulli)

    def one_epoch(state: training.TrainState, _: None) -> tuple[training.TrainState, Array]:
        state, _ = training.epoch(
            objective, optimizer, state, Batch(x), batch_size=config.batch_size
        )
        x_hat = aejax.reconstruct(objective, state.params, x_test)
        return state, jnp.mean(jnp.sum(jnp.square(x_hat - x_test), axis=1))

    start = training.init_state(objective, optimizer, jax.random.key(config.seed))
    return jax.lax.scan(one_epoch, start, length=epochs)[1]


if __name__ == "__main__":
    main()
