"""PCA of many examples, compared with scikit-learn: time of a fit and its accuracy.

60 000 examples of 784 features in float32, whose i-th standard deviation is proportional to 1/i,
and 30 components: scikit-learn with its covariance and its randomised solver, and aejax's
`LinearAutoencoder` with the covariance solver and in closed form. The reference for the errors is
the singular value decomposition of the examples in float64.

Command:  python -m benchmarks.pca
Run time: about two minutes on two idle cores.
"""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import tyro
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from aejax.estimator import LinearAutoencoder
from benchmarks.interleaved import interleaved, record


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    examples: int = 60_000
    """number of examples"""
    features: int = 784
    """number of features"""
    components: int = 30
    """number of principal components"""
    rounds: int = 5
    """timed fits of each variant"""


QUICK = Config(examples=400, features=12, components=3, rounds=2)


def measure(config: Config) -> dict[str, Any]:
    """Seconds, ratio to scikit-learn, eigenvalue error and subspace angle of each variant."""
    generator = np.random.default_rng(0)
    scales = 1 / np.arange(1, config.features + 1)
    rotation, _ = np.linalg.qr(generator.normal(size=(config.features, config.features)))
    codes = generator.normal(size=(config.examples, config.features)) * scales
    x = (codes @ rotation + 0.5).astype(np.float32)
    variants = {
        "scikit-learn, covariance": PCA(config.components, svd_solver="covariance_eigh"),
        "scikit-learn, randomised": PCA(config.components, svd_solver="randomized", random_state=0),
        "aejax, covariance": LinearAutoencoder(config.components, solver="covariance"),
        "aejax, closed form": LinearAutoencoder(config.components),
    }
    timed = interleaved(
        {name: partial(variant.fit, x) for name, variant in variants.items()}, rounds=config.rounds
    )
    exact = PCA(config.components, svd_solver="full").fit(x.astype(np.float64))
    for name, variant in variants.items():
        timed[name] |= _errors(variant, exact)
    return {f"{config.examples} × {config.features}": timed}


def main(config: Config = Config()) -> None:
    """Run the benchmark, write its results and print them."""
    found = measure(config)
    record("pca", asdict(config), found, peers=("scikit-learn",))
    for size, variants in found.items():
        for name, each in variants.items():
            print(size, name, *(f"{what} {value}" for what, value in each.items()))


def _errors(found: Any, exact: PCA) -> dict[str, float]:
    """Maximum relative error of the eigenvalues, and maximum angle between the subspaces."""
    relative = np.abs(found.explained_variance_ / exact.explained_variance_ - 1).max()
    angles = subspace_angles(found.components_.T.astype(float), exact.components_.T)
    return {"eigenvalues": float(f"{relative:.2g}"), "radians": float(f"{angles.max():.2g}")}


if __name__ == "__main__":
    tyro.cli(main)
