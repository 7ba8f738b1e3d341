"""Anomaly scores, compared with loops and with SciPy's and scikit-learn's definitions."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn.covariance import EllipticEnvelope

from aejax import evaluation

RNG = np.random.default_rng(0)
X, X_HAT = RNG.normal(size=(2, 40, 3, 2))
REFERENCE = RNG.exponential(12.0, size=101)


def test_scores_match_a_loop():
    scores = evaluation.anomaly_scores(X, X_HAT, REFERENCE, contamination=0.2)
    threshold = sorted(REFERENCE)[80]  # the quantile 0.8 of 101 values
    for i in range(len(X)):
        errors = [(a - b) ** 2 for a, b in zip(X[i].ravel(), X_HAT[i].ravel(), strict=True)]
        np.testing.assert_allclose(scores.feature_errors[i].ravel(), errors, rtol=1e-15)
        assert scores.error[i] == pytest.approx(sum(errors), rel=1e-14)
        assert scores.rank[i] == sum(r <= scores.error[i] for r in REFERENCE) / 101
        assert scores.is_outlier[i] == (scores.error[i] > threshold)
    assert scores.threshold == threshold
    assert 0 < scores.is_outlier.sum() < len(X)


def test_the_rank_is_the_empirical_distribution_function():
    errors = np.concatenate([REFERENCE, RNG.exponential(20.0, size=50), [-1.0, 1e9]])
    expected = stats.ecdf(REFERENCE).cdf.evaluate(errors)
    np.testing.assert_allclose(evaluation.empirical_rank(errors, REFERENCE), expected, rtol=1e-14)
    ties = [1.0, 1.0, 1.0, 2.0]
    assert evaluation.empirical_rank([1.0, 1.5, 2.0], ties).tolist() == [0.75, 0.75, 1.0]


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.33, 0.5])
def test_the_threshold_is_that_of_scikit_learn(contamination):
    x = RNG.normal(size=(97, 2))
    detector = EllipticEnvelope(contamination=contamination, random_state=0).fit(x)
    threshold = evaluation.outlier_threshold(detector.dist_, contamination=contamination)
    assert threshold == pytest.approx(-detector.offset_, rel=1e-12)


def test_jax_arrays_and_low_precision_are_computed_in_float64():
    x, x_hat = jnp.full((1, 1000), 1e4, jnp.float16), jnp.zeros((1, 1000), jnp.float16)
    scores = evaluation.anomaly_scores(x, x_hat, [0.0])
    assert scores.error.tolist() == [1e11]  # beyond float16
    assert (scores.error.dtype, scores.feature_errors.dtype) == (np.float64, np.float64)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: evaluation.feature_errors(X, X[0]), "same shape"),
        (lambda: evaluation.feature_errors(REFERENCE, REFERENCE), r"got \[101\] and"),
        (lambda: evaluation.empirical_rank([1.0], []), "one or more training examples"),
        (lambda: evaluation.empirical_rank([1.0], [np.nan]), "finite errors"),
        (lambda: evaluation.empirical_rank([1.0], [[1.0]]), r"got shape \[1, 1\]"),
        (
            lambda: evaluation.outlier_threshold(REFERENCE, contamination=0.0),
            r"a fraction in \(0, 0.5\], got 0.0",
        ),
        (lambda: evaluation.outlier_threshold(REFERENCE, contamination=0.51), "got 0.51"),
        (lambda: evaluation.outlier_threshold(REFERENCE, contamination=float("nan")), "got nan"),
    ],
)
def test_unsuitable_arguments_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
