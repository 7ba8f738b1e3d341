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
Run time: about two minutes on one core.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

import aejax
from aejax import Batch, corruptions, data, losses, penalties, training
from aejax.boltzmann import RBM, bernoulli, gaussian, mean_field
from aejax.plots import look
from aejax.types import Array, Key, Params
from experiments.results import interval, publish

STARTS = ("random", "boltzmann", "denoising")
OPTIMIZERS = {"gradient descent": optax.sgd(0.05, momentum=0.9), "adam": optax.adam(1e-3)}


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers, with the optimizers above."""

    sizes: tuple[int, ...] = (64, 100, 50, 25, 6)
    """units of the encoder's layers, logistic but for the linear code; the decoder mirrors them"""
    pretrained: int = 20
    """epochs of each layer"""
    tuned: int = 40
    """epochs of the whole after pretraining; a random start has those of the layers as well"""
    seeds: int = 3
    """trainings of each start and optimizer"""
    seed: int = 0
    """of all of them"""
    batch_size: int = 100
    """examples a step"""


QUICK = Config(sizes=(64, 30, 6), pretrained=2, tuned=2, seeds=2)


def run(config: Config) -> dict[str, Any]:
    """Test errors after every epoch of the whole, [seeds, epochs], by optimizer and start."""
    x, x_test = _digits()
    reference = PCA(config.sizes[-1]).fit(x)
    pca = reference.inverse_transform(reference.transform(x_test))
    curves: dict[str, dict[str, list]] = {name: {s: [] for s in STARTS} for name in OPTIMIZERS}
    for key in jax.random.split(jax.random.key(config.seed), config.seeds):
        for start in STARTS:
            params = _start(config, start, x, key)
            layers = (len(config.sizes) - 1) * config.pretrained * (start == "random")
            for name, optimizer in OPTIMIZERS.items():
                errors = _tune(config, optimizer, params, x, x_test, layers + config.tuned)
                curves[name][start].append(errors)
    results = {
        "errors": curves,
        "mean": float(np.square(x_test - x.mean(axis=0)).sum(axis=1).mean()),
        "pca": float(np.square(x_test - pca).sum(axis=1).mean()),
    }
    return results | verdict(results)


def verdict(results: dict[str, Any]) -> dict[str, Any]:
    """Whether pretraining helps: its log error less the random start's, paired, is below 0.

    Each ratio is [mean, low, high] of a 95 % interval of the log of the last errors' ratio.
    """
    last = {
        optimizer: {start: np.log([curve[-1] for curve in curves[start]]) for start in STARTS}
        for optimizer, curves in results["errors"].items()
    }
    ratios = {
        optimizer: {start: interval(logs[start] - logs["random"]) for start in STARTS[1:]}
        for optimizer, logs in last.items()
    }
    highest = [high for starts in ratios.values() for _, _, high in starts.values()]
    return {"log_ratio": ratios, "confirmed": max(highest) < 0}


def plot(config: Config, results: dict[str, Any]) -> Figure:
    """Test error against epochs of the whole network; a panel an optimizer."""
    with look():
        figure = Figure(figsize=(8.4, 3.2))
        panels = figure.subplots(1, len(OPTIMIZERS), sharey=True)
        for panel, (optimizer, curves) in zip(panels, results["errors"].items(), strict=True):
            for start, seeds in curves.items():
                errors = np.array(seeds)
                spent = (len(config.sizes) - 1) * config.pretrained * (start != "random")
                epochs = spent + np.arange(1, 1 + errors.shape[1])
                (line,) = panel.plot(epochs, errors.mean(axis=0), label=start)
                band = (epochs, errors.min(axis=0), errors.max(axis=0))
                panel.fill_between(*band, color=line.get_color(), alpha=0.2, linewidth=0)
            panel.axhline(results["pca"], linestyle=":", label=f"PCA, {config.sizes[-1]} numbers")
            panel.set(title=f"test error, {optimizer}", xlabel="epochs, those of layers included")
        panels[0].legend(fontsize="small")
    return figure


def main(quick: bool = False) -> None:
    """Run, and write results and figure.

    Args:
        quick: the small setting, for a look; the committed summary is left as it is.
    """
    config = QUICK if quick else Config()
    results = run(config)
    publish("pretraining", config, results, plot(config, results), summary=not quick)


def _digits() -> tuple[Array, Array]:
    loaded = data.digits()
    scale = data.unit_range(loaded.x_train, low=0, high=16)
    x, x_test = (
        data.normalise(scale, x).reshape(len(x), -1) for x in (loaded.x_train, loaded.x_test)
    )
    return jnp.asarray(x), jnp.asarray(x_test)


def _start(config: Config, start: str, x: Array, key: Key) -> Params:
    if start == "random":
        return _deep(config).init(key)
    layers = {"boltzmann": _machines, "denoising": _denoisers}[start](config, len(x))
    trained, _ = training.pretrain(
        layers, x, key=key, epochs=config.pretrained, batch_size=config.batch_size
    )
    unrolled = training.unroll(trained)
    return aejax.untied(unrolled) if start == "boltzmann" else unrolled


def _machines(config: Config, examples: int) -> list:
    """Probabilities as visible units, a linear code, weight decay: the recipe of 2006."""
    switch = 5 * -(-examples // config.batch_size)
    decay = {"decay": (1e-4, penalties.l2())}
    *hidden, last = pairwise(config.sizes)
    layers = [(sizes, RBM(mean_field(bernoulli)), 0.1) for sizes in hidden]
    layers.append((last, RBM(mean_field(bernoulli), gaussian), 0.01))
    return [
        (
            training.rbm_objective(sizes, rbm, penalties=decay),
            training.rbm_optimizer(learning_rate=rate, switch=switch),
        )
        for sizes, rbm, rate in layers
    ]


def _denoisers(config: Config, _: int) -> list:
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
    params: Params,
    x: Array,
    x_test: Array,
    epochs: int,
) -> list[float]:
    """Train the whole from params; the test error after each epoch."""
    model = _deep(config)._replace(init=lambda _: params)
    objective = aejax.objective(model, losses.bernoulli)
    errors, error = [], _error(objective, x_test)
    training.fit(
        objective,
        optimizer,
        Batch(x),
        key=jax.random.key(config.seed),
        epochs=epochs,
        batch_size=config.batch_size,
        callbacks=[lambda state, _: errors.append(float(error(state.params)))],
    )
    return errors


def _error(objective: aejax.Objective, x_test: Array) -> Callable[[Params], Array]:
    @jax.jit
    def error(params: Params) -> Array:
        x_hat = aejax.reconstruct(objective, params, x_test)
        return jnp.mean(jnp.sum(jnp.square(x_hat - x_test), axis=1))

    return error


if __name__ == "__main__":
    tyro.cli(main)
