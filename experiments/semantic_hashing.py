"""Bits that an autoencoder learns find what is alike, in one look at a hash table.

Claim:    the nearest by the bits of an autoencoder's code, made binary by noise or straight
          through, are more often of the query's class than by as many bits of PCA's signs, ITQ or
          random projections, for images and for documents; and a table of them is faster than a
          search in all features.
Source:   Salakhutdinov & Hinton 2009; Gong & Lazebnik 2011 (ITQ); the course.
Command:  python -m experiments.semantic_hashing
Expected: with 32 bits, precision at 10 on MNIST: noise 0.87, straight through 0.86, ITQ 0.85, PCA's
          signs 0.83, random projections 0.69, pixels 0.95; on the 20 newsgroups 0.48, 0.43, 0.45,
          0.43, 0.09, and all words 0.53: straight through is no better there. The table takes
          a thirtieth of the time. Training images and documents chose the centred inputs, of
          noise 1.5 and 4 the second, and for all ways tf-idf, without which ITQ had half of that.
Run time: seven minutes on one quiet core.
"""

import sys
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import aejax
from aejax import corruptions, data
from aejax.plots import INK, figure_style
from aejax.types import Array, Params
from experiments.harness import (
    Comparison,
    Remember,
    Results,
    above,
    below,
    draw_mean,
    execute,
    falling_adam,
    over_seeds,
    train_seeds,
)
from experiments.harness.hashing import KS, LINEAR, exact_precision, retrieval, seconds_per_query
from experiments.harness.searches import Search, search_of_documents, search_of_images

LEARNED = ("noisy", "straight through")
"""Ways to bits: noise on the logits of the code, or a hard threshold in training."""
EXACT = "all features"
RADIUS = 2  # of the ball that the hash table looks up


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    data: str = "mnist"
    """name or place of a data set of images with bounds and labels"""
    documents: str = "20newsgroups"
    """that, the place of its file, or "topics", which are made up"""
    train: int = 20_000
    """examples that bits are learned from, the first; all are in the database"""
    queries: int = 1000
    """test examples, evenly spaced"""
    bits: int = 32
    """of a code; a multiple of eight"""
    hidden: int = 256
    """units of the layer on each side of the code"""
    noise: float = 4.0
    """standard deviation of that on the logits of bits"""
    epochs: int = 10
    """passes over the examples"""
    batch_size: int = 100
    """examples a step"""
    learning_rate: float = 2e-3
    """of Adam at the start; it falls to zero by a cosine"""
    seeds: int = 5
    """trainings of each autoencoder, rotations and projections"""
    seed: int = 0
    """of all of them"""


QUICK = Config("digits", "topics", train=900, queries=200, bits=16, hidden=64, seeds=2)


def run(config: Config, dataset: data.Dataset, remember: Remember) -> Results:
    """Learn bits of images and of documents; measure what they retrieve, and the search."""
    documents = search_of_documents(config.documents, config.queries)
    searches = {"images": search_of_images(dataset, config.queries), "documents": documents}
    parts = {name: partial(_measured, config, search) for name, search in searches.items()}
    return Results({name: remember(name, part).metrics for name, part in parts.items()})


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Precision at 10: each learned code less each other; and the logarithm of the time taken."""
    found = {}
    for name, way, other in product(metrics, LEARNED, LINEAR):
        at = (np.array(metrics[name][each]["precision at"]) for each in (way, other))
        ten = (seeds[:, KS.index(10)] for seeds in at)
        found[f"precision at 10, {name}, {way} less {other}"] = above(*ten)
    for name, by_way in metrics.items():
        log = {how: np.log(took) for how, took in by_way["seconds per query"].items()}
        claim = f"log seconds, {name}, hash table less {EXACT}"
        found[claim] = below(log["hash table"], log[EXACT])
    return found


def plot(config: Config, results: Results) -> Figure:
    """Precision of the nearest; recall, and precision against it, as a ball grows; time."""
    with figure_style():
        figure = Figure(figsize=(11, 5.4))
        panels = figure.subplots(2, 4, width_ratios=(1, 1, 1, 0.6))
        for row, (name, found) in zip(panels, results.metrics.items(), strict=True):
            nearest, ball, trade, speed = row
            exact = found[EXACT]["precision at"]
            ks = KS[: len(exact)]
            nearest.plot(ks, exact, ":", color=INK, label=EXACT)
            for way in (*LEARNED, *LINEAR):
                style = "o-" if way in LEARNED else "s--"
                at, recall = (np.array(found[way][what]) for what in ("precision at", "recall"))
                draw_mean(nearest, ks, at, style, label=way, markersize=4)
                draw_mean(ball, range(config.bits + 1), recall, style[1:])
                precision = np.mean(found[way]["precision"], axis=0)
                trade.plot(recall.mean(axis=0), precision, style, markersize=4)
            took = {how: 1e6 * np.mean(seeds) for how, seeds in found["seconds per query"].items()}
            speed.bar(took.keys(), took.values())
            speed.tick_params("x", rotation=40)
            nearest.set(xscale="log", xlabel="k", title=f"{name}: precision at k")
            ball.set(xlabel="Hamming radius", title="recall within a radius")
            trade.set(xscale="log", xlim=(1e-3, 1), xlabel="recall", title="precision")
            speed.set(yscale="log", title="µs a query")
        figure.legend(*nearest.get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _measured(config: Config, search: Search) -> Results:
    """What each way's bits retrieve, each seed's in turn, and what search takes."""
    labels = search.queries.labels, search.database.labels
    features = search.queries.features, search.database.features
    bits, metrics = _bits(config, search), {}
    for way, seeds in bits.items():
        relevant = labels[0][:, None] == labels[1]
        metrics[way] = over_seeds([retrieval(*pair, relevant) for pair in seeds])
    took = [seconds_per_query(features, pair, RADIUS) for pair in bits[LEARNED[0]]]
    metrics["seconds per query"] = over_seeds(took)
    return Results(metrics | {EXACT: {"precision at": exact_precision(*features, labels)}})


def _bits(config: Config, search: Search) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """By way, and in the order of seeds: bits of the queries and of the database."""
    both, seeds = (search.queries, search.database), range(config.seeds)
    model, params = _trained(config, search)
    encode = jax.jit(jax.vmap(jax.vmap(model.encode, (0, None)), (0, None)))
    codes = [np.asarray(encode(params, jnp.asarray(part.x))) > 0 for part in both]
    found = {way: [*zip(*pair, strict=True)] for way, *pair in zip(LEARNED, *codes, strict=True)}
    known = search.database.features[: config.train]
    for way, learn in LINEAR.items():
        projects = [learn(known, config.bits, config.seed + seed) for seed in seeds]
        found[way] = [tuple(project(part.features) > 0 for part in both) for project in projects]
    return found


def _trained(config: Config, search: Search) -> tuple[aejax.Autoencoder, Params]:
    """The model, whose code is logits of bits, and its parameters, [ways, seeds, …]."""
    sizes = search.database.x.shape[1], config.hidden, config.bits
    dense = aejax.dense(sizes, activation=jax.nn.gelu, code_activation=jax.nn.identity)
    model = dense._replace(encode=lambda params, x: dense.encode(params, search.sees(x)))
    x = jnp.asarray(search.database.x[: config.train])

    def make(way: dict[str, Array]) -> tuple[aejax.Objective, optax.GradientTransformation]:
        def bits(z: Array) -> Array:
            return jnp.where(way["hard"], aejax.straight_through(z), jax.nn.sigmoid(z))

        objective = aejax.objective(
            aejax.binary_code(model, activation=bits),
            search.loss,
            perturbation=corruptions.gaussian(sigma=way["noise"]),
        )
        return objective, falling_adam(config, len(x))

    params, _ = train_seeds(
        make,
        x,
        settings={"hard": np.array([False, True]), "noise": np.array([config.noise, 0])},
        seeds=config.seeds,
        key=jax.random.key(config.seed),
        epochs=config.epochs,
        batch_size=config.batch_size,
    )
    return model, params


if __name__ == "__main__":
    main()
