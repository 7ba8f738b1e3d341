"""Outlier detection by the estimators, compared with scikit-learn's conventions and NumPy."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from aejax.estimator import AutoencoderTransformer, LinearAutoencoder

DATA, TARGET = load_breast_cancer(return_X_y=True)
NORMAL = StandardScaler().fit(DATA[TARGET == 1])
TRAIN, X = NORMAL.transform(DATA[TARGET == 1][:200]), NORMAL.transform(DATA)


def linear(contamination: float | None = 0.1, **settings) -> LinearAutoencoder:
    return LinearAutoencoder(5, contamination=contamination, **settings)


def dense(contamination: float | None = 0.1, **settings) -> AutoencoderTransformer:
    settings = {"activation": "identity", "max_iter": 3, "random_state": 0} | settings
    return AutoencoderTransformer(5, contamination=contamination, **settings)


@pytest.fixture(scope="module", params=[linear, dense])
def fitted(request):
    return request.param().fit(TRAIN)


def test_conventions_are_those_of_scikit_learn(fitted):
    for detector in (fitted, IsolationForest(contamination=0.1, random_state=0).fit(TRAIN)):
        scores, decisions = detector.score_samples(X), detector.decision_function(X)
        np.testing.assert_allclose(decisions, scores - detector.offset_, rtol=1e-12)
        np.testing.assert_array_equal(detector.predict(X), np.where(decisions < 0, -1, 1))
        threshold = np.percentile(detector.score_samples(TRAIN), 10)
        assert detector.offset_ == pytest.approx(threshold, rel=1e-6)
        assert (detector.predict(TRAIN) == -1).mean() == pytest.approx(0.1, abs=0.005)
        assert roc_auc_score(TARGET, scores) > 0.9  # higher is more normal


def test_scores_of_the_linear_autoencoder_are_those_of_pca():
    found, pca = linear().fit(TRAIN), PCA(5).fit(TRAIN)
    np.testing.assert_allclose(found.score_samples(X), pca.score_samples(X), rtol=1e-8)
    offset = np.percentile(pca.score_samples(TRAIN), 10)
    assert found.offset_ == pytest.approx(offset, rel=1e-8)
    np.testing.assert_array_equal(found.predict(X), np.where(pca.score_samples(X) < offset, -1, 1))


def test_scores_of_the_autoencoder_are_negative_reconstruction_errors():
    found = dense().fit(TRAIN)
    error = np.square(found.inverse_transform(found.transform(X)) - X).sum(axis=1)
    np.testing.assert_allclose(found.score_samples(X), -error, rtol=1e-5)
    assert found.score(X) == pytest.approx(-error.mean(), rel=1e-6)


def test_held_out_examples_count_towards_the_threshold():
    found = dense(0.3, early_stopping=True, validation_fraction=0.4).fit(TRAIN)
    assert found.offset_ == pytest.approx(np.percentile(found.score_samples(TRAIN), 30), rel=1e-6)


def test_a_fitted_detector_can_be_pickled_and_cloned(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    assert clone(fitted).contamination == 0.1


@pytest.mark.parametrize("make", [linear, dense])
def test_without_a_threshold_there_is_no_decision(make):
    plain = make(None).fit(TRAIN)
    assert plain.score_samples(X[:3]).shape == (3,)
    for name in ("decision_function", "predict"):
        assert not hasattr(plain, name)
        assert hasattr(make(), name)
    assert not hasattr(plain, "offset_")
    with pytest.raises(NotFittedError):
        make().predict(X)
    for estimator in (plain.set_params(contamination=0.1), make().partial_fit(TRAIN)):
        with pytest.raises(NotFittedError, match="there is no threshold: call fit"):
            estimator.predict(X)
    refitted = make().fit(TRAIN).partial_fit(TRAIN)
    assert not hasattr(refitted, "offset_")


@pytest.mark.parametrize("contamination", [0, 0.6, -0.1, np.nan, "auto", True])
@pytest.mark.parametrize("make", [linear, dense])
def test_an_unsuitable_contamination_is_refused(make, contamination):
    with pytest.raises(ValueError, match="contamination must be a"):
        make().set_params(contamination=contamination).fit(TRAIN)


def test_a_singular_covariance_is_refused_with_advice():
    with pytest.raises(ValueError, match="use fewer components"):
        LinearAutoencoder(contamination=0.1).fit(TRAIN[:20])
