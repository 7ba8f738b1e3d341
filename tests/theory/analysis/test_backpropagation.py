"""Manual backpropagation against `jax.grad` of the objective and finite differences."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax import Batch, losses, penalties
from aejax.theory.analysis import backpropagation

FEATURES, UNITS, EXAMPLES = 6, 4, 9
RHO = 0.05
LOSSES = {
    "squared error": (losses.squared, backpropagation.squared_output_error),
    "squared error, logistic": (losses.squared_logistic, backpropagation.logistic_output_error),
    "cross-entropy": (losses.bernoulli, backpropagation.cross_entropy_output_error),
}
PENALTIES = {
    "l2": (penalties.l2(), lambda params, x: backpropagation.l2_gradient(params)),
    "kl sparsity": (
        penalties.kl_sparsity(rho=RHO),
        lambda params, x: backpropagation.kl_sparsity_gradient(params, x, rho=RHO),
    ),
    "contractive": (penalties.contractive(), backpropagation.contractive_gradient),
}
UNTIED, TIED = (aejax.dense((FEATURES, UNITS), tied=tied) for tied in (False, True))


@pytest.fixture
def x(x64):
    return jnp.asarray(np.random.default_rng(1).uniform(size=(EXAMPLES, FEATURES)))


@pytest.fixture
def params(x64):
    generator = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: jnp.asarray(0.5 * generator.normal(size=leaf.shape)),
        jax.eval_shape(UNTIED.init, jax.random.key(0)),
    )


def tied(params):
    return params | {"decoder": {"layer_0": {"bias": params["decoder"]["layer_0"]["bias"]}}}


def value_of(model, loss, x, **terms):
    objective = aejax.objective(model, loss, penalties=terms)
    return lambda params: objective(params, Batch(x), jax.random.key(0))[0]


def penalty_of(model, name, x):
    """The penalty as a function of the parameters, averaged over the batch."""
    penalty, _ = PENALTIES[name]

    def value(params):
        objective = aejax.objective(model, losses.squared)
        return jnp.mean(penalty(aejax.forward(objective, params, Batch(x), jax.random.key(0))))

    return value


def finite_differences(function, params, step=1e-5):
    """Central differences of a scalar function with respect to every parameter, in float64."""
    flat, unflatten = jax.flatten_util.ravel_pytree(params)
    value = jax.jit(lambda flat: function(unflatten(flat)))
    steps = step * np.eye(len(flat))
    return unflatten(jnp.asarray([(value(flat + e) - value(flat - e)) / (2 * step) for e in steps]))


def assert_same(found, expected, tolerance=1e-12):
    """Compare all leaves, with a tolerance relative to the largest entry of the gradient."""
    scale = max(np.abs(leaf).max() for leaf in jax.tree.leaves(expected))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale),
        found,
        expected,
    )


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_the_loss(params, x, name):
    loss, output_error = LOSSES[name]
    found = backpropagation.loss_gradient(params, x, output_error)
    value = value_of(UNTIED, loss, x)
    assert_same(found, jax.jit(jax.grad(value))(params))
    assert_same(found, finite_differences(value, params), tolerance=1e-8)


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_of_a_tied_kernel_is_the_sum_over_both_uses(params, x, name):
    loss, output_error = LOSSES[name]
    shared = tied(params)
    untied = backpropagation.loss_gradient(aejax.untied(shared), x, output_error)
    found = backpropagation.tied_gradient(untied)
    assert_same(found, jax.jit(jax.grad(value_of(TIED, loss, x)))(shared))
    encoder_alone = untied["encoder"]["layer_0"]["kernel"]
    assert np.abs(found["encoder"]["layer_0"]["kernel"] - encoder_alone).max() > 0.01


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("model", [UNTIED, TIED], ids=["untied", "tied"])
def test_gradients_of_the_penalties(params, x, name, model):
    params = params if model is UNTIED else tied(params)
    found = PENALTIES[name][1](params, x)
    value = penalty_of(model, name, x)
    assert_same(found, jax.jit(jax.grad(value))(params))
    assert_same(found, finite_differences(value, params), tolerance=1e-8)


def test_the_gradients_of_the_terms_sum_to_that_of_the_objective(params, x):
    weights = {"l2": 0.3, "kl sparsity": 3.0, "contractive": 0.1}
    terms = {name: (weight, PENALTIES[name][0]) for name, weight in weights.items()}
    expected = jax.jit(jax.grad(value_of(UNTIED, losses.bernoulli, x, **terms)))(params)
    found = backpropagation.loss_gradient(params, x, backpropagation.cross_entropy_output_error)
    for name, weight in weights.items():
        gradient = PENALTIES[name][1](params, x)
        found = jax.tree.map(lambda a, b, weight=weight: a + weight * b, found, gradient)
    assert_same(found, expected)


def test_the_derivative_of_the_mean_code_is_a_mean_over_examples(params, x):
    """∂ρ̂_l/∂W_jl = (1/m) Σ_i h_il (1 − h_il) x_ij, not one example's term and not the sum."""

    def mean_code(kernel):
        layer = params["encoder"]["layer_0"] | {"kernel": kernel}
        return UNTIED.encode({"encoder": {"layer_0": layer}}, x).mean(axis=0)

    jacobian = jax.jacobian(mean_code)(params["encoder"]["layer_0"]["kernel"])
    found = np.einsum("ljl->jl", jacobian)
    h = np.asarray(UNTIED.encode(params, x))
    one_example = np.einsum("il,ij->ijl", h * (1 - h), np.asarray(x))
    np.testing.assert_allclose(found, one_example.mean(0), rtol=1e-12)
    assert np.abs(found - one_example[0]).max() > 0.01
    assert np.abs(found - one_example.sum(0)).max() > 0.1


def test_the_gradient_of_l2_is_twice_the_weight_times_the_kernel(params, x):
    weight = 0.3
    value = value_of(UNTIED, losses.squared, x, decay=(weight, penalties.l2()))
    plain = value_of(UNTIED, losses.squared, x)
    decay = jax.grad(lambda params: value(params) - plain(params))(params)
    for side in ("encoder", "decoder"):
        kernel, bias = (params[side]["layer_0"][leaf] for leaf in ("kernel", "bias"))
        np.testing.assert_allclose(decay[side]["layer_0"]["kernel"], 2 * weight * kernel, rtol=1e-9)
        np.testing.assert_array_equal(decay[side]["layer_0"]["bias"], 0 * bias)
