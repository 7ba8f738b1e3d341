"""The course's backpropagation formulas, written in NumPy, against `jax.grad` in float64.

One hidden layer: h = σ(x W + b), a = h W* + c, x̂ = g(a). With m examples and the loss summed over
features and averaged over examples, δ_a = ∂L/∂a, the chain rule gives
∂L/∂W* = hᵀ δ_a, ∂L/∂c = Σ δ_a, δ_h = (δ_a W*ᵀ) h (1 − h), ∂L/∂W = xᵀ δ_h, ∂L/∂b = Σ δ_h.
"""

import jax
import numpy as np
import pytest
from scipy.special import expit

import aejax
from aejax import Batch, losses, penalties

EXAMPLES = 9


@pytest.fixture
def case(x64):
    model = aejax.dense((6, 4))
    params = jax.tree.map(lambda leaf: leaf + 0.1, model.init(jax.random.key(0)))
    x = jax.random.uniform(jax.random.key(1), (EXAMPLES, 6))
    return model, params, x


def layers_of(params):
    return [
        np.asarray(params[side]["layer_0"][leaf])
        for side in ("encoder", "decoder")
        for leaf in ("kernel", "bias")
    ]


def output_error(loss, a, x):
    """δ_a: 2 (x̂ − x)/m for the squared error, (x̂ − x)/m for the cross-entropy."""
    if loss is losses.squared:
        return 2 * (a - x) / EXAMPLES
    if loss is losses.squared_logistic:
        return 2 * (expit(a) - x) * expit(a) * (1 - expit(a)) / EXAMPLES
    return (expit(a) - x) / EXAMPLES


def by_hand(loss, params, x, code_error=0.0):
    kernel, bias, decoder_kernel, decoder_bias = layers_of(params)
    h = expit(x @ kernel + bias)
    delta_a = output_error(loss, h @ decoder_kernel + decoder_bias, x)
    delta_h = (delta_a @ decoder_kernel.T + code_error) * h * (1 - h)
    return [x.T @ delta_h, delta_h.sum(0), h.T @ delta_a, delta_a.sum(0)]


@pytest.mark.parametrize("loss", [losses.squared, losses.squared_logistic, losses.bernoulli])
def test_gradients_of_the_loss(case, loss):
    model, params, x = case
    objective = aejax.objective(model, loss)
    gradient = jax.grad(lambda params: objective(params, Batch(x), jax.random.key(0))[0])(params)
    for found, expected in zip(
        layers_of(gradient), by_hand(loss, params, np.asarray(x)), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_gradient_of_kl_sparsity_reaches_the_kernel_through_the_mean_code(case):
    """∂Ω/∂h = (−ρ/ρ̂ + (1−ρ)/(1−ρ̂))/m: the 1/m is there because ρ̂ is a mean over examples."""
    model, params, x = case
    rho, weight = 0.05, 3.0
    penalised = {"sparsity": (weight, penalties.kl_sparsity(rho=rho))}
    objective = aejax.objective(model, losses.bernoulli, penalties=penalised)
    gradient = jax.grad(lambda params: objective(params, Batch(x), jax.random.key(0))[0])(params)
    kernel, bias, *_ = layers_of(params)
    rho_hat = expit(np.asarray(x) @ kernel + bias).mean(axis=0)
    code_error = weight * (-rho / rho_hat + (1 - rho) / (1 - rho_hat)) / EXAMPLES
    expected = by_hand(losses.bernoulli, params, np.asarray(x), code_error)
    for found, wanted in zip(layers_of(gradient), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)


def test_gradient_of_l2_is_twice_the_weight_times_the_kernel(case):
    model, params, x = case
    objective = aejax.objective(model, losses.squared, penalties={"decay": (0.3, penalties.l2())})
    plain = aejax.objective(model, losses.squared)
    gradients = [
        jax.grad(lambda params, j=j: j(params, Batch(x), jax.random.key(0))[0])(params)
        for j in (objective, plain)
    ]
    decay = jax.tree.map(lambda a, b: a - b, *gradients)
    kernel, _, decoder_kernel, _ = layers_of(params)
    expected = [0.6 * kernel, np.zeros(4), 0.6 * decoder_kernel, np.zeros(6)]
    for found, wanted in zip(layers_of(decay), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)
