"""Penalties against SciPy, finite differences, and one another."""

from collections import namedtuple
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import entropy, norm

import aejax
from aejax import Batch, losses, models, penalties


def record_of(model: aejax.Autoencoder, x: jax.Array) -> aejax.Pass:
    params = model.init(jax.random.key(0))
    return aejax.forward(
        aejax.objective(model, losses.squared), params, Batch(x), jax.random.key(1)
    )


@pytest.fixture
def record(x64):
    return record_of(aejax.dense((5, 3)), jax.random.normal(jax.random.key(2), (7, 5)))


def test_l2_sums_squared_kernels_and_no_biases(record):
    params = jax.tree.map(lambda leaf: leaf + 1.0, record.params)
    kernels = [params[side]["layer_0"]["kernel"] for side in ("encoder", "decoder")]
    expected = sum(np.sum(np.square(kernel)) for kernel in kernels)
    np.testing.assert_allclose(penalties.l2()(record._replace(params=params)), expected)


def test_l2_counts_a_tied_kernel_once():
    record = record_of(aejax.dense((5, 3), tied=True), jnp.ones((1, 5)))
    kernel = record.params["encoder"]["layer_0"]["kernel"]
    np.testing.assert_allclose(penalties.l2()(record), np.sum(np.square(kernel)), rtol=1e-6)


def test_l2_without_a_kernel_is_refused_unless_weights_are_selected(record):
    """Equinox names them `weight`, in objects with attributes."""
    Layer = namedtuple("Layer", ["weight", "bias"])
    layer = record.params["encoder"]["layer_0"]
    named = record._replace(params={"encoder": Layer(layer["kernel"], layer["bias"])})
    with pytest.raises(ValueError, match=r"no kernel: .*leaves are \['encoder'\]\.weight, \['enco"):
        penalties.l2()(named)
    chosen = penalties.l2(select=lambda params: [params["encoder"].weight])
    np.testing.assert_allclose(chosen(named), np.sum(np.square(layer["kernel"])))
    with pytest.raises(ValueError, match="whose leaves are none"):
        penalties.l2()(record._replace(params={}))


@pytest.mark.parametrize("params", [{}, (1,), {"encoder": []}, {"encoder": {"layer_0": {}}}])
def test_contractive_logistic_refuses_other_params(record, params):
    with pytest.raises(
        ValueError, match="needs an encoder of one logistic dense layer, with the params"
    ):
        penalties.contractive_logistic()(record._replace(params=params))


def test_l2_finds_kernels_that_are_attributes(record):
    Layer = namedtuple("Layer", ["kernel", "bias"])
    layer = record.params["encoder"]["layer_0"]
    found = penalties.l2()(record._replace(params=[Layer(layer["kernel"], layer["bias"])]))
    np.testing.assert_allclose(found, np.sum(np.square(layer["kernel"])))


def test_l1_is_the_codes_one_norm(record):
    np.testing.assert_allclose(penalties.l1()(record), np.linalg.norm(record.code, 1, axis=1))


def test_select_penalises_one_array_of_the_code(record):
    nested = record._replace(code={"mean": -2 * record.code, "other": None})
    picked = penalties.l1(select=lambda code: code["mean"])(nested)
    np.testing.assert_allclose(picked, 2 * penalties.l1()(record))


@pytest.mark.parametrize(
    "penalty",
    [penalties.l1(), penalties.kl_sparsity(rho=0.1), penalties.l1(select=lambda code: None)],
)
def test_a_penalty_on_a_code_of_several_arrays_asks_for_a_selection(record, penalty):
    nested = record._replace(code={"mean": record.code, "other": record.code})
    with pytest.raises(ValueError, match=r"applies to one array, got .*; choose one with select="):
        penalty(nested)


def test_bernoulli_kl_matches_scipys_entropy(x64):
    for rho in (0.0, 0.05, 0.5, 1.0):
        for rho_hat in (0.01, 0.05, 0.7):
            expected = entropy([rho, 1 - rho], [rho_hat, 1 - rho_hat])
            found = penalties.bernoulli_kl(rho, jnp.asarray([rho_hat]))
            np.testing.assert_allclose(found, [expected], rtol=1e-12, atol=1e-16)


def test_bernoulli_kl_has_its_minimum_zero_at_rho_and_the_courses_derivative(x64):
    rho, rho_hat = 0.2, jnp.linspace(0.01, 0.99, 197)
    value = penalties.bernoulli_kl(rho, rho_hat)
    assert rho_hat[np.argmin(value)] == pytest.approx(rho)
    assert value.min() == pytest.approx(0.0, abs=1e-15)
    derivative = jax.grad(lambda rho_hat: penalties.bernoulli_kl(rho, rho_hat).sum())(rho_hat)
    np.testing.assert_allclose(
        derivative, -rho / rho_hat + (1 - rho) / (1 - rho_hat), rtol=1e-9, atol=1e-14
    )


@pytest.mark.parametrize("x64", [False, True])
def test_bernoulli_kl_is_finite_for_dead_and_saturated_units(x64):
    with jax.enable_x64(x64):
        dead = jnp.asarray([0.0, 1.0])
        value, gradient = jax.value_and_grad(lambda r: penalties.bernoulli_kl(0.05, r).sum())(dead)
        assert np.isfinite(value)
        assert value > 10
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("rho_hat", [-0.1, 1.5, np.nan])
def test_bernoulli_kl_refuses_means_outside_0_and_1(rho_hat):
    with pytest.raises(ValueError, match=r"logistic code, must lie in \[0, 1\]"):
        penalties.bernoulli_kl(0.05, jnp.asarray([rho_hat]))


def test_kl_sparsity_uses_the_mean_over_the_batch(record):
    rho_hat = np.mean(record.code, axis=0)
    expected = sum(entropy([0.1, 0.9], [r, 1 - r]) for r in rho_hat)
    np.testing.assert_allclose(penalties.kl_sparsity(rho=0.1)(record), expected, rtol=1e-10)


@pytest.mark.parametrize("shift", [-0.01, 1.01, np.nan])
def test_kl_sparsity_refuses_codes_outside_0_and_1_even_if_their_mean_is_inside(record, shift):
    code = record.code.at[0, 0].set(shift)
    assert np.isnan(shift) or 0 < np.mean(code[:, 0]) < 1
    with pytest.raises(ValueError, match=r"this code ranges from .* or penalties\.l1"):
        penalties.kl_sparsity(rho=0.1)(record._replace(code=code))


@pytest.mark.parametrize("rho_hat", [1e-5, 1 - 1e-5])
def test_the_slope_of_bernoulli_kl_is_bounded_at_dead_and_saturated_units(rho_hat):
    slope = jax.grad(lambda r: penalties.bernoulli_kl(0.05, r))(jnp.float32(rho_hat))
    assert slope == pytest.approx(-0.05 / rho_hat + 0.95 / (1 - rho_hat), rel=1e-2)
    assert abs(slope) <= 1 / np.finfo(np.float32).eps


@pytest.mark.parametrize("sizes", [(5, 3), (3, 5), (4, 6, 2)])
def test_contractive_is_the_jacobian_by_finite_differences(sizes, x64):
    model = aejax.dense(sizes, activation=jax.nn.tanh)
    record = record_of(model, jax.random.normal(jax.random.key(3), (4, sizes[0])))
    found = penalties.contractive()(record)
    for example, value in zip(record.batch.x, found, strict=True):
        jacobian = approx_fprime(
            np.asarray(example),
            lambda x: np.asarray(model.encode(record.params, jnp.asarray(x)[None])[0]),
            1e-7,
        )
        np.testing.assert_allclose(value, np.sum(jacobian**2), rtol=1e-5)


def test_contractive_of_a_logistic_layer_is_its_closed_form(record):
    exact, closed = penalties.contractive(), penalties.contractive_logistic()
    np.testing.assert_allclose(exact(record), closed(record), rtol=1e-13)
    params = jax.tree.map(lambda leaf: 3 * leaf + 0.1, record.params)
    record = record._replace(params=params)
    np.testing.assert_allclose(exact(record), closed(record), rtol=1e-13)


def test_contractive_penalises_at_the_clean_input(record):
    shifted = record._replace(x_corrupted=record.x_corrupted + 1, code=record.code * 0)
    for penalty in (penalties.contractive(), penalties.contractive_logistic()):
        np.testing.assert_array_equal(penalty(shifted), penalty(record))


@pytest.mark.parametrize(
    ("model", "shape"),
    [(aejax.dense((5, 4, 3)), (1, 5)), (aejax.convolutional((5, 1), (1,)), (1, 5, 1))],
)
def test_contractive_logistic_refuses_a_deep_encoder_and_a_convolution(model, shape):
    record = record_of(model, jnp.ones(shape))
    with pytest.raises(ValueError, match=r"one logistic dense layer, .* use contractive\(\)"):
        penalties.contractive_logistic()(record)


def test_penalties_of_a_jacobian_refuse_a_code_of_several_arrays_before_any_derivative():
    model = models.top_k_dictionary(5, 8, k=2)
    record = record_of(model, jnp.ones((1, 5)))
    for penalty in (penalties.contractive(), penalties.contractive_estimated()):
        with pytest.raises(ValueError, match="applies to one array, got SparseCode"):
            penalty(record)
    base = aejax.dense((5, 3))
    record = record_of(models.vector_quantised(base, codewords=2, channels=3), jnp.ones((1, 5)))
    with pytest.raises(ValueError, match=r"activations of the layer as the code, \[batch, 3\]"):
        penalties.contractive_logistic()(record)


def gram_of(record: aejax.Pass) -> np.ndarray:
    """JᵀJ of each example."""
    jacobian = jax.vmap(jax.jacfwd(lambda x: record.model.encode(record.params, x[None])[0]))
    return np.einsum("bli,blj->bij", *[np.asarray(jacobian(record.batch.x))] * 2)


@pytest.mark.parametrize("probe", [jax.random.rademacher, jax.random.normal])
def test_hutchinsons_estimate_is_unbiased_and_has_its_variance(record, probe):
    def estimate(key: jax.Array) -> jax.Array:
        return penalties.contractive_estimated(probe=probe)(record._replace(key=key))

    draws = 20_000
    estimates = np.asarray(jax.vmap(estimate)(jax.random.split(jax.random.key(4), draws)))
    gram = gram_of(record)
    variance = 2 * np.sum(gram**2, axis=(1, 2))
    if probe is jax.random.rademacher:
        variance -= 2 * np.sum(np.einsum("bii->bi", gram) ** 2, axis=1)
    bound = norm.isf(0.5e-9) * np.sqrt(variance / draws)
    exact = penalties.contractive()(record)
    assert np.all(np.abs(estimates.mean(axis=0) - exact) <= bound)
    assert np.all(bound < 0.1 * exact)
    np.testing.assert_allclose(estimates.var(axis=0), variance, rtol=0.15)


def test_hutchinsons_estimate_is_the_mean_over_its_samples(record):
    x, key = record.batch.x, jax.random.key(5)
    together = penalties.estimated_squared_jacobian_norm(key, jnp.tanh, x, samples=3)
    one_by_one = [
        penalties.estimated_squared_jacobian_norm(key, jnp.tanh, x, samples=1, probe=fixed)
        for fixed in (
            lambda _, shape, dtype, key=key: jax.random.rademacher(key, shape, dtype)
            for key in jax.random.split(key, 3)
        )
    ]
    np.testing.assert_allclose(together, np.mean(one_by_one, axis=0), rtol=1e-12)


def test_rademacher_directions_are_exact_for_orthogonal_columns_of_the_jacobian(record):
    x = record.batch.x  # the Jacobian of tanh is diagonal, and so is JᵀJ
    found = penalties.estimated_squared_jacobian_norm(record.key, jnp.tanh, x, samples=1)
    np.testing.assert_allclose(found, np.sum(1 / np.cosh(x) ** 4, axis=1), rtol=1e-12)


def test_jacobian_change_matches_finite_differences(record):
    x, displacement = record.batch.x[:2], 0.3 * record.batch.x[2:4]
    encode = partial(record.model.encode, record.params)

    def jacobian(x: jax.Array) -> np.ndarray:
        return approx_fprime(
            np.asarray(x), lambda x: np.asarray(encode(jnp.asarray(x)[None])[0]), 1e-7
        )

    found = penalties.squared_jacobian_change(encode, x, displacement)
    for example, step, value in zip(x, displacement, found, strict=True):
        change = jacobian(example) - jacobian(example + step)
        np.testing.assert_allclose(value, np.sum(change**2), rtol=1e-4)


def test_higher_order_contraction_of_squares_has_the_known_mean(record):
    squares = record._replace(model=record.model._replace(encode=lambda params, x: x**2))
    sigma, samples = 0.3, 4000  # J = 2 diag x, so ‖J(x) − J(x + ε)‖² = 4 ‖ε‖²
    found = penalties.higher_order_contractive(sigma=sigma, samples=samples)(squares)
    features = record.batch.x.shape[1]
    expected, variance = 4 * features * sigma**2, 32 * features * sigma**4
    assert np.all(np.abs(found - expected) <= norm.isf(0.5e-9) * np.sqrt(variance / samples))
    assert len(np.unique(found)) == len(found)  # displacements differ between examples


def test_higher_order_contraction_of_a_linear_encoder_is_zero(x64):
    record = record_of(aejax.linear(5, 3), jnp.ones((2, 5)))
    found = penalties.higher_order_contractive(sigma=1.0)(record)
    np.testing.assert_allclose(found, 0, atol=1e-28)


@pytest.mark.parametrize(
    "make", [penalties.contractive_estimated, partial(penalties.higher_order_contractive, sigma=1)]
)
def test_fewer_than_one_sample_is_refused(make):
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        make(samples=0)


@pytest.mark.parametrize("sigma", [-0.1, np.nan, np.inf])
def test_higher_order_contraction_refuses_an_invalid_sigma(sigma):
    with pytest.raises(ValueError, match="sigma must lie in"):
        penalties.higher_order_contractive(sigma=sigma)


@pytest.mark.parametrize("rho", [-0.01, 1.01, np.nan])
def test_kl_sparsity_refuses_a_rho_outside_its_range(rho):
    with pytest.raises(ValueError, match=r"rho must lie in \[0, 1\]"):
        penalties.kl_sparsity(rho=rho)


def test_hyperparameters_may_be_vmapped(record):
    rhos = jnp.asarray([0.05, 0.2, 0.5])
    together = jax.vmap(lambda rho: penalties.kl_sparsity(rho=rho)(record))(rhos)
    one_by_one = [penalties.kl_sparsity(rho=float(rho))(record) for rho in rhos]
    np.testing.assert_allclose(together, one_by_one, rtol=1e-12)


def test_l2_refuses_names_and_masks(record):
    """A mask, as for optax, would add a constant: the number of its True entries."""
    for select in (
        lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
        lambda params: [jnp.ones((), bool)],
        lambda params: ["kernel"],
        lambda params: [3],
    ):
        with pytest.raises(ValueError, match="must return the penalised arrays, not their"):
            penalties.l2(select=select)(record)
    with pytest.raises(ValueError, match=r"select of penalties\.l2 is called with \(params\)"):
        penalties.l2(select=lambda: [])
