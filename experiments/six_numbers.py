"""A deep autoencoder preserves more of a curve in 6 dimensions than PCA in 18.

Claim:    images of curves through three random points have six degrees of freedom. A deep
          autoencoder 784-400-200-100-50-25-6 reconstructs test images better from 6 dimensions than
          PCA and logistic PCA from 6, and than both from 18.
Source:   Hinton & Salakhutdinov 2006, fig. 2A: 1.44 deep and 7.64 logistic PCA in 6 dimensions,
          2.45 logistic PCA and 5.90 PCA in 18, on curves of their own.
Command:  python -m experiments.six_numbers
Expected: 1.13 deep in 6 dimensions, below the published 1.44, against 16.3 of PCA and 8.09 of
          logistic PCA in 6, and 5.91 of PCA in 18. Logistic PCA in 18 has 0.70: less error than the
          deep autoencoder, against the claim, and less than the published 2.45. Here the code of
          each test image is fitted iteratively, until its loss has converged.
Selection: the width of the lines, so that the error of PCA with 18 components is the published one;
          no autoencoder was used for that. The learning rate, 0.016 instead of the 0.008 of
          thirty_numbers, by the error of 4000 validation curves after 24 epochs with one seed (1.69
          instead of 1.89); that search has no record. The batch size is that of thirty_numbers.
Run time: 36 minutes on two cores that were shared with other work.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import harness
from experiments.harness.compressors import (
    Deep,
    deep_reconstruction,
    pca_reconstruction,
)
from experiments.harness.curves import SIDE, fresh_curves, sample_curves
from experiments.harness.logistic_components import converged_logistic_reconstruction
from experiments.harness.reconstructions import Fit, compare_methods, draw_reconstructions

DEEP = "deep, 6"


@dataclass(frozen=True)
class Config:
    """Settings that determine the results."""

    train: int = 20_480
    """number of training curves of PCA, and of curves per epoch of the deep autoencoder"""
    logistic_train: int = 5000
    """number of training curves of logistic PCA, the first of them"""
    test: int = 10_000
    """number of test curves"""
    hidden: tuple[int, ...] = (400, 200, 100, 50, 25)
    """GELU units of the encoder's hidden layers; the decoder has them in reverse"""
    code: int = 6
    """size of the code of the deep autoencoder"""
    linear_codes: tuple[int, ...] = (6, 18)
    """code sizes of PCA and logistic PCA"""
    epochs: int = 60
    """epochs of training by Muon with a cosine schedule; every step has new curves"""
    batch_size: int = 512
    """examples per step"""
    learning_rate: float = 1.6e-2
    """maximum learning rate of Muon"""
    seeds: int = 3
    """number of training runs of the deep autoencoder"""
    seed: int = 0
    """seed of curves and training runs"""


QUICK = Config(train=100, test=10, hidden=(), linear_codes=(2,), epochs=2, batch_size=50, seeds=2)


def run(config: Config, cache: harness.PartCache) -> harness.Results:
    """Compute errors of each method and seed on training and test curves."""
    key_curves, key = jax.random.split(jax.random.key(config.seed))
    x, x_test = jnp.split(sample_curves(key_curves, config.train + config.test), [config.train])
    methods: dict[str, list[Fit]] = {}
    for size in config.linear_codes:
        methods[f"PCA, {size}"] = [partial(pca_reconstruction, x, size)]
        methods[f"logistic PCA, {size}"] = [
            partial(converged_logistic_reconstruction, key, x[: config.logistic_train], size)
        ]
    deep = Deep(
        (SIDE**2, *config.hidden, config.code),
        config.epochs,
        activation=jax.nn.gelu,
        sampler=fresh_curves,
    )
    train = partial(
        deep_reconstruction,
        x=x,
        deep=deep,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
    )
    keys = [jax.random.fold_in(key, i) for i in range(config.seeds)]
    methods[DEEP] = [partial(train, key) for key in keys]
    return compare_methods(methods, x, x_test, cache)


def primary(metrics: dict[str, Any]) -> harness.PrimaryComparison:
    """Comparison that decides the primary claim."""
    *_, pca, _, _ = metrics  # in the order of `run`
    return harness.PrimaryComparison(
        "mean squared error of a test image",
        ("deep autoencoder, code of 6", metrics[DEEP]["test"]),
        (pca, metrics[pca]["test"][0]),
        harness.below,
    )


def observations(metrics: dict[str, Any]) -> dict[str, harness.Comparison]:
    """Errors: deep minus the other methods and the published value."""
    deep = np.array(metrics[DEEP]["test"])
    others = {name: found["test"][0] for name, found in metrics.items() if name != DEEP}
    others |= {"1.44 of 2006": 1.44}
    return {
        f"error of a test image, deep with 6 less {name}": harness.below(deep, other)
        for name, other in others.items()
    }


def plot(config: Config, results: harness.Results) -> Figure:
    """Draw test curves above each method's reconstructions."""
    deep, pca = (np.asarray(values).mean() for _, values in primary(results.metrics)[1:3])
    return draw_reconstructions(
        results,
        f"Error of a test curve: {deep:.2f} with a deep code of {config.code}, {pca:.2f} by PCA "
        f"with {config.linear_codes[-1]} components",
    )


EXPERIMENT = harness.Experiment(
    name="six_numbers", config=Config(), quick=QUICK, run=run, primary=primary,
    observations=observations, plot=plot,
    title="A deep autoencoder preserves more of a curve in 6 dimensions than PCA in 18.",
    claim="A deep autoencoder with a 6-dimensional code has a lower test error on curves than PCA "
    "with 18 components.",
    source="Hinton & Salakhutdinov 2006, fig. 2A: 1.44 deep and 7.64 logistic PCA in 6 dimensions, "
    "2.45 logistic PCA and 5.90 PCA in 18, on curves of their own.",
    expected="1.13 against 5.907, a difference of −4.78 ± 0.083",
    run_time="36 minutes on two cores that were shared with other work",
    figure="Test curves and each method's reconstruction, with its dimensions and mean test error.",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    harness.execute(EXPERIMENT)


if __name__ == "__main__":
    main()
