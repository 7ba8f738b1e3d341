"""A deep autoencoder keeps more of a digit in thirty numbers than PCA and logistic PCA do.

Claim:    the average squared error of a test image, Σ(x̂ − x)² with pixels in [0, 1], is lower for
          logistic PCA than for PCA, and lower still for the deep autoencoder 784-1000-500-250-30:
          3.00 with pretraining; which it does not need today, with other units and moved digits.
Source:   Hinton & Salakhutdinov 2006, fig. 2B: 3.00 deep, 8.01 logistic PCA, 13.87 PCA.
Command:  python -m experiments.thirty_numbers
Expected: PCA 13.866, which is scikit-learn's; shallow 8.0; logistic PCA 4.2, whose codes are fitted
          to each image; logistic units 3.2, pretrained 2.99; GELU units and augmented digits at
          most 2.6. Batch size, rates and augmentation were chosen on the last 6000 training digits
          (--held-out 6000); the test set was measured once a finished model.
Run time: about an hour and a half on one core with matrix units for bfloat16.
"""

import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from aejax import data
from experiments.harness import (
    Comparison,
    Remember,
    Results,
    below,
    execute,
    flat,
)
from experiments.harness.compressors import (
    Deep,
    deep_reconstruction,
    logistic_reconstruction,
    pca_reconstruction,
)
from experiments.harness.reconstructions import Fit, compare, draw, log_test_errors


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers, with `autoencoders` below."""

    data: str = "mnist"
    """name or place of a data set of square images with bounds"""
    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """units of the encoder's layers; the decoder mirrors them"""
    epochs: int = 15
    """passes over the data, by Muon with a cosine schedule"""
    augmented_epochs: int = 60
    """passes over augmented images, which are new in every one"""
    pretraining: int = 5
    """epochs of each machine"""
    batch_size: int = 512
    """examples a step"""
    learning_rate: float = 8e-3
    """Muon's, at its highest"""
    seeds: int = 3
    """trainings of each autoencoder"""
    seed: int = 0
    """of all of them"""
    held_out: int = 0
    """measure on so many of the training images, left out of training, in place of the test set"""


QUICK = Config(
    data="digits", sizes=(64, 6), epochs=2, augmented_epochs=2, pretraining=1, seeds=2, held_out=300
)


def autoencoders(config: Config) -> dict[str, Deep]:
    """Without hidden layers; as in 2006, with and without pretraining; as today."""
    deep = Deep(config.sizes, config.epochs)
    return {
        "shallow": deep._replace(sizes=(config.sizes[0], config.sizes[-1])),
        "logistic": deep,
        "logistic, pretrained": deep._replace(pretrained=config.pretraining),
        "GELU, augmented": deep._replace(
            activation=jax.nn.gelu, augmented=True, epochs=config.augmented_epochs
        ),
    }


def run(config: Config, dataset: data.Dataset, remember: Remember) -> Results:
    """Errors on train and test images of each method and seed, and a few reconstructions."""
    x, x_test = flat(dataset)
    if config.held_out:
        x, x_test = x[: -config.held_out], x[-config.held_out :]
    key, code = jax.random.key(config.seed), config.sizes[-1]
    options = {"batch_size": config.batch_size, "learning_rate": config.learning_rate}
    methods: dict[str, list[Fit]] = {
        "PCA": [partial(pca_reconstruction, x, code)],
        "logistic PCA": [partial(logistic_reconstruction, key, x, code)],
    }
    for name, deep in autoencoders(config).items():
        keys = [jax.random.fold_in(key, i) for i in range(config.seeds)]
        methods[name] = [partial(deep_reconstruction, key, x, deep, **options) for key in keys]
    return compare(methods, x, x_test, remember)


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Log errors against those of other methods and the paper's figures."""
    seeds = len(metrics["shallow"]["test"])
    each = log_test_errors(metrics, seeds)
    each |= {"2.6": np.full(seeds, np.log(2.6)), "3.00 of 2006": np.full(seeds, np.log(3.0))}
    pairs = [
        ("GELU, augmented", "2.6"),
        ("GELU, augmented", "logistic, pretrained"),
        ("logistic, pretrained", "logistic"),
        ("logistic, pretrained", "3.00 of 2006"),
        ("logistic, pretrained", "logistic PCA"),
        ("shallow", "PCA"),
    ]
    return {
        f"log error, {first} less {second}": below(each[first], each[second])
        for first, second in pairs
    }


def plot(config: Config, results: Results) -> Figure:
    """Test digits, and below them what each method makes of them, with its mean test error."""
    return draw(results)


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


if __name__ == "__main__":
    main()
