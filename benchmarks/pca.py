"""PCA of many examples, beside scikit-learn's: seconds of a fit, and digits that it has.

60 000 examples of 784 features in float32, with a spectrum that falls like one over the rank, and
30 components: scikit-learn by the covariance's eigenvectors and by its randomised solver, aejax's
`LinearAutoencoder` by the covariance and in closed form. Errors are against the singular value
decomposition of the examples in float64.

Command:  python -m benchmarks.pca
Run time: about two minutes on two quiet cores.
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
    """Everything that decides the numbers."""

    examples: int = 60_000
    """rows"""
    features: int = 784
    """columns"""
    components: int = 30
    """kept"""
    rounds: int = 5
    """fits of each way that count"""


QUICK = Config(examples=400, features=12, components=3, rounds=2)


def measure(config: Config) -> dict[str, Any]:
    """By way: seconds, ratio to scikit-learn's, errors of eigenvalues and angle of the subspace."""
    generator = np.random.default_rng(0)
    scales = 1 / np.arange(1, config.features + 1)
    turn, _ = np.linalg.qr(generator.normal(size=(config.features, config.features)))
    codes = generator.normal(size=(config.examples, config.features)) * scales
    x = (codes @ turn + 0.5).astype(np.float32)
    ways = {
        "scikit-learn, covariance": PCA(config.components, svd_solver="covariance_eigh"),
        "scikit-learn, randomised": PCA(config.components, svd_solver="randomized", random_state=0),
        "aejax, covariance": LinearAutoencoder(config.components, solver="covariance"),
        "aejax, closed form": LinearAutoencoder(config.components),
    }
    timed = interleaved(
        {name: partial(way.fit, x) for name, way in ways.items()}, rounds=config.rounds
    )
    exact = PCA(config.components, svd_solver="full").fit(x.astype(np.float64))
    for name, way in ways.items():
        timed[name] |= _errors(way, exact)
    return {f"{config.examples} × {config.features}": timed}


def main(config: Config = Config()) -> None:
    """Measure, write and print."""
    found = measure(config)
    record("pca", asdict(config), found, peers=("scikit-learn",))
    for size, ways in found.items():
        for name, each in ways.items():
            print(size, name, *(f"{what} {value}" for what, value in each.items()))


def _errors(found: Any, exact: PCA) -> dict[str, float]:
    """The greatest relative error of an eigenvalue, and the greatest angle between subspaces."""
    relative = np.abs(found.explained_variance_ / exact.explained_variance_ - 1).max()
    angles = subspace_angles(found.components_.T.astype(float), exact.components_.T)
    return {"eigenvalues": float(f"{relative:.2g}"), "radians": float(f"{angles.max():.2g}")}


if __name__ == "__main__":
    tyro.cli(main)
