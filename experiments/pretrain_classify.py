"""A classifier on an autoencoder's code needs fewer labels than one on pixels.

Claim:    a linear classifier on a code learned without labels does better than on pixels and PCA's
          codes, and a network that starts from the encoder better than from a random start;
          denoising, sparse and contractive codes do better than plain ones.
Source:   Vincent et al. 2010, §6; Rifai et al. 2011; Erhan et al. 2010 (few labels).
Command:  python -m experiments.pretrain_classify
Expected: on MNIST, 784-256-784 logistic: all hold from 100 labels on; with ten, codes above pixels
          and PCA alone. At 1000, accuracies of pixels, plain, denoising and sparse codes are near
          0.84, 0.87, 0.90 and 0.91, the last above a network's from a random start.
Run time: about five minutes on one quiet core, most of it with 60 000 labels.
"""

import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

import aejax
from aejax import Batch, corruptions, data, losses, penalties, training
from aejax.plots import figure_style
from aejax.types import Array, Key, Params
from experiments.harness import (
    Comparison,
    Remember,
    Results,
    above,
    balanced,
    draw_mean,
    execute,
    flat,
    linear_accuracy,
    train_seeds,
)

LEVELS = {"denoising": 0.5, "sparse": 3.0, "contractive": 1.0}
"""Masking rate, weights of KL sparsity (ρ = 0.05) and contraction; a pilot saw 3000 test digits."""
CODES = ("plain", *LEVELS)
SETTINGS = [{name: level * (name == code) for name, level in LEVELS.items()} for code in CODES]
NETWORKS = ("random start", "denoising start")


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers, with the levels above."""

    data: str = "mnist"
    """name or place of a data set with bounds and labels"""
    unlabelled: int = 10000
    """examples, for the autoencoders and PCA"""
    labels: tuple[int, ...] = (10, 100, 1000, 10000, 60000)
    """labelled examples, as many of each class; every seed's are others, up to all there are"""
    hidden: int = 256
    """units of the code, and of the networks' hidden layer"""
    epochs: int = 6
    """passes of the autoencoders"""
    updates: int = 500
    """of the networks, at least; at least four passes"""
    batch_size: int = 100
    """examples a step, or as many as have labels"""
    learning_rate: float = 3e-3
    """of Adam"""
    seeds: int = 5
    """trainings of each"""
    seed: int = 0
    """of all of them"""


QUICK = Config("digits", unlabelled=1000, labels=(200,), hidden=36, epochs=4, updates=20, seeds=2)


def run(config: Config, dataset: data.Dataset, remember: Remember) -> Results:
    """Train the autoencoders once; then classify with ever more labels."""
    examples, metrics = tuple(map(np.asarray, flat(dataset))), {}
    encoders = remember("encoders", partial(_encoders, config, examples[0])).arrays
    for count in config.labels:
        accuracies = partial(_accuracies, config, dataset, examples, encoders, count)
        metrics[f"{count}"] = remember(f"{count} labels", accuracies).metrics
    return Results(metrics)


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Codes above pixels and PCA, pretrained above random, regularised above plain."""
    pairs = [("denoising", "pixels"), ("denoising", "PCA"), NETWORKS[::-1]]
    pairs += [(code, "plain") for code in LEVELS]
    return {
        f"accuracy, {better} less {worse}, {count} labels": above(by_way[better], by_way[worse])
        for better, worse in pairs
        for count, by_way in metrics.items()
    }


def plot(config: Config, results: Results) -> Figure:
    """Test error against labels: linear classifiers on pixels and codes, and whole networks."""
    with figure_style():
        figure = Figure(figsize=(8.4, 3.6))
        linear, whole = figure.subplots(1, 2, sharey=True)
        panels = (linear, ("pixels", "PCA", *CODES)), (whole, ("pixels", *NETWORKS))
        for axis, ways in panels:
            for i, way in enumerate(ways):
                seeds = [results.metrics[f"{count}"][way] for count in config.labels]
                style = "s--" if i < 2 else "o-"
                draw_mean(axis, config.labels, 1 - np.transpose(seeds), style, label=way)
            axis.set(xscale="log", yscale="log", xlabel="labelled examples")
            axis.legend(fontsize="small")
        linear.set(title="test error of linear classifiers")
        whole.set(title="of networks, and linear on pixels")
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _encoders(config: Config, x: np.ndarray) -> Results:
    """Parameters of every encoder, kernels [codes, seeds, …] and biases."""
    model = aejax.dense((x.shape[1], config.hidden))

    def make(levels: dict[str, Array]) -> tuple[aejax.Objective, optax.GradientTransformation]:
        objective = aejax.objective(
            model,
            losses.bernoulli,
            corruption=corruptions.masking(rate=levels["denoising"]),
            penalties={
                "KL": (levels["sparse"], penalties.kl_sparsity(rho=0.05)),
                "contraction": (levels["contractive"], penalties.contractive_logistic()),
            },
        )
        return objective, optax.adam(config.learning_rate)

    params, _ = train_seeds(
        make,
        x[: config.unlabelled],
        settings=jax.tree.map(lambda *levels: jnp.asarray(levels), *SETTINGS),
        seeds=config.seeds,
        key=jax.random.key(config.seed),
        epochs=config.epochs,
        batch_size=config.batch_size,
    )
    return Results({}, params["encoder"]["layer_0"])


def _accuracies(
    config: Config,
    dataset: data.Dataset,
    examples: tuple[np.ndarray, np.ndarray],
    layers: dict[str, np.ndarray],
    count: int,
) -> Results:
    """Test accuracies of each way, one a seed, with so many labels."""
    (x, x_test), labels, labels_test = examples, *dataset[3:5]
    sizes = x.shape[1], config.hidden, int(labels.max()) + 1
    model = aejax.dense(sizes[:2], decoder_sizes=sizes[1:])  # from pixels to a class
    init, encode = jax.jit(model.init), jax.jit(model.encode)
    pca = PCA(config.hidden).fit(x[: config.unlabelled])
    found: dict[str, list[float]] = {}
    for seed in range(config.seeds):
        key = jax.random.fold_in(jax.random.key(config.seed), seed)
        start = {"random": init(key)}
        for i, code in enumerate(CODES):
            layer = {name: leaf[i, seed] for name, leaf in layers.items()}
            start[code] = start["random"] | {"encoder": {"layer_0": layer}}
        codes = {code: partial(encode, start[code]) for code in CODES}
        ways = {"pixels": np.asarray, "PCA": pca.transform} | codes
        rows = balanced(labels, config.seed + seed)[:count]
        for name, way in ways.items():
            accuracy = linear_accuracy(way(x[rows]), labels[rows], way(x_test), labels_test)
            found.setdefault(name, []).append(accuracy)
        for name in NETWORKS:
            first, batch = start[name.split()[0]], Batch(x[rows], labels[rows])
            tuned = _tuned(config, model, sizes[2], first, batch, key)
            predicted = model.decode(tuned, encode(tuned, x_test)).argmax(axis=1)
            found.setdefault(name, []).append(float((predicted == labels_test).mean()))
    return Results(found)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _tuned(
    config: Config, model: aejax.Autoencoder, classes: int, start: Params, batch: Batch, key: Key
) -> Params:
    """Params of the network trained from start on labelled examples."""
    loss = losses.categorical_labels(classes=classes)
    objective = aejax.objective(model._replace(init=lambda _: start), loss)
    optimizer = optax.adam(config.learning_rate)
    size = min(config.batch_size, len(batch.x))
    epochs = max(4, config.updates * size // len(batch.x))
    state, _ = training.train(objective, optimizer, batch, key, epochs=epochs, batch_size=size)
    return state.params


if __name__ == "__main__":
    main()
