"""Losses against SciPy and closed forms in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from scipy.special import expit, log_expit, log_softmax, softmax

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


def test_a_confident_correct_logit_has_a_small_positive_loss():
    """The formula log(1 + e^a) − x a would round to zero here in float32."""
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
def test_the_link_of_the_minimiser_is_the_target(logit, x):
    """Loss and link agree: the loss of x is minimal at the output whose link is x."""
    for loss in (losses.squared, losses.squared_logistic, losses.bernoulli):
        best = x if loss is losses.squared else np.log(x / (1 - x))
        with jax.enable_x64(True):
            target = jnp.asarray(x)
            np.testing.assert_allclose(loss.mean(jnp.asarray(best)), x, rtol=1e-12)
            minimum = loss.elementwise(jnp.asarray(best), target)
            assert minimum <= loss.elementwise(jnp.asarray(logit), target) + 1e-15


@given(st.floats(-10, 10), st.floats(-0.999, 0.999))
def test_the_link_of_the_tanh_minimiser_is_the_target(output, x):
    loss = losses.squared_tanh
    with jax.enable_x64(True):
        best, target = jnp.asarray(np.arctanh(x)), jnp.asarray(x)
        np.testing.assert_allclose(loss.mean(best), x, rtol=1e-12, atol=1e-15)
        minimum = loss.elementwise(best, target)
        assert minimum <= loss.elementwise(jnp.asarray(output), target) + 1e-15


def test_supports():
    assert losses.squared_tanh.support == (-1.0, 1.0)
    assert losses.squared.support == (-np.inf, np.inf)
    assert losses.squared_logistic.support == losses.bernoulli.support == (0.0, 1.0)
    assert losses.categorical.support == (0.0, np.inf)
    assert losses.categorical_labels(classes=11).support == (0.0, 10.0)


@pytest.fixture
def classified(x64):
    """Logits of two 3×2 maps, one of them far in the tails, and the class of each pixel."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 2, 4)) * np.array([1.0, 500.0])[:, None, None, None]
    return jnp.asarray(logits), jnp.asarray(rng.integers(0, 4, size=(2, 3, 2)))


def test_cross_entropy_of_labels_and_one_hot_targets_matches_pytorch_and_scipy(classified):
    logits, labels = classified
    reference = torch.tensor(np.moveaxis(logits, -1, 1).copy(), requires_grad=True)
    expected = torch.nn.functional.cross_entropy(
        reference, torch.tensor(np.array(labels, int)), reduction="none"
    )
    expected.sum().backward()
    loss = losses.categorical_labels(classes=4)
    ours, back = jax.vjp(lambda logits: loss.elementwise(logits, labels), logits)
    np.testing.assert_allclose(ours, expected.detach(), rtol=1e-13)
    gradient = np.moveaxis(reference.grad.numpy(), 1, -1)
    np.testing.assert_allclose(back(jnp.ones_like(ours))[0], gradient, rtol=1e-12, atol=1e-14)
    one_hot = jax.nn.one_hot(labels, 4)
    terms = losses.categorical.elementwise(logits, one_hot)
    np.testing.assert_allclose(terms, -one_hot * log_softmax(np.asarray(logits), axis=-1))
    np.testing.assert_allclose(terms.sum(-1), ours, rtol=1e-13)


def test_the_link_of_the_categorical_losses_is_softmax(classified):
    logits, _ = classified
    for loss in (losses.categorical, losses.categorical_labels(classes=4)):
        np.testing.assert_allclose(loss.mean(logits), softmax(np.asarray(logits), axis=-1))


def test_invalid_labels_are_refused(classified):
    logits, labels = classified
    loss = losses.categorical_labels(classes=4)
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 3\]"):
        loss.elementwise(logits, labels + 4)
    with pytest.raises(ValueError, match="last axis of 4, got"):
        loss.elementwise(logits[..., :3], labels)
    with pytest.raises((ValueError, TypeCheckError), match="shape"):
        loss.elementwise(logits, labels[:, :2])
    with pytest.raises(ValueError, match="classes must be at least 2, got 1"):
        losses.categorical_labels(classes=1)


BLOCKS = [(losses.squared, 2), (losses.categorical, 3), (losses.bernoulli, 1), (losses.squared, 1)]


def test_a_loss_by_blocks_and_its_gradient_are_pytorchs():
    rng = np.random.default_rng(0)
    output = rng.normal(size=(6, 7)) * 3
    x = np.concatenate([rng.normal(size=(6, 2)), np.eye(3)[rng.integers(3, size=6)]], axis=1)
    x = np.concatenate([x, rng.random((6, 1)), rng.normal(size=(6, 1))], axis=1)
    given, target = torch.tensor(output, requires_grad=True), torch.tensor(x)
    parts = [
        torch.nn.functional.mse_loss(given[:, :2], target[:, :2], reduction="sum"),
        torch.nn.functional.cross_entropy(given[:, 2:5], target[:, 2:5], reduction="sum"),
        torch.nn.functional.binary_cross_entropy_with_logits(
            given[:, 5], target[:, 5], reduction="sum"
        ),
        torch.nn.functional.mse_loss(given[:, 6], target[:, 6], reduction="sum"),
    ]
    sum(parts).backward()
    loss = losses.by_blocks(BLOCKS)
    with jax.enable_x64(True):
        output, x = jnp.asarray(output), jnp.asarray(x)
        value, gradient = jax.value_and_grad(lambda o: loss.elementwise(o, x).sum())(output)
        np.testing.assert_allclose(value, sum(part.item() for part in parts), rtol=1e-12)
        np.testing.assert_allclose(gradient, given.grad, rtol=1e-12, atol=1e-14)
        x_hat = np.asarray(loss.mean(output))
    np.testing.assert_allclose(x_hat[:, [0, 1, 6]], output[:, jnp.array([0, 1, 6])])
    np.testing.assert_allclose(x_hat[:, 2:5], softmax(output[:, 2:5], axis=1), rtol=1e-12)
    np.testing.assert_allclose(x_hat[:, 5], expit(output[:, 5]), rtol=1e-12)


def test_the_support_of_blocks_contains_those_of_all():
    assert losses.by_blocks(BLOCKS).support == (-np.inf, np.inf)
    two = losses.by_blocks([(losses.squared_tanh, 1), (losses.bernoulli, 1)])
    assert two.support == (-1.0, 1.0)


def test_blocks_that_do_not_fit_are_refused():
    for blocks in ([], [(losses.squared, 0)]):
        with pytest.raises(ValueError, match="one or more blocks of at least one feature"):
            losses.by_blocks(blocks)
    with pytest.raises(ValueError, match=r"a last axis of 7, .*got shape \[4, 6\]"):
        losses.by_blocks(BLOCKS).elementwise(jnp.zeros((4, 7)), jnp.zeros((4, 6)))
