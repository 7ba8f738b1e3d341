"""Anomaly detection: the scores of aejax beside those of PyOD and scikit-learn.

Classification data sets of scikit-learn, of which one class becomes rare, as in the collection
ODDS: breast cancer with 21 malignant tumours among 357 benign ones, wine with 10 bottles of the
first cultivar among 119 others, and handwritten digits with 50 zeros among 1619 others. In each
trial the rare examples are drawn, 60 % of all examples are for training, anomalies included and
without labels, and 40 % for the test. Features are standardised by the train examples, those that
are constant in them are left out; the digits are used once so, and once with all pixels divided by
16. All detectors have their default settings unless stated otherwise; none was selected by these
data.

Command:  python -m benchmarks.peers_anomalies
Run time: five minutes on one idle core; needs pyod.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, NamedTuple

import numpy as np
import tyro
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from aejax.estimator import AutoencoderTransformer, LinearAutoencoder
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment
from benchmarks.peers_own_model import ENVIRONMENT, missing

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "peers_anomalies.json"


@dataclass(frozen=True)
class Config:
    """Settings of the comparison."""

    trials: int = 3
    """number of trials; the seed of a trial is its index"""
    test_fraction: float = 0.4
    """fraction of the examples that are scored"""


class Problem(NamedTuple):
    """A data set whose anomalies are rare.

    x:            examples [examples, features].
    is_anomaly:   whether an example is of the rare class.
    anomalies:    number of anomalies that are drawn.
    standardised: whether the features are standardised.
    """

    x: np.ndarray
    is_anomaly: np.ndarray
    anomalies: int
    standardised: bool = True


Detector = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""Function of train examples, test examples and a seed that returns anomaly scores."""


def problems() -> dict[str, Problem]:
    """All problems by name."""
    tumours, wine, digits = load_breast_cancer(), load_wine(), load_digits()
    return {
        "breast cancer": Problem(tumours.data, tumours.target == 0, 21),
        "wine": Problem(wine.data, wine.target == 0, 10),
        "digits, standardised": Problem(digits.data, digits.target == 0, 50),
        "digits, pixels / 16": Problem(digits.data / 16, digits.target == 0, 50, False),
    }


def aejax_score(x_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    """`aejax train` and `aejax score`, with the squared error of the given scale."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "train.npy", x_train)
        np.save(folder / "test.npy", x_test)
        settings = f"--normalise none --loss squared --seed {seed} --quiet --no-pca"
        train = f"train --data train.npy {settings} --out run"
        _aejax(*train.split(), folder=folder)
        _aejax("score", "run", "test.npy", "--out", "scores.npz", folder=folder)
        with np.load(folder / "scores.npz") as found:
            return found["error"]


def _aejax(*words: str, folder: Path) -> None:
    """Run a command in a folder; CalledProcessError if it fails."""
    command = [sys.executable, "-m", "aejax", *words]
    subprocess.run(command, cwd=folder, env=os.environ | ENVIRONMENT, stdout=DEVNULL, check=True)


def autoencoder(x_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    """`AutoencoderTransformer` with the layers, epochs, batch size and rate of PyOD's defaults."""
    model = AutoencoderTransformer(
        32,
        hidden_layer_sizes=64,
        activation="relu",
        max_iter=10,
        batch_size=32,
        learning_rate=1e-3,
        random_state=seed,
    )
    return -model.fit(x_train).score_samples(x_test)


def linear_autoencoder(x_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    """`LinearAutoencoder` that explains 90 % of the variance; its score is a likelihood."""
    return -LinearAutoencoder(0.9, random_state=seed).fit(x_train).score_samples(x_test)


def pyod_autoencoder(x_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    """PyOD's `AutoEncoder`."""
    from pyod.models.auto_encoder import AutoEncoder

    model = AutoEncoder(random_state=seed, verbose=0)
    return model.fit(x_train).decision_function(x_test)


def pyod_pca(x_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    """PyOD's `PCA`."""
    from pyod.models.pca import PCA

    return PCA(random_state=seed).fit(x_train).decision_function(x_test)


def isolation_forest(x_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    """scikit-learn's `IsolationForest`."""
    return -IsolationForest(random_state=seed).fit(x_train).score_samples(x_test)


DETECTORS: Mapping[str, Detector] = {
    "`aejax score`": aejax_score,
    "aejax `AutoencoderTransformer`": autoencoder,
    "aejax `LinearAutoencoder`": linear_autoencoder,
    "PyOD `AutoEncoder`": pyod_autoencoder,
    "PyOD `PCA`": pyod_pca,
    "scikit-learn `IsolationForest`": isolation_forest,
}


def split(problem: Problem, config: Config, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scaled train examples, test examples, and whether each of the latter is an anomaly."""
    anomalies = np.flatnonzero(problem.is_anomaly)
    drawn = np.random.default_rng(seed).choice(anomalies, problem.anomalies, replace=False)
    rows = np.concatenate([np.flatnonzero(~problem.is_anomaly), drawn])
    x, is_anomaly = problem.x[rows], problem.is_anomaly[rows]
    x_train, x_test, _, is_test_anomaly = train_test_split(
        x, is_anomaly, test_size=config.test_fraction, stratify=is_anomaly, random_state=seed
    )
    varies = np.ptp(x_train, axis=0) > 0
    x_train, x_test = x_train[:, varies], x_test[:, varies]
    if not problem.standardised:
        return x_train, x_test, is_test_anomaly
    scaler = StandardScaler().fit(x_train)
    return scaler.transform(x_train), scaler.transform(x_test), is_test_anomaly


def measure(config: Config, detectors: Mapping[str, Detector] = DETECTORS) -> dict[str, Any]:
    """Areas under the ROC curve by detector, problem and trial."""
    found: dict[str, Any] = {name: {} for name in detectors}
    for title, problem in problems().items():
        for seed in range(config.trials):
            x_train, x_test, is_anomaly = split(problem, config, seed)
            for name, detector in detectors.items():
                area = roc_auc_score(is_anomaly, detector(x_train, x_test, seed))
                found[name].setdefault(title, []).append(round(float(area), 4))
    return found


def main(config: Config = Config()) -> None:
    """Run the comparison and write its results."""
    reason = missing(["pyod"])
    if reason:
        print(f"skipped: {reason}")
        return
    versions = {name: metadata.version(name) for name in ("pyod", "scikit-learn", "torch")}
    record = {
        "config": asdict(config),
        "environment": environment() | versions,
        "found": measure(config),
    }
    text = json.dumps(record, indent=1) + "\n"
    write_text(RESULTS, text)
    print(text)


if __name__ == "__main__":
    tyro.cli(main)
