"""Logistic PCA against SciPy's minimiser of the objective in NumPy."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from sklearn.datasets import load_digits

from aejax import theory
from aejax.theory.analysis import logistic_pca

RIDGE = 0.05
X = np.clip(np.random.default_rng(0).normal(0.5, 0.6, size=(17, 5)), 0, 1)
X[:, 4] = 0.0  # without the ridge there is no minimum


def objective(components, bias, codes, x=X):
    """The loss of the docstring, in NumPy."""
    theta = codes @ components + bias
    each = np.sum(np.logaddexp(0, theta) - x * theta, axis=1)
    each += RIDGE / 2 * np.sum(codes**2, axis=1)
    return each.mean() + RIDGE / 2 * (np.sum(components**2) + np.sum(bias**2))


def fitted(x64_x, **options):
    settings = {"ridge": RIDGE, "tolerance": 1e-14, "max_steps": 5000} | options
    return theory.logistic_pca(jax.random.key(0), x64_x, 2, **settings)


@pytest.fixture(scope="module")
def fit():
    with jax.enable_x64(True):
        found = fitted(jnp.asarray(X))
        codes = theory.logistic_codes(found, jnp.asarray(X), ridge=RIDGE, steps=400)
        x_hat = theory.logistic_reconstruction(found, codes)
    return jax.tree.map(np.asarray, found), np.asarray(codes), np.asarray(x_hat)


def test_it_converges_to_scipys_minimum(fit):
    found, codes, _ = fit
    assert found.converged
    assert found.loss == pytest.approx(objective(found.components, found.bias, codes), rel=1e-9)

    def of_flat(flat):
        return objective(flat[:10].reshape(2, 5), flat[10:15], flat[15:].reshape(17, 2))

    start = np.random.default_rng(1).normal(size=49)
    reference = scipy.optimize.minimize(of_flat, start, options={"gtol": 1e-9})
    assert found.loss == pytest.approx(reference.fun, rel=1e-8)


def test_codes_equal_scipys_minimisers(fit):
    found, codes, _ = fit
    for row, code in zip(X[:4], codes, strict=False):

        def loss(code, row=row):
            return objective(found.components, found.bias, code[None], row[None])

        reference = scipy.optimize.minimize(loss, np.zeros(2), options={"gtol": 1e-10})
        np.testing.assert_allclose(code, reference.x, atol=1e-6)


def test_a_feature_that_is_always_zero_has_finite_parameters(fit):
    found, codes, x_hat = fit
    assert np.isfinite(found.components).all()
    assert 0 < x_hat[:, 4].max() < 0.2
    theta = codes @ found.components + found.bias
    np.testing.assert_allclose(x_hat, 1 / (1 + np.exp(-theta)), rtol=1e-12)


def test_the_curvature_of_the_bound_is_exact_near_zero(x64):
    theta = np.concatenate([-np.geomspace(40, 1e-9, 200), [0.0], np.geomspace(1e-9, 40, 200)])
    exact = np.append(theta, 1.0)[np.append(theta, 1.0) != 0].astype(np.longdouble)
    found = np.asarray(logistic_pca._curvature(jnp.asarray(exact.astype(np.float64))))
    np.testing.assert_allclose(found, (np.tanh(exact / 2) / (2 * exact)).astype(float), rtol=1e-10)
    assert float(logistic_pca._curvature(jnp.zeros(()))) == 0.25


def test_the_bound_is_tight_at_both_signs_and_an_upper_bound_elsewhere(x64):
    """log(1 + e^θ) ≤ log(1 + e^t) + (θ − t)/2 + w(t) (θ² − t²)/2."""
    theta, touched = jnp.linspace(-6, 6, 97), jnp.array([[0.3], [2.0], [-4.0]])
    weight = logistic_pca._curvature(touched)
    bound = jax.nn.softplus(touched) + (theta - touched) / 2
    bound = bound + weight * (theta**2 - touched**2) / 2
    assert np.all(np.asarray(bound - jax.nn.softplus(theta)) > -1e-12)


def test_padding_rows_have_zero_weight(x64):
    rows, weights = logistic_pca._batches(jnp.asarray(X), 5)
    assert rows.shape == (4, 5, 5)
    np.testing.assert_array_equal(np.asarray(rows).reshape(-1, 5)[:17], X)
    np.testing.assert_array_equal(np.ravel(weights), np.arange(20) < 17)
    assert logistic_pca._batches(jnp.asarray(X), 17)[0].shape == (1, 17, 5)


def test_the_fit_stops_when_the_decrease_is_within_the_tolerance(x64):
    found = fitted(jnp.asarray(X), tolerance=1e-4)
    assert found.converged
    one, two, three = (
        fitted(jnp.asarray(X), tolerance=1e-4, max_steps=found.steps - i) for i in (0, 1, 2)
    )
    assert (two.steps, two.converged, one.converged) == (found.steps - 1, False, True)
    assert two.loss - one.loss <= 1e-4 * one.loss
    assert three.loss - two.loss > 1e-4 * two.loss


def test_codes_and_fit_have_the_same_default_ridge():
    fit, codes = (
        inspect.signature(f).parameters for f in (theory.logistic_pca, theory.logistic_codes)
    )
    assert fit["ridge"].default == codes["ridge"].default


def test_the_loss_decreases_in_every_pass(x64):
    losses = [fitted(jnp.asarray(X), max_steps=steps).loss for steps in range(1, 12)]
    assert (np.diff(losses) < 0).all()


def test_the_result_does_not_depend_on_the_batch_size(x64):
    full, batched = (fitted(jnp.asarray(X), batch_size=size, max_steps=20) for size in (17, 5))
    np.testing.assert_allclose(full.components, batched.components, rtol=1e-9)
    np.testing.assert_allclose(full.loss, batched.loss, rtol=1e-12)
    codes, same = (theory.logistic_codes(full, jnp.asarray(X), batch_size=size) for size in (17, 4))
    assert codes.shape == same.shape == (17, 2)
    np.testing.assert_allclose(codes, same, rtol=1e-9)


def test_it_beats_pca_on_held_out_digits_in_float32():
    x = jnp.asarray(load_digits().data / 16, jnp.float32)
    found = theory.logistic_pca(jax.random.key(0), x[:1400], 10)
    assert found.components.dtype == found.loss.dtype == jnp.float32
    x_hat = theory.logistic_reconstruction(found, theory.logistic_codes(found, x[1400:]))
    analysis = theory.pca(x[:1400])
    centred = np.asarray(x[1400:]) - analysis.mean
    left = centred - centred @ analysis.components[:10].T @ analysis.components[:10]
    assert float(jnp.sum(jnp.square(x_hat - x[1400:]))) < 0.85 * np.sum(left**2)


@pytest.mark.parametrize(
    ("x", "code", "options", "message"),
    [
        (2 * X, 2, {}, r"values in \[0, 1\]"),
        (X * np.nan, 2, {}, r"values in \[0, 1\]"),
        (X[:0], 2, {}, r"\[examples, features\]"),
        (X, 0, {}, "at least 1 and ridge positive, got 0"),
        (X, 2, {"ridge": 0.0}, "got 2 and 0.0"),
    ],
)
def test_invalid_input_is_rejected(x, code, options, message):
    with pytest.raises(ValueError, match=message):
        theory.logistic_pca(jax.random.key(0), jnp.asarray(x), code, **options)
