"""Recovery of known features, against enumeration, scikit-learn and definitions by loops."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score
from sklearn.metrics.pairwise import cosine_similarity

from aejax import evaluation

RNG = np.random.default_rng(0)
ROWS, TRUTH = RNG.normal(size=(4, 5)).astype("float32"), RNG.normal(size=(6, 5)).astype("float32")
COSINES = np.abs(cosine_similarity(ROWS.astype(float), TRUTH.astype(float)))


def test_the_matching_is_the_best_of_all():
    best = max(permutations(range(6), 4), key=lambda factors: COSINES[range(4), factors].sum())
    found = evaluation.match_one_to_one(ROWS, TRUTH)
    np.testing.assert_array_equal(found.rows, range(4))
    np.testing.assert_array_equal(found.factors, best)
    np.testing.assert_allclose(found.cosines, COSINES[range(4), best], rtol=1e-5)
    expected = COSINES[range(4), best].mean()
    assert evaluation.mean_correlation(ROWS, TRUTH) == pytest.approx(expected, rel=1e-5)
    assert evaluation.mean_correlation(TRUTH, ROWS) == pytest.approx(expected, rel=1e-5)


def test_a_permuted_scaled_and_reflected_dictionary_is_recovered():
    order = RNG.permutation(6)
    rows = (TRUTH * RNG.normal(size=(6, 1)))[order]
    assert evaluation.mean_correlation(rows, TRUTH) == pytest.approx(1)
    assert evaluation.mean_max_cosine(rows, TRUTH) == pytest.approx(1)
    np.testing.assert_array_equal(evaluation.best_factors(rows, TRUTH), order)
    np.testing.assert_array_equal(evaluation.best_units(rows, TRUTH), np.argsort(order))
    assert evaluation.uniqueness(evaluation.best_factors(rows, TRUTH)) == 1


def test_best_latents_and_factors_follow_their_definitions():
    assert evaluation.mean_max_cosine(ROWS, TRUTH) == pytest.approx(
        np.mean([max(column) for column in COSINES.T]), rel=1e-5
    )
    rows = np.concatenate([TRUTH[:2], TRUTH[:2] + 0.1 * RNG.normal(size=(2, 5)), 0 * TRUTH[:1]])
    factors = evaluation.best_factors(rows, TRUTH)
    np.testing.assert_array_equal(factors, [0, 1, 0, 1, 0])  # of a row of zeros, the first
    np.testing.assert_array_equal(evaluation.units_per_factor(factors, count=6), [3, 2, 0, 0, 0, 0])
    assert evaluation.uniqueness(factors) == 2 / 5
    np.testing.assert_array_equal(evaluation.best_units(rows, TRUTH), [0, 1, -1, -1, -1, -1])
    assert np.isfinite(evaluation.absolute_cosines(rows, TRUTH)).all()


def test_stability_is_the_mcc_of_each_pair():
    dictionaries = RNG.normal(size=(3, 4, 5))
    found = evaluation.seed_stability(dictionaries)
    pairs = ((0, 1), (0, 2), (1, 2))
    expected = [evaluation.mean_correlation(dictionaries[i], dictionaries[j]) for i, j in pairs]
    np.testing.assert_allclose(found, expected)
    with pytest.raises(ValueError, match="at least two dictionaries, got 1"):
        evaluation.seed_stability(dictionaries[:1])


def detected(examples=500):
    """A signed code with a dead latent, and activations of which one factor is absent."""
    code = RNG.normal(size=(examples, 4)) * (RNG.uniform(size=(examples, 4)) < 0.3)
    activations = np.abs(code[:, [0, 1, 2, 0, 1, 2]]) + (RNG.uniform(size=(examples, 6)) < 0.1)
    code[:, 3], activations[:, 5] = 0, 0
    return code, activations


def test_detection_is_that_of_scikit_learn():
    code, activations = detected()
    factors = np.array([3, 0, 5, 1])
    batches = [(code[:50], activations[:50]), (code[50:], activations[50:])]
    found = evaluation.detection(batches, factors)
    options: dict[str, Any] = {"zero_division": 0.0}
    for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        expected = [
            score(activations[:, factor] != 0, code[:, unit] != 0, **options)
            for unit, factor in enumerate(factors)
        ]
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-12)
    expected = [
        accuracy_score(activations[:, f] != 0, code[:, u] != 0) for u, f in enumerate(factors)
    ]
    np.testing.assert_allclose(found.accuracy, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("batches", "factors", "message"),
    [
        ([], [0, 1], "no examples"),
        ([(np.ones((3, 1)), np.ones((3, 2)))], [0, 1], r"expected a code \[batch, 2\]"),
        ([(np.ones((3, 2)), np.ones((2, 2)))], [0, 1], r"expected a code \[batch, 2\]"),
        ([(np.ones((3, 2)), np.ones((3, 2)))], [0, 2], r"must lie in \[0, 1\], got 0 to 2"),
        ([(np.ones((3, 2)), np.ones((3, 2)))], [0, -1], r"must lie in \[0, 1\], got -1 to 0"),
    ],
)
def test_batches_that_do_not_fit_are_refused(batches, factors, message):
    with pytest.raises(ValueError, match=message):
        evaluation.detection(batches, np.array(factors))


def test_directions_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        evaluation.mean_correlation(np.full((2, 5), np.nan, "float32"), TRUTH)


def test_saelens_has_the_same_definitions():
    evals = pytest.importorskip("sae_lens.synthetic.evals", reason="sae-lens is not installed")
    import torch

    rows, truth = torch.tensor(ROWS), torch.tensor(TRUTH)
    factors = evaluation.best_factors(ROWS, TRUTH)
    expected = evals.mean_correlation_coefficient(rows, truth)
    assert evaluation.mean_correlation(ROWS, TRUTH) == pytest.approx(expected, rel=1e-5)
    assert evaluation.uniqueness(factors) == pytest.approx(evals.feature_uniqueness(rows, truth))
    code, activations = detected()
    found = evaluation.detection([(code, activations)], factors)
    expected = evals.compute_classification_metrics(
        torch.tensor(code), torch.tensor(activations), rows, truth
    )
    assert found.f1.mean() == pytest.approx(expected.f1_score, rel=1e-5)
    for name in ("precision", "recall", "accuracy"):
        assert getattr(found, name).mean() == pytest.approx(getattr(expected, name), rel=1e-5)
