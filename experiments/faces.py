"""Thirty numbers of a face, turned and scaled: an autoencoder against PCA, on people not seen.

Claim:    the average squared error of a test patch, of people that no training patch shows, is
          lower for the deep autoencoder 625-2000-1000-500-30 than for PCA with thirty numbers.
Source:   Hinton & Salakhutdinov 2006: 126 deep, 135 PCA, on patches of Olivetti's faces, with
          pretraining.
Command:  python -m experiments.faces
Expected: PCA 172, the autoencoder 157: of PCA's error 0.91, where it was 126/135 = 0.93. Training
          patches 75, so that more people would help most. Patches are drawn by our reading of how
          theirs were, and are fewer, so that errors do not compare. The rate is half that of
          digits; that few passes do was seen on five people held out (--held-out 5); the ten of the
          test set were reconstructed by the finished model alone.
Run time: about five minutes on one core with matrix units for bfloat16.
"""

import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from aejax import data, losses
from aejax.types import Array
from experiments.harness import Comparison, Remember, Results, below, execute
from experiments.harness.compressors import Deep, deep_reconstruction, pca_reconstruction
from experiments.harness.faces import SIDE, patches
from experiments.harness.faces import load as load
from experiments.harness.reconstructions import Fit, compare, draw, log_test_errors


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    data: str = "olivetti"
    """place of the file of faces, or "noise" """
    each: int = 100
    """training patches of an image"""
    each_test: int = 40
    """test patches of an image"""
    hidden: tuple[int, ...] = (2000, 1000, 500)
    """units of the encoder's hidden layers, GELU; the decoder mirrors them"""
    code: int = 30
    """numbers of the code, of both"""
    epochs: int = 2
    """passes over the patches, by Muon with a cosine schedule"""
    batch_size: int = 500
    """examples a step"""
    learning_rate: float = 4e-3
    """Muon's, at its highest"""
    seeds: int = 3
    """trainings of the autoencoder"""
    seed: int = 0
    """of patches and trainings"""
    held_out: int = 0
    """measure on so many of the training people, left out of training, in place of the others"""


QUICK = Config(
    data="noise", each=5, each_test=2, hidden=(), code=4, epochs=2, batch_size=50, seeds=2
)


def run(config: Config, dataset: data.Dataset, remember: Remember) -> Results:
    """Errors on train and test patches of both, and a few reconstructions."""
    key_train, key_test, key_order, key = jax.random.split(jax.random.key(config.seed), 4)
    images, images_test = _images(config, dataset)
    x = jax.random.permutation(key_order, patches(key_train, images, each=config.each))
    x_test = patches(key_test, images_test, each=config.each_test)
    x_test = jax.random.permutation(key_order, x_test)
    scale = 1 / jnp.sqrt(jnp.mean(jnp.square(x)))  # to a mean variance of one, of training patches
    x, x_test = scale * x, scale * x_test
    deep = Deep(
        (SIDE**2, *config.hidden, config.code),
        config.epochs,
        activation=jax.nn.gelu,
        loss=losses.squared,
    )
    options = {"batch_size": config.batch_size, "learning_rate": config.learning_rate}
    keys = [jax.random.fold_in(key, i) for i in range(config.seeds)]
    methods: dict[str, list[Fit]] = {
        "PCA": [partial(pca_reconstruction, x, config.code)],
        "GELU": [partial(deep_reconstruction, key, x, deep, **options) for key in keys],
    }
    return compare(methods, x, x_test, remember)


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Log error, deep less PCA: below zero, and below what it was in 2006."""
    each = log_test_errors(metrics, len(metrics["GELU"]["test"]))
    gain = each["GELU"] - each["PCA"]
    return {
        "log error, GELU less PCA": below(gain, 0),
        "the same less that of 2006, log 126/135": below(gain, np.log(126 / 135)),
    }


def plot(config: Config, results: Results) -> Figure:
    """Patches of test people, and below them what each makes of them, with its mean test error."""
    return draw(results)


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _images(config: Config, dataset: data.Dataset) -> tuple[Array, Array]:
    """Those trained on and those measured; people held out are the last of the training set."""
    train, test = (jnp.asarray(x, jnp.float32) for x in (dataset.x_train, dataset.x_test))
    if config.held_out:
        held = np.asarray(dataset.labels_train) > max(dataset.labels_train) - config.held_out
        train, test = train[~held], train[held]
    return train, test


if __name__ == "__main__":
    main()
