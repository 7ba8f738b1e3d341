"""Evaluation of codes as features: clusters, nearest neighbours and kernel densities."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.neighbors import KernelDensity, KNeighborsClassifier

BANDWIDTHS = np.geomspace(0.05, 1.6, 11)
"""Candidate bandwidths of Gaussian kernels, in standard deviations of the code."""


class LabelledCodes(NamedTuple):
    """Codes [examples, units], and the class 0, 1, … of each example."""

    code: np.ndarray
    labels: np.ndarray


def fit_clusters(train: LabelledCodes, seed: int) -> KMeans:
    """Fit as many k-means clusters as there are classes.

    Args:
        train: codes for the clusters; their labels give the number of clusters.
        seed: seed of the ten initialisations, of which the best is used.
    """
    return KMeans(len(np.unique(train.labels)), n_init=10, random_state=seed).fit(train.code)


def match_clusters(table: np.ndarray) -> np.ndarray:
    """Match each cluster to one class, with most examples in matched pairs (Hungarian algorithm).

    Args:
        table: number of examples of each class (row) and cluster (column), square.

    Returns:
        Cluster of each class.
    """
    return linear_sum_assignment(table, maximize=True)[1]


def count_pairs(labels: np.ndarray, clusters: np.ndarray, count: int) -> np.ndarray:
    """Number of examples of each class (row) and cluster (column), [count, count]."""
    table = np.zeros((count, count), int)
    np.add.at(table, (labels, clusters), 1)
    return table


def clustering_agreement(train: LabelledCodes, test: LabelledCodes, seed: int) -> dict[str, float]:
    """Agreement between classes and as many k-means clusters.

    Args:
        train: codes for the clusters; their labels give the number of clusters.
        test: codes and labels for the agreement.
        seed: seed of the initialisations of k-means.

    Returns:
        "accuracy of clusters", each matched to a class; "adjusted Rand" and "NMI" (normalised
        mutual information), by scikit-learn.
    """
    means = fit_clusters(train, seed)
    clusters = means.predict(test.code)
    table = count_pairs(test.labels, clusters, means.n_clusters)
    return {
        "accuracy of clusters": float(table[:, match_clusters(table)].trace() / len(clusters)),
        "adjusted Rand": float(adjusted_rand_score(test.labels, clusters)),
        "NMI": float(normalized_mutual_info_score(test.labels, clusters)),
    }


def neighbour_accuracy(train: LabelledCodes, test: LabelledCodes, neighbours: int = 10) -> float:
    """Test accuracy of the majority vote of the nearest neighbours."""
    return float(KNeighborsClassifier(neighbours).fit(*train).score(*test))


def density_measures(
    train: LabelledCodes, validation: LabelledCodes, test: LabelledCodes
) -> dict[str, float]:
    """Evaluate Gaussian kernel densities of codes, over all examples and per class.

    Codes are whitened by the training codes, so that one bandwidth suits every direction. A density
    depends on the units of its space, so log-likelihoods of different codes are not comparable.
    Comparable are the gain over a normal density fitted to the code, invariant under linear maps of
    the code z, and the posterior of the class y, p(y|z) = p(z|y) p(y) / p(z), invariant under
    invertible maps except for the effect of the bandwidth.

    Args:
        train: centres of the kernels.
        validation: examples whose likelihood, of codes or labels, selects the bandwidth.
        test: test examples.

    Returns:
        "log-likelihood" of whitened codes, the "density's gain over a normal" and the
        "log-likelihood of the label", each the mean over test examples in nats; "accuracy by
        densities", of the most likely label; and the "bandwidth" of the density of all examples.
    """
    mean, axes = train.code.mean(axis=0), whitening(train.code)
    train, validation, test = (
        LabelledCodes((part.code - mean) @ axes, part.labels) for part in (train, validation, test)
    )
    density = _most_likely([_kernels(train.code, width) for width in BANDWIDTHS], validation.code)
    found = density.score_samples(test.code).mean()
    normal = multivariate_normal(np.zeros(len(axes))).logpdf(test.code).mean()
    by_class = [_label_likelihoods(train, validation, width) for width in BANDWIDTHS]
    means = [_select_label(each, validation.labels).mean() for each in by_class]
    labels = _label_likelihoods(train, test, BANDWIDTHS[int(np.argmax(means))])
    return {
        "log-likelihood": float(found),
        "density's gain over a normal": float(found - normal),
        "log-likelihood of the label": float(_select_label(labels, test.labels).mean()),
        "accuracy by densities": float(np.mean(labels.argmax(axis=1) == test.labels)),
        "bandwidth": density.bandwidth,
    }


def whitening(code: np.ndarray) -> np.ndarray:
    """Whitening matrix: makes the units of a centred code uncorrelated with variance one."""
    variances, directions = np.linalg.eigh(np.cov(code.T))
    return directions / np.sqrt(variances)


def _kernels(code: np.ndarray, bandwidth: float) -> KernelDensity:
    return KernelDensity(bandwidth=float(bandwidth), rtol=1e-4).fit(code)


def _most_likely(densities: list[KernelDensity], code: np.ndarray) -> KernelDensity:
    return max(densities, key=lambda density: density.score(code))


def _label_likelihoods(train: LabelledCodes, test: LabelledCodes, bandwidth: float) -> np.ndarray:
    """log p(y|z) of each test example and class, [examples, classes]."""
    classes = np.unique(train.labels)
    joint = [
        _kernels(train.code[train.labels == label], bandwidth).score_samples(test.code)
        + np.log(np.mean(train.labels == label))
        for label in classes
    ]
    return np.transpose(joint) - logsumexp(joint, axis=0)[:, None]


def _select_label(likelihoods: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.take_along_axis(likelihoods, labels[:, None], axis=1)[:, 0]
