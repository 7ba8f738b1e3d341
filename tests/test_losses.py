"""Losses against SciPy and closed forms in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, log_expit

from aejax import losses

LOGITS = np.array([-800.0, -90.0, -20.0, -1.0, 0.0, 0.5, 20.0, 90.0, 800.0])
TARGETS = np.array([0.0, 1e-9, 0.25, 0.5, 1.0])


@pytest.fixture
def grid(x64):
    logits, targets = np.meshgrid(LOGITS, TARGETS)
    return jnp.asarray(logits), jnp.asarray(targets)


def test_bernoulli_cross_entropy_is_scipys_in_both_tails(grid):
    logits, x = grid
    expected = -x * log_expit(np.asarray(logits)) - (1 - x) * log_expit(-np.asarray(logits))
    np.testing.assert_allclose(losses.bernoulli_cross_entropy(logits, x), expected, rtol=1e-14)


def test_bernoulli_gradient_is_reconstruction_minus_target(grid):
    logits, x = grid
    gradient = jax.grad(lambda logits: losses.bernoulli_cross_entropy(logits, x).sum())(logits)
    np.testing.assert_allclose(gradient, expit(np.asarray(logits)) - x, atol=1e-15)


def test_a_confident_correct_logit_keeps_its_small_loss():
    """log(1 + e^a) − x a would round to zero here in float32."""
    loss = losses.bernoulli_cross_entropy(jnp.float32(20.0), jnp.float32(1.0))
    np.testing.assert_allclose(loss, np.exp(-20.0), rtol=1e-6)


def test_squared_errors_have_no_half(grid):
    logits, x = grid
    np.testing.assert_allclose(losses.squared_error(logits, x), (logits - x) ** 2)
    np.testing.assert_allclose(
        losses.squared_error_from_logits(logits, x),
        (expit(np.asarray(logits)) - x) ** 2,
        rtol=1e-14,
    )
    np.testing.assert_allclose(
        losses.squared_error_from_tanh(logits, 2 * x - 1),
        (np.tanh(np.asarray(logits)) - (2 * x - 1)) ** 2,
        rtol=1e-14,
        atol=1e-30,
    )


@given(st.floats(-30, 30), st.floats(0.001, 0.999))
def test_the_mean_of_a_loss_is_where_it_is_least(logit, x):
    """Loss and link agree: no output does better on x than the one whose mean is x."""
    for loss in (losses.squared, losses.squared_logistic, losses.bernoulli):
        best = x if loss is losses.squared else np.log(x / (1 - x))
        with jax.enable_x64(True):
            target = jnp.asarray(x)
            np.testing.assert_allclose(loss.mean(jnp.asarray(best)), x, rtol=1e-12)
            least = loss.elementwise(jnp.asarray(best), target)
            assert least <= loss.elementwise(jnp.asarray(logit), target) + 1e-15


@given(st.floats(-10, 10), st.floats(-0.999, 0.999))
def test_the_mean_of_the_tanh_loss_is_where_it_is_least(output, x):
    loss = losses.squared_tanh
    with jax.enable_x64(True):
        best, target = jnp.asarray(np.arctanh(x)), jnp.asarray(x)
        np.testing.assert_allclose(loss.mean(best), x, rtol=1e-12, atol=1e-15)
        least = loss.elementwise(best, target)
        assert least <= loss.elementwise(jnp.asarray(output), target) + 1e-15


def test_supports():
    assert losses.squared_tanh.support == (-1.0, 1.0)
    assert losses.squared.support == (-np.inf, np.inf)
    assert losses.squared_logistic.support == losses.bernoulli.support == (0.0, 1.0)
