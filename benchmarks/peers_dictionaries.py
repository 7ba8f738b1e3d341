"""Sparse dictionaries on known features: aejax beside SAELens, by recovery of the truth.

The law is `data.SYNTHSAEBENCH_TWIN`, of which each seed is a draw: 1024 features in 96 dimensions,
with 384 units. Both packages train each activation on the same samples, each of which is seen once,
with the same batch size and decay of the learning rate: SAELens by its own trainer, aejax as one
compiled program. The learning rate of each package and activation is the one with the highest F1 on
another draw, of those with a number of active units in the compared range. Both are judged on the
same samples by `aejax.evaluation`, whose definitions are those of SAELens (tests/evaluation).

Each trained dictionary is one cell of the results, which are written after each: a command that is
interrupted resumes. `--packages aejax` and `--packages SAELens` can run side by side.

Command:  python -m benchmarks.peers_dictionaries
Run time: two hours on one idle core; needs sae-lens.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import tyro

from aejax import data, evaluation
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment
from aejax.types import Array
from benchmarks import dictionary_recipes, saelens_recipes
from benchmarks.dictionary_recipes import Encode, Sizes

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "dictionaries"
LEVELS = {
    ("aejax", "L1"): (4.0, 6.0, 8.0),
    ("SAELens", "L1"): (4.0, 6.0, 8.0),
    ("aejax", "Gated"): (3.0, 4.0, 6.0),
    ("SAELens", "Gated"): (8.0, 12.0, 16.0),
    ("aejax", "JumpReLU Matryoshka"): (2.5, 4.0, 6.0),
}
"""Sparsities where the number of active units is not given: coefficients of L1, and targets of L0
that the prefixes exceed."""

SAMPLED_AT_ONCE = 8192
"""Number of samples that are drawn at once."""

PACKAGES = {"aejax": dictionary_recipes.train, "SAELens": saelens_recipes.train}
ACTIVATIONS = {"aejax": dictionary_recipes.RECIPES, "SAELens": saelens_recipes.SETTINGS}


@dataclass(frozen=True)
class Config:
    """Settings of the comparison."""

    law: data.DictionaryLaw = data.SYNTHSAEBENCH_TWIN
    """law of the features"""
    units: int = 384
    """number of units"""
    k: tuple[int, ...] = (4, 6, 8)
    """numbers of active units; of the 384 most frequent features, 6 are active in an example"""
    samples: int = 1_048_576
    """number of training samples"""
    batch_size: int = 1024
    """number of samples of a step"""
    learning_rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 5e-3, 1e-2)
    """learning rates of Adam, of which one is chosen"""
    dead_after: int = 200
    """number of steps without activity after which a unit counts as dead"""
    seeds: int = 5
    """number of seeds, each with features of its own"""
    choice_seed: int = 1000
    """seed of the draw on which learning rates are chosen"""
    test_samples: int = 65_536
    """number of samples of the evaluation"""
    packages: tuple[str, ...] = ("aejax", "SAELens")
    """packages to train"""
    activations: tuple[str, ...] = tuple(dictionary_recipes.RECIPES)
    """activations to train"""


class Draw(NamedTuple):
    """Features of a seed, and their samples.

    truth:       the features.
    x:           training samples, [samples, dimensions].
    activations: activations of the test samples, [test samples, features].
    """

    truth: data.SyntheticDictionary
    x: np.ndarray
    activations: np.ndarray


@lru_cache(maxsize=1)
def draw(config: Config, seed: int) -> Draw:
    """Draw the features of a seed, and samples that all dictionaries share."""
    truth = jax.jit(data.draw_dictionary, static_argnums=1)(jax.random.key(seed), config.law)
    train_key, test_key = jax.random.split(jax.random.key(10_000 + seed))
    x = sampled(partial(data.sample_examples, truth=truth), train_key, config.samples)
    activations = partial(data.sample_activations, truth=truth)
    return Draw(truth, x, sampled(activations, test_key, config.test_samples))


def sampled(sample: Callable[..., Array], key: Array, count: int) -> np.ndarray:
    """Draw a number of samples block by block.

    Args:
        sample: (key, count=…) -> samples [count, …].
        key: PRNG key.
        count: number of samples.
    """
    block = jax.jit(partial(sample, count=SAMPLED_AT_ONCE))
    keys = jax.random.split(key, -(-count // SAMPLED_AT_ONCE))
    return np.concatenate([np.asarray(block(each)) for each in keys])[:count]


def judge(rows: np.ndarray, encode: Encode, draw: Draw) -> dict[str, float]:
    """Scores of a dictionary on the test samples."""
    truth = draw.truth
    factors = evaluation.best_factors(rows, truth.directions)

    def passes() -> Iterator[tuple[Any, Any, Any, Any]]:
        for start in range(0, len(draw.activations), SAMPLED_AT_ONCE):
            activations = draw.activations[start : start + SAMPLED_AT_ONCE]
            x = activations @ truth.directions + truth.bias
            yield x, *encode(x), activations

    statistics = evaluation.dictionary_statistics((x, h, x_hat) for x, h, x_hat, _ in passes())
    detected = evaluation.detection(((code, a) for _, code, _, a in passes()), factors)
    return {
        "L0": statistics.l0,
        "explained variance": statistics.explained_variance,
        "dead": statistics.dead.sum(),
        "F1": detected.f1.mean(),
        "precision": detected.precision.mean(),
        "recall": detected.recall.mean(),
        "MCC": evaluation.mean_correlation(rows, truth.directions),
        "uniqueness": evaluation.uniqueness(factors),
    }


def cell(
    package: str,
    activation: str,
    config: Config,
    draw: Draw,
    *,
    sparsity: float,
    rate: float,
    seed: int,
) -> dict[str, float]:
    """Train a dictionary on the draw of a seed; its scores and the seconds of its training."""
    sizes = Sizes(
        config.law.dimensions, config.units, config.samples, config.batch_size, config.dead_after
    )
    start = time.perf_counter()
    rows, encode = PACKAGES[package](
        draw.x, activation, sizes, sparsity=sparsity, learning_rate=rate, seed=seed
    )
    seconds = time.perf_counter() - start
    scores = judge(rows, encode, draw) | {"seconds": seconds}
    return {name: round(float(score), 4) for name, score in scores.items()}


def results_file(package: str, activation: str) -> Path:
    """File of the results of a package and an activation."""
    return RESULTS / f"{package}_{activation.replace(' ', '_')}.json".lower()


def run(package: str, activation: str, config: Config, seed: int) -> None:
    """Train every sparsity with a seed, or with the choice seed every learning rate.

    Only cells without results are trained.
    """
    path = results_file(package, activation)
    settings = json.loads(json.dumps(_settings(config)))
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    if found.get("settings") != settings:
        found = {"settings": settings, "environment": environment(), "choice": {}, "cells": {}}

    def measure(kind: str, sparsity: float, rate: float) -> dict[str, float]:
        name = f"sparsity {sparsity:g}, learning rate {rate:g}, seed {seed}"
        if name not in found[kind]:
            options = {"sparsity": sparsity, "rate": rate, "seed": seed}
            found[kind][name] = cell(package, activation, config, draw(config, seed), **options)
            write_text(path, json.dumps(found, indent=1) + "\n")
            print(package, activation, name, found[kind][name], flush=True)
        return found[kind][name]

    levels = LEVELS.get((package, activation), config.k)
    if seed == config.choice_seed:
        for rate in config.learning_rates:
            measure("choice", levels[len(levels) // 2], rate)
        return
    rate = best_rate(found["choice"], config.k)
    for sparsity in levels:
        measure("cells", sparsity, rate)


def best_rate(choice: Mapping[str, Mapping[str, float]], k: Sequence[float]) -> float:
    """Learning rate with the highest F1, of those with a number of active units in the range of k.

    With weighted penalties, the learning rate changes that number; rates outside count if all are.
    """
    compared = [name for name, cell in choice.items() if min(k) <= cell["L0"] <= max(k)]
    return rate_of(max(compared or choice, key=lambda name: choice[name]["F1"]))


def rate_of(name: str) -> float:
    """Learning rate of a cell, from its name."""
    return float(name.split("learning rate ")[1].split(",")[0])


def _settings(config: Config) -> dict[str, Any]:
    """Settings that determine a cell."""
    apart = ("packages", "activations", "seeds", "k", "learning_rates")
    values = {name: value for name, value in vars(config).items() if name not in apart}
    return values | {"law": vars(config.law)}


def main(config: Config = Config()) -> None:
    """Run the comparison and write its results."""
    if "SAELens" in config.packages and find_spec("sae_lens") is None:
        print("skipped: not installed: sae-lens")
        return
    for seed in (config.choice_seed, *range(config.seeds)):
        for activation in config.activations:
            for package in config.packages:
                if activation in ACTIVATIONS[package]:
                    run(package, activation, config, seed)


if __name__ == "__main__":
    main(tyro.cli(Config))
