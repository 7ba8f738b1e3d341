"""Linear binary codes and retrieval measures, against NumPy and scikit-learn."""

import json

import faiss
import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from experiments import semantic_hashing as experiment
from experiments.harness import hashing, records

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


def test_retrieval_agrees_with_counting():
    queries, database = RNG.random((20, 8)) < 0.4, RNG.random((60, 8)) < 0.4
    relevant = RNG.random((20, 60)) < 0.3
    found = hashing.retrieval(queries, database, relevant, ks=(60, 100))
    distances = (queries[:, None] != database).sum(axis=2)
    for radius in range(9):
        within = distances <= radius
        hits = (within & relevant).sum()
        assert found["retrieved"][radius] == pytest.approx(within.sum() / 20)
        assert found["precision"][radius] == pytest.approx(hits / max(1, within.sum()))
        recall = (within & relevant).sum(axis=1) / relevant.sum(axis=1)
        assert found["recall"][radius] == pytest.approx(recall.mean())
    np.testing.assert_allclose(found["precision at"], [relevant.mean()], rtol=1e-6)


def test_exact_precision_is_scikit_learns_neighbours():
    labels = RNG.integers(0, 3, 500)
    _, nearest = NearestNeighbors(n_neighbors=10).fit(X[100:]).kneighbors(X[:100])
    expected = [np.mean(labels[100:][nearest[:, :k]] == labels[:100, None]) for k in (1, 10)]
    found = hashing.exact_precision(X[:100], X[100:], (labels[:100], labels[100:]))
    np.testing.assert_allclose(found[:2], expected)
    assert len(found) == 3  # of 400 examples there are no 1000 nearest


def test_search_is_timed_on_one_thread_and_threads_are_restored():
    threads = faiss.omp_get_max_threads()
    bits = X[:, :16] > 0
    found = hashing.seconds_per_query((X[:50], X), (bits[:50], bits), radius=1)
    assert set(found) == {"all features", "bits", "hash table"}
    assert all(0 < seconds < 1 for seconds in found.values())
    assert faiss.omp_get_max_threads() == threads


def test_the_committed_results_agree_with_the_docstring():
    file = records.summary_file("semantic_hashing")
    metrics = json.loads(file.read_text(encoding="utf-8"))["metrics"]
    expected = {
        "images": (0.87, 0.86, 0.83, 0.85, 0.69),
        "documents": (0.48, 0.43, 0.43, 0.45, 0.09),
    }
    for name, values in expected.items():
        found = [
            np.mean(metrics[name][way]["precision at"], axis=0)[1]
            for way in (*experiment.LEARNED, *hashing.LINEAR)
        ]
        np.testing.assert_allclose(found, values, atol=0.01)
        took = {how: np.array(s) for how, s in metrics[name]["seconds per query"].items()}
        assert (took["hash table"] < took["all features"] / 25).all()
