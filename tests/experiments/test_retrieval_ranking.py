"""Rankings of documents, against scikit-learn and counting."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from sklearn.metrics.pairwise import cosine_similarity

from experiments.harness import retrieval_ranking as ranking

RNG = np.random.default_rng(0)
SIMILARITY = RNG.normal(size=(300, 40))
RELEVANT = (RNG.random((300, 40)) < 0.3) | (np.arange(40) == 0)


def test_average_precision_is_scikit_learns():
    found = ranking.ranking_measures(SIMILARITY, RELEVANT, 0)
    expected = [average_precision_score(*pair) for pair in zip(RELEVANT, SIMILARITY, strict=True)]
    assert found["average precision"] == pytest.approx(np.mean(expected))


def test_precision_and_recall_agree_with_counting():
    found = ranking.ranking_measures(SIMILARITY, RELEVANT, 0)
    order = np.argsort(-SIMILARITY, axis=1)
    for i, count in enumerate((1, 3, 10, 30)):  # of 40 documents
        hits = np.take_along_axis(RELEVANT, order[:, :count], axis=1).sum(axis=1)
        assert found["precision"][i] == pytest.approx(np.mean(hits / count))
        assert found["recall"][i] == pytest.approx(np.mean(hits / RELEVANT.sum(axis=1)))
    assert len(found["precision"]) == len(found["recall"]) == 4


def test_ties_are_in_random_order():
    relevant = np.arange(40) < 20  # a ranking in the order of the documents would be perfect
    found = ranking.ranking_measures(np.zeros((300, 40)), np.tile(relevant, (300, 1)), 0)
    assert found["precision"][0] == pytest.approx(0.5, abs=0.1)


def test_similarities_are_equal_bits_and_cosines():
    queries, database = RNG.random((5, 16)) < 0.4, RNG.random((7, 16)) < 0.4
    equal = (queries[:, None] == database).sum(axis=2)
    np.testing.assert_array_equal(ranking.hamming_similarity(queries, database), equal)
    x, y = RNG.normal(size=(2, 6, 3))
    x[0] = 0
    np.testing.assert_allclose(ranking.cosine_similarity(x, y), cosine_similarity(x, y), atol=1e-12)


def test_a_shortlist_is_reordered_and_the_others_follow_in_its_order():
    by = np.array([[5, 4, 3, 2, 1]])
    found = ranking.within_shortlist(np.array([[0.1, 0.3, 0.2, 0.9, 0.8]]), by, 3, 0)
    np.testing.assert_array_equal(np.argsort(-found[0]), [1, 2, 0, 3, 4])


def test_a_shortlist_has_its_size_in_spite_of_ties():
    found = ranking.within_shortlist(RNG.random((20, 30)), np.full((20, 30), 7), 4, 0)
    np.testing.assert_array_equal((found >= 1).sum(axis=1), 4)
    assert len(np.unique(np.argmax(found, axis=1))) > 5
