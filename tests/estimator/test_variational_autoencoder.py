"""`VariationalAutoencoder` against scikit-learn's probabilistic PCA, and its samples."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from aejax import losses
from aejax.estimator import VariationalAutoencoder

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(400, 2)) @ RNG.normal(size=(2, 5)) + 0.4 * RNG.normal(size=(400, 5))).astype(
    "float32"
)
UNIT = ((X - X.min(axis=0)) / np.ptp(X, axis=0)).astype("float32")


def small(**settings) -> VariationalAutoencoder:
    return VariationalAutoencoder(
        **{"hidden_layer_sizes": 4, "max_iter": 3, "random_state": 0} | settings
    )


@pytest.fixture(scope="module")
def linear() -> VariationalAutoencoder:
    return VariationalAutoencoder(
        2,
        hidden_layer_sizes=(),
        learning_rate=0.03,
        batch_size=400,
        max_iter=1000,
        random_state=0,
    ).fit(X)


def test_a_linear_one_has_the_log_likelihood_of_probabilistic_pca(linear):
    """scikit-learn's closed form for the same number of components; the optima coincide."""
    best = PCA(2).fit(X)
    assert linear.score(X) == pytest.approx(best.score(X), abs=0.03)
    assert PCA(1).fit(X).score(X) < best.score(X) - 0.2  # the control
    correlation = np.corrcoef(linear.score_samples(X), best.score_samples(X))[0, 1]
    assert correlation > 0.99


def test_samples_of_a_linear_one_have_mean_and_covariance_of_the_signal(linear):
    found = linear.sample(20_000)
    assert found.shape == (20_000, 5)
    assert found.dtype == np.float32
    best = PCA(2).fit(X)
    signal = best.get_covariance() - best.noise_variance_ * np.eye(5)
    np.testing.assert_allclose(found.mean(axis=0), X.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(np.cov(found.T), signal, atol=0.06 * signal.max())
    np.testing.assert_array_equal(linear.sample(3), linear.sample(3))


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "bernoulli"},
        {"loss": "continuous-bernoulli", "n_samples": 3},
        {"loss": losses.squared, "beta": 0.1},
        {"free_bits": 0.05, "early_stopping": True, "contamination": 0.1},
    ],
)
def test_each_setting_trains_encodes_scores_and_survives_a_pickle(settings):
    model = small(**settings).fit(UNIT)
    assert model.history_[-1]["loss"] < model.history_[0]["loss"]
    assert model.transform(UNIT).shape == (400, 2)
    assert model.inverse_transform(model.transform(UNIT)).shape == UNIT.shape
    scores = model.score_samples(UNIT)
    assert scores.shape == (400,)
    if not isinstance(settings.get("loss"), type(losses.squared)):
        restored = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(restored.score_samples(UNIT), scores)
        assert clone(model).get_params() == model.get_params()
    if "contamination" in settings:
        assert 0.05 < np.mean(model.predict(UNIT) == -1) < 0.15


def test_a_larger_beta_lowers_the_divergence():
    divergences = [
        small(beta=beta, learning_rate=0.01, max_iter=60).fit(X).history_[-1]["divergence"]
        for beta in (0.1, 10.0)
    ]
    assert divergences[0] > 2 * divergences[1]


def test_wrong_settings_and_samples_are_refused():
    with pytest.raises(ValueError, match="no loss is called 'squared'; there are gaussian"):
        small(loss="squared").fit(X)
    for settings in ({"beta": 2.0}, {"free_bits": 0.1}):
        with pytest.raises(ValueError, match="use beta=1 and free_bits=0 with n_samples=2"):
            small(n_samples=2, **settings).fit(X)
    with pytest.raises(NotFittedError):
        small().sample()
    fitted = small(max_iter=1).fit(X)
    for count in (0, True):
        with pytest.raises(ValueError, match="n_samples must be an integer of at least 1"):
            fitted.sample(count)
    with pytest.raises(ValueError, match="hidden_layer_sizes is"):
        fitted.set_params(warm_start=True, hidden_layer_sizes=3).fit(X)
