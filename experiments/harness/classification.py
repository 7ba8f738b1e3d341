"""What a code is worth: the accuracy of a linear classifier on it, with few labels or many."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ALPHAS = np.logspace(-1, 4, 6)


def linear_accuracy(
    code: ArrayLike, labels: ArrayLike, code_test: ArrayLike, labels_test: ArrayLike
) -> float:
    """Share of test examples that least squares on standardised codes classifies correctly.

    Ridge regression of one-hot labels, its penalty chosen by leave-one-out among `ALPHAS`: the
    same for every code, with nothing to tune.

    Args:
        code: [examples, units].
        labels: one class an example.
        code_test: [test examples, units].
        labels_test: likewise.

    Returns:
        The accuracy, in [0, 1].
    """
    classifier = make_pipeline(StandardScaler(), RidgeClassifierCV(ALPHAS))
    classifier.fit(np.asarray(code), labels)
    return float(classifier.score(np.asarray(code_test), labels_test))


def balanced(labels: np.ndarray, seed: int) -> np.ndarray:
    """A random order of examples of which every beginning has the classes as evenly as can be.

    Args:
        labels: one class an example.
        seed: of the order.

    Returns:
        Indices of the examples, each once.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    rank = np.empty(len(labels), int)
    for label in np.unique(labels):
        members = labels[order] == label
        rank[members] = np.arange(members.sum())
    return order[np.argsort(rank, kind="stable")]
