"""A deep autoencoder keeps more of a curve in six numbers than PCA in eighteen.

Claim:    images of curves through three random points have six degrees of freedom: a deep
          autoencoder 784-400-200-100-50-25-6 keeps more of a test image in six numbers than PCA and
          logistic PCA do in eighteen.
Source:   Hinton & Salakhutdinov 2006, fig. 2A: 1.44 deep and 7.64 logistic PCA with six numbers,
          2.45 logistic PCA and 5.90 PCA with eighteen, on curves drawn in their way.
Command:  python -m experiments.six_numbers
Expected: less than half of PCA's error with eighteen numbers, by GELU units and by logistic ones
          that were pretrained; not less than that of logistic PCA with eighteen, whose codes are
          fitted to each image: after 40 epochs the deep one does better on curves that it was
          trained on, not on others. Ink and width are ours, so that figures do not compare with
          those of 2006. Epochs and rates are of thirty_numbers, chosen on digits.
Run time: about fifteen minutes on one core with matrix units for bfloat16.
"""

import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from matplotlib.figure import Figure

from experiments.harness import Comparison, Remember, Results, below, execute
from experiments.harness.compressors import (
    Deep,
    deep_reconstruction,
    logistic_reconstruction,
    pca_reconstruction,
)
from experiments.harness.curves import SIDE, curves
from experiments.harness.reconstructions import Fit, compare, draw, log_test_errors


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    train: int = 20_000
    """curves trained on"""
    test: int = 10_000
    """curves measured"""
    hidden: tuple[int, ...] = (400, 200, 100, 50, 25)
    """units of the encoder's hidden layers; the decoder mirrors them"""
    code: int = 6
    """numbers of the code"""
    linear_codes: tuple[int, ...] = (6, 18)
    """numbers of the codes of PCA and of logistic PCA; the deep ones stand against the last"""
    epochs: int = 40
    """passes over the data, by Muon with a cosine schedule"""
    pretraining: int = 10
    """epochs of each machine"""
    batch_size: int = 512
    """examples a step"""
    learning_rate: float = 8e-3
    """Muon's, at its highest"""
    seeds: int = 3
    """trainings of each autoencoder"""
    seed: int = 0
    """of curves and trainings"""


QUICK = Config(
    train=100,
    test=10,
    hidden=(),
    linear_codes=(2,),
    epochs=2,
    pretraining=0,
    batch_size=50,
    seeds=2,
)
"""Without pretraining, whose programs thirty_numbers compiles too."""


def autoencoders(config: Config) -> dict[str, Deep]:
    """With logistic units as in 2006, and without pretraining and with GELU as today."""
    deep = Deep((SIDE**2, *config.hidden, config.code), config.epochs)
    return {
        "logistic": deep,
        "logistic, pretrained": deep._replace(pretrained=config.pretraining),
        "GELU": deep._replace(activation=jax.nn.gelu),
    }


def run(config: Config, remember: Remember) -> Results:
    """Errors on train and test curves of each method and seed, and a few reconstructions."""
    key_curves, key = jax.random.split(jax.random.key(config.seed))
    x, x_test = jnp.split(curves(key_curves, config.train + config.test), [config.train])
    options = {"batch_size": config.batch_size, "learning_rate": config.learning_rate}
    methods: dict[str, list[Fit]] = {}
    for size in config.linear_codes:
        methods[f"PCA, {size}"] = [partial(pca_reconstruction, x, size)]
        methods[f"logistic PCA, {size}"] = [partial(logistic_reconstruction, key, x, size)]
    for name, deep in autoencoders(config).items():
        keys = [jax.random.fold_in(key, i) for i in range(config.seeds)]
        methods[name] = [partial(deep_reconstruction, key, x, deep, **options) for key in keys]
    return compare(methods, x, x_test, remember)


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Log errors: deep with six numbers against the others with eighteen, and one another."""
    *_, pca, logistic_pca, plain, pretrained, today = metrics  # by their place in `run`
    each = log_test_errors(metrics, len(metrics[today]["test"]))
    pairs = [
        (today, logistic_pca),
        (today, pca),
        (pretrained, logistic_pca),
        (pretrained, plain),
        (today, pretrained),
    ]
    return {
        f"log error, {first} less {second}": below(each[first], each[second])
        for first, second in pairs
    }


def plot(config: Config, results: Results) -> Figure:
    """Test curves, and below them what each method makes of them, with its mean test error."""
    return draw(results)


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


if __name__ == "__main__":
    main()
