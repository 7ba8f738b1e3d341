"""Linear binary codes, against NumPy, and search times."""

import faiss
import numpy as np
import pytest

from experiments.harness import hashing

RNG = np.random.default_rng(0)
X = RNG.normal(size=(500, 24)) * np.linspace(3, 0.1, 24) + 1


def test_pcas_signs_are_those_of_the_singular_vectors():
    centred = X - X.mean(axis=0)
    scores = centred @ np.linalg.svd(centred, full_matrices=False)[2][:8].T
    found = hashing.pca_sign(X, 8, 0)(X)
    np.testing.assert_allclose(np.abs(found), np.abs(scores), atol=1e-8)


def test_itq_reduces_quantisation_error_and_depends_on_its_seed():
    def far(scores):  # of signs, as a share of the scores' length
        scale = np.abs(scores).mean()
        return np.square(scores - scale * np.sign(scores)).sum() / np.square(scores).sum()

    rotated = hashing.itq(X, 8, 1)
    assert far(rotated(X)) < far(hashing.pca_sign(X, 8, 1)(X)) - 0.03
    np.testing.assert_array_equal(rotated(X), hashing.itq(X, 8, 1)(X))
    assert not np.array_equal(rotated(X) > 0, hashing.itq(X, 8, 2)(X) > 0)


def test_random_projections_differ_in_a_share_of_bits_equal_to_the_angle():
    project = hashing.random_projection(X, 20_000, 0)
    first, second = X[:2] - X.mean(axis=0)
    angle = np.arccos(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
    bits = project(X[:2]) > 0
    assert np.mean(bits[0] != bits[1]) == pytest.approx(angle / np.pi, abs=0.015)


def test_search_is_timed_on_one_thread_and_threads_are_restored():
    threads = faiss.omp_get_max_threads()
    bits = X[:, :16] > 0
    found = hashing.seconds_per_query((X[:50], X), (bits[:50], bits))
    assert set(found) == {"all features", "bits"}
    assert all(0 < seconds < 1 for seconds in found.values())
    assert faiss.omp_get_max_threads() == threads
