"""Sparse codes against dense products in float64 NumPy, and against the dense dictionary."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads

import aejax
from aejax import losses, models, training
from aejax.layers.sparse_codes import SparseCode, dense_code, largest_units, sparse_product

BATCH, FEATURES, UNITS, K = 7, 5, 16, 3


def drawn():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(BATCH, FEATURES))
    kernel = generator.normal(size=(FEATURES, UNITS))
    centre = generator.normal(size=FEATURES)
    bias = generator.normal(size=UNITS)
    return tuple(map(jnp.asarray, (x, centre, kernel, bias)))


def numpy_code(*inputs):
    x, centre, kernel, bias = map(np.asarray, inputs)
    z = np.maximum((x - centre) @ kernel + bias, 0)
    least = np.sort(z, axis=1)[:, -K][:, None]
    return np.where(z >= least, z, 0)


def test_the_code_is_that_of_numpy(x64):
    code = largest_units(*drawn(), K)
    assert code.values.shape == code.indices.shape == (BATCH, K)
    np.testing.assert_allclose(dense_code(code, units=UNITS), numpy_code(*drawn()), atol=1e-14)


def test_the_product_and_its_gradients_are_those_of_dense_matrices(x64):
    generator = np.random.default_rng(1)
    h, kernel = numpy_code(*drawn()), generator.normal(size=(UNITS, FEATURES))
    gradient = generator.normal(size=(BATCH, FEATURES))
    code = largest_units(*drawn(), K)
    product, pullback = jax.vjp(sparse_product, code, jnp.asarray(kernel))
    np.testing.assert_allclose(product, h @ kernel, atol=1e-13)
    to_code, to_kernel = pullback(jnp.asarray(gradient))
    np.testing.assert_allclose(to_kernel, h.T @ gradient, atol=1e-13)
    expected = np.take_along_axis(gradient @ kernel.T, np.asarray(code.indices), axis=1)
    np.testing.assert_allclose(to_code.values, expected, atol=1e-13)


def test_gradients_agree_with_finite_differences(x64):
    kernel = jnp.asarray(np.random.default_rng(2).normal(size=(UNITS, FEATURES)))

    @jax.jit
    def function(*inputs):
        return sparse_product(largest_units(*inputs[:4], K), inputs[4])

    check_grads(function, (*drawn(), kernel), order=1, modes=["rev"], atol=1e-6, rtol=1e-6)


def test_units_that_are_not_positive_have_no_gradient(x64):
    x, centre, kernel, _ = drawn()
    none = jax.grad(lambda bias: largest_units(x, centre, kernel, bias, K).values.sum())(
        jnp.full(UNITS, -100.0)
    )
    assert not none.any()


def test_one_unit_twice_in_a_batch_accumulates_its_gradient():
    code = SparseCode(jnp.array([[2.0], [3.0]]), jnp.array([[1], [1]]))
    gradient = jax.grad(lambda kernel: sparse_product(code, kernel).sum())(jnp.ones((4, 2)))
    assert gradient.tolist() == [[0, 0], [5, 5], [0, 0], [0, 0]]


@pytest.mark.parametrize("centred", [True, False])
def test_training_is_that_of_the_dense_dictionary(centred, x64):
    x = jax.random.normal(jax.random.key(0), (64, FEATURES))
    ends = []
    for model in (
        models.top_k_dictionary(FEATURES, UNITS, k=K, centred=centred),
        aejax.dictionary(FEATURES, UNITS, activation=aejax.top_k_relu(k=K), centred=centred),
    ):
        objective = aejax.objective(model, losses.squared)
        state, history = training.fit(
            objective, optax.adam(1e-2), x, key=0, epochs=3, batch_size=16
        )
        ends.append((state.params, [record["loss"] for record in history]))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), *ends)


def test_a_population_is_each_member_alone(x64):
    x = jax.random.normal(jax.random.key(0), (32, FEATURES))
    rates = jnp.array([1e-2, 3e-2])
    objective = aejax.objective(models.top_k_dictionary(FEATURES, UNITS, k=K), losses.squared)
    settings = {"epochs": 2, "batch_size": 16}
    states, _ = training.fit_population(
        lambda rate: (objective, optax.adam(rate)), x, hyperparameters=rates, key=0, **settings
    )
    keys = jax.random.split(jax.random.key(0), 2)
    for member, rate in enumerate(rates):
        alone, _ = training.fit(objective, optax.adam(rate), x, key=keys[member], **settings)
        jax.tree.map(
            lambda together, one, member=member: np.testing.assert_allclose(
                together[member], one, atol=1e-12
            ),
            states.params,
            alone.params,
        )


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="k of top_k_dictionary"):
        models.top_k_dictionary(4, 8, k=9)
    model = models.top_k_dictionary(4, 8, k=2)
    params = model.init(jax.random.key(0))
    with pytest.raises(ValueError, match=r"expected an array \[batch, 4\]"):
        model.encode(params, jnp.ones((2, 5)))
    with pytest.raises(ValueError, match="decodes a SparseCode"):
        model.decode(params, jnp.ones((2, 8)))
