"""Clusters, neighbours and densities of codes, against closed forms."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.metrics import confusion_matrix

from experiments.harness.features import (
    LabelledCodes,
    clustering_agreement,
    count_pairs,
    density_measures,
    match_clusters,
    neighbour_accuracy,
    whitening,
)


def two_classes(apart, examples=1500):
    """Two normal classes in the plane, with means `apart` standard deviations apart."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 3 * examples)
    code = rng.normal(size=(3 * examples, 2)) + apart * np.outer(labels, [1, 0])
    return [LabelledCodes(code[i::3], labels[i::3]) for i in range(3)]


def test_separated_clusters_agree_for_every_labelling():
    train, _, test = two_classes(20)
    assert clustering_agreement(train, LabelledCodes(test.code, 1 - test.labels), 0) == {
        "accuracy of clusters": 1,
        "adjusted Rand": 1,
        "NMI": 1,
    }
    shuffled = LabelledCodes(test.code, np.random.default_rng(1).permutation(test.labels))
    assert abs(clustering_agreement(train, shuffled, 0)["adjusted Rand"]) < 0.02
    assert neighbour_accuracy(train, test) == 1
    assert neighbour_accuracy(train, shuffled) == pytest.approx(0.5, abs=0.05)


def test_densities_agree_with_the_true_ones():
    train, validation, test = two_classes(4)
    normals = [multivariate_normal(mean) for mean in ([0, 0], [4, 0])]
    joint = np.transpose([normal.pdf(test.code) / 2 for normal in normals])
    found = density_measures(train, validation, test)
    of_label = np.log(joint[np.arange(len(test.labels)), test.labels] / joint.sum(axis=1))
    assert found["log-likelihood of the label"] == pytest.approx(of_label.mean(), abs=0.01)
    right = np.mean(joint.argmax(axis=1) == test.labels)
    assert found["accuracy by densities"] == pytest.approx(right, abs=0.01)
    fitted = multivariate_normal(train.code.mean(axis=0), np.cov(train.code.T))
    gain = np.mean(np.log(joint.sum(axis=1)) - fitted.logpdf(test.code))
    assert gain > 0.1
    assert found["density's gain over a normal"] == pytest.approx(gain, abs=0.05)


def test_a_linear_change_of_the_code_changes_no_measure():
    parts = two_classes(3, examples=300)
    matrix, shift = np.array([[3.0, 1], [-40, 5]]), np.array([7.0, -1])
    changed = [LabelledCodes(part.code @ matrix + shift, part.labels) for part in parts]
    before, after = density_measures(*parts), density_measures(*changed)
    # Whitening is unique up to rotations, to which Gaussian kernels are invariant.
    assert before == pytest.approx(after, abs=1e-3)


def test_whitened_codes_are_uncorrelated_with_variance_one():
    code = np.random.default_rng(0).normal(size=(200, 3)) @ np.array(
        [[1, 2, 0], [0, 1, 5], [3, 0, 1]]
    )
    np.testing.assert_allclose(np.cov((code @ whitening(code)).T), np.eye(3), atol=1e-10)


def test_clusters_are_matched_so_that_most_examples_are_on_the_diagonal():
    table = np.random.default_rng(0).integers(0, 50, (5, 5))
    best = max(permutations(range(5)), key=lambda order: table[range(5), order].sum())
    np.testing.assert_array_equal(match_clusters(table), best)


def test_pairs_of_class_and_cluster_are_counted():
    labels, clusters = np.random.default_rng(0).integers(0, 4, (2, 60))
    expected = confusion_matrix(labels, clusters, labels=range(4))
    np.testing.assert_array_equal(count_pairs(labels, clusters, 4), expected)
