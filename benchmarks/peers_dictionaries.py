"""Sparse dictionaries on known features: aejax beside SAELens, by recovery of the truth.

The law is `data.SYNTHSAEBENCH_TWIN`, of which each seed is a draw: 1024 features in 96 dimensions,
with 384 units. Both packages train each activation on fresh samples of the same features, with the
same batch size, number of samples and decay of the learning rate: SAELens by its own trainer and
generator, aejax as one compiled program. The learning rate of each package and activation is the
one of three with the highest F1 on another draw. Both are judged on the same samples by
`aejax.evaluation`, whose definitions are those of SAELens (tests/evaluation).

Each trained dictionary is one cell of the results, which are written after each: a command that is
interrupted resumes. `--packages aejax` and `--packages SAELens` can run side by side.

Command:  python -m benchmarks.peers_dictionaries
Run time: four hours on one idle core; needs sae-lens.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro

from aejax import data, evaluation
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment
from benchmarks import dictionary_recipes, saelens_recipes
from benchmarks.dictionary_recipes import Encode, Sizes

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "dictionaries"
COEFFICIENTS = {
    "L1": (1.0, 2.0, 4.0),
    "Gated": (1.0, 2.0, 4.0),
}
"""Coefficients of activations whose number of active units is not given."""

PACKAGES = {"aejax": dictionary_recipes.train, "SAELens": saelens_recipes.train}


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
    learning_rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    """learning rates of Adam, of which one is chosen"""
    dead_after: int = 200
    """number of steps without activity after which a unit of aejax counts as dead"""
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


def judge(
    rows: np.ndarray, encode: Encode, truth: data.SyntheticDictionary, samples: int
) -> dict[str, float]:
    """Scores of a dictionary on samples that are the same for all dictionaries."""
    factors = evaluation.best_factors(rows, truth.directions)
    size = min(samples, 8192)
    sample = jax.jit(partial(data.sample_activations, count=size))

    def passes() -> Iterator[tuple[Any, Any, Any, Any]]:
        for key in jax.random.split(jax.random.key(1), samples // size):
            activations = sample(key, truth)
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
    package: str, activation: str, config: Config, *, sparsity: float, rate: float, seed: int
) -> dict[str, float]:
    """Train a dictionary on the draw of a seed; its scores and the seconds of its training."""
    truth = jax.jit(data.draw_dictionary, static_argnums=1)(jax.random.key(seed), config.law)
    sizes = Sizes(
        config.law.dimensions, config.units, config.samples, config.batch_size, config.dead_after
    )
    start = time.perf_counter()
    rows, encode = PACKAGES[package](
        truth, activation, sizes, sparsity=sparsity, learning_rate=rate, seed=seed
    )
    seconds = time.perf_counter() - start
    scores = judge(rows, encode, truth, config.test_samples) | {"seconds": seconds}
    return {name: round(float(score), 4) for name, score in scores.items()}


def results_file(package: str, activation: str) -> Path:
    """File of the results of a package and an activation."""
    return RESULTS / f"{package}_{activation.replace(' ', '_')}.json".lower()


def run(package: str, activation: str, config: Config) -> None:
    """Choose the learning rate, then train every sparsity with every seed; missing cells only."""
    path = results_file(package, activation)
    settings = json.loads(json.dumps(_settings(config)))
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    if found.get("settings") != settings:
        found = {"settings": settings, "environment": environment(), "choice": {}, "cells": {}}

    def measure(kind: str, sparsity: float, rate: float, seed: int) -> dict[str, float]:
        name = f"sparsity {sparsity:g}, learning rate {rate:g}, seed {seed}"
        if name not in found[kind]:
            options = {"sparsity": sparsity, "rate": rate, "seed": seed}
            found[kind][name] = cell(package, activation, config, **options)
            write_text(path, json.dumps(found, indent=1) + "\n")
            print(package, activation, name, found[kind][name], flush=True)
        return found[kind][name]

    levels = COEFFICIENTS.get(activation, config.k)
    middle = levels[len(levels) // 2]
    scores = {
        rate: measure("choice", middle, rate, config.choice_seed)["F1"]
        for rate in config.learning_rates
    }
    rate = max(scores, key=scores.__getitem__)
    for seed in range(config.seeds):
        for sparsity in levels:
            measure("cells", sparsity, rate, seed)


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
    for activation in config.activations:
        for package in config.packages:
            run(package, activation, config)


if __name__ == "__main__":
    main(tyro.cli(Config))
