"""What a code is worth as features, without labels: clusters, neighbours and densities."""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.neighbors import KernelDensity, KNeighborsClassifier

BANDWIDTHS = np.geomspace(0.05, 1.6, 11)
"""Of Gaussian kernels, in standard deviations of the code."""


class Coded(NamedTuple):
    """Codes [examples, numbers], and of each example its class 0, 1, …"""

    code: np.ndarray
    labels: np.ndarray


def agreement(train: Coded, test: Coded, seed: int) -> dict[str, float]:
    """How well as many clusters as there are classes, found by k-means, agree with the classes.

    Args:
        train: the clusters are found in its codes; its labels say how many.
        test: the agreement is measured on it.
        seed: of the starts, of which the best of ten is kept.

    Returns:
        "adjusted Rand" and "NMI", normalised mutual information, by scikit-learn.
    """
    means = KMeans(len(np.unique(train.labels)), n_init=10, random_state=seed).fit(train.code)
    clusters = means.predict(test.code)
    return {
        "adjusted Rand": float(adjusted_rand_score(test.labels, clusters)),
        "NMI": float(normalized_mutual_info_score(test.labels, clusters)),
    }


def neighbour_accuracy(train: Coded, test: Coded, neighbours: int = 10) -> float:
    """Share of test examples whose nearest neighbours' vote is right."""
    return float(KNeighborsClassifier(neighbours).fit(*train).score(*test))


def density_measures(train: Coded, validation: Coded, test: Coded) -> dict[str, float]:
    """Gaussian kernel densities of codes, of all and of each class, measured on test examples.

    Codes are whitened by the train codes, so that one bandwidth suits every direction. A density
    depends on the units of its space: log-likelihoods of different codes do not compare. What does
    is the gain over a normal density of the same code, which no linear change of the code alters,
    and what the densities say of the class, p(y|z) = p(z|y) p(y) / p(z), which no one-to-one change
    of the code alters but for the bandwidth.

    Args:
        train: its codes carry the kernels.
        validation: its likelihood, of codes or of labels, chooses the bandwidth.
        test: measured.

    Returns:
        "log-likelihood" of whitened codes, the "density's gain over a normal" and the
        "log-likelihood of the label", each the mean over test examples in nats; "accuracy by
        densities", of the likeliest label; and the "bandwidth" of the density of all.
    """
    mean, axes = train.code.mean(axis=0), whitening(train.code)
    train, validation, test = (
        Coded((part.code - mean) @ axes, part.labels) for part in (train, validation, test)
    )
    density = _likeliest([_kernels(train.code, width) for width in BANDWIDTHS], validation.code)
    found = density.score_samples(test.code).mean()
    normal = multivariate_normal(np.zeros(len(axes))).logpdf(test.code).mean()
    by_class = [_label_likelihoods(train, validation, width) for width in BANDWIDTHS]
    means = [_of_label(each, validation.labels).mean() for each in by_class]
    labels = _label_likelihoods(train, test, BANDWIDTHS[int(np.argmax(means))])
    return {
        "log-likelihood": float(found),
        "density's gain over a normal": float(found - normal),
        "log-likelihood of the label": float(_of_label(labels, test.labels).mean()),
        "accuracy by densities": float(np.mean(labels.argmax(axis=1) == test.labels)),
        "bandwidth": density.bandwidth,
    }


def whitening(code: np.ndarray) -> np.ndarray:
    """A matrix that makes the numbers of a centred code uncorrelated, of variance one."""
    variances, directions = np.linalg.eigh(np.cov(code.T))
    return directions / np.sqrt(variances)


def _kernels(code: np.ndarray, bandwidth: float) -> KernelDensity:
    return KernelDensity(bandwidth=float(bandwidth), rtol=1e-4).fit(code)


def _likeliest(densities: list[KernelDensity], code: np.ndarray) -> KernelDensity:
    return max(densities, key=lambda density: density.score(code))


def _label_likelihoods(train: Coded, test: Coded, bandwidth: float) -> np.ndarray:
    """log p(y|z) of each test example and class, [examples, classes]."""
    classes = np.unique(train.labels)
    joint = [
        _kernels(train.code[train.labels == label], bandwidth).score_samples(test.code)
        + np.log(np.mean(train.labels == label))
        for label in classes
    ]
    return np.transpose(joint) - logsumexp(joint, axis=0)[:, None]


def _of_label(likelihoods: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.take_along_axis(likelihoods, labels[:, None], axis=1)[:, 0]
