"""Hamming balls against faiss, and their precision and recall against enumeration."""

import itertools

import faiss
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics

from aejax import evaluation
from aejax.evaluation import HammingBalls

BITS = 16


def packed(bits):
    return np.packbits(bits, axis=1, bitorder="little")


@pytest.fixture
def codes():
    """Queries, examples and relevance; most distances are small."""
    rng = np.random.default_rng(0)
    queries, database = (rng.random((n, BITS)) < 0.2 for n in (20, 300))
    return queries, database, rng.random((20, 300)) < 0.3


def test_balls_are_faisss_at_every_radius(codes):
    queries, database, relevant = codes
    balls = evaluation.hamming_balls(*map(jnp.asarray, codes))
    index = faiss.IndexBinaryFlat(BITS)
    index.add(packed(database))
    for radius in range(BITS + 1):
        limits, _, found = index.range_search(packed(queries), radius + 1)  # faiss: below radius
        np.testing.assert_array_equal(balls.retrieved[:, radius], np.diff(limits))
        hits = [
            relevant[query, found[start:end]].sum()
            for query, (start, end) in enumerate(itertools.pairwise(limits))
        ]
        np.testing.assert_array_equal(balls.relevant[:, radius], hits)


def test_counts_match_a_hash_table_lookup(codes):
    queries, database, _ = codes
    balls = evaluation.hamming_balls(*map(jnp.asarray, codes))
    table = faiss.IndexBinaryHash(BITS, BITS)
    table.nflip = 2
    table.add(packed(database))
    limits, _, _ = table.range_search(packed(queries), 3)
    np.testing.assert_array_equal(balls.retrieved[:, 2], np.diff(limits))


def test_precision_and_recall_within_a_radius_match_scikit_learn(codes):
    queries, database, relevant = codes
    balls = evaluation.hamming_balls(*map(jnp.asarray, codes))
    precision, recall = evaluation.precision_within(balls), evaluation.recall_within(balls)
    distances = (queries[:, None] != database).sum(axis=2)
    for query, radius in itertools.product(range(20), (0, 1, 3, BITS)):
        found = distances[query] <= radius
        expected = metrics.precision_score(relevant[query], found, zero_division=0)
        assert precision[query, radius] == pytest.approx(expected, rel=1e-6)
        expected = metrics.recall_score(relevant[query], found)
        assert recall[query, radius] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_precision_at_k_is_the_mean_over_all_orders_of_ties(k):
    distances, relevant = np.array([1, 0, 1, 1, 2, 2]), np.array([1, 0, 0, 1, 1, 0])
    database = np.arange(3)[None] < distances[:, None]  # number of set bits = distance from zero
    balls = evaluation.hamming_balls(
        jnp.zeros((1, 3), bool), jnp.asarray(database), jnp.asarray(relevant[None] > 0)
    )
    shares = []
    for order in itertools.permutations(range(6)):
        nearest = sorted(order, key=lambda i: distances[i])[:k]
        shares.append(relevant[nearest].mean())
    found = evaluation.precision_at(balls, k=k)
    np.testing.assert_allclose(found, [np.mean(shares)], rtol=1e-6)


def test_balls_and_precision_work_under_jit_and_vmap(codes):
    arrays = [jnp.asarray(array) for array in codes]

    def precision(queries, database, relevant):
        balls = evaluation.hamming_balls(queries, database, relevant)
        return evaluation.precision_at(balls, k=10)

    once = precision(*arrays)
    np.testing.assert_allclose(jax.jit(precision)(*arrays), once, rtol=1e-6)
    twice = jax.vmap(precision)(*(jnp.stack([array, array]) for array in arrays))
    np.testing.assert_allclose(twice, [once, once], rtol=1e-6)


def test_precision_at_k_is_nan_for_too_few_examples_and_refuses_k_0():
    balls = HammingBalls(jnp.array([[1, 3], [2, 5]]), jnp.array([[1, 1], [0, 2]]))
    np.testing.assert_array_equal(np.isnan(evaluation.precision_at(balls, k=4)), [True, False])
    with pytest.raises(ValueError, match="k must be at least 1, got k = 0"):
        evaluation.precision_at(balls, k=0)


def test_recall_without_relevant_examples_is_nan_and_precision_of_an_empty_ball_0():
    balls = HammingBalls(jnp.array([[0, 3]]), jnp.array([[0, 0]]))
    assert np.isnan(evaluation.recall_within(balls)).all()
    np.testing.assert_array_equal(evaluation.precision_within(balls), [[0, 0]])
