"""Mixed precision and rematerialisation: dtypes, values, gradients and memory."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import Batch, losses, penalties, training

KEY = jax.random.key(0)
X = jax.random.uniform(jax.random.key(1), (64, 8))
MODEL = aejax.dense((8, 16, 4))
TERMS = {"sparsity": (0.1, penalties.kl_sparsity(rho=0.1)), "decay": (1e-3, penalties.l2())}


def objective_of(model):
    return aejax.objective(model, losses.bernoulli, penalties=TERMS)


def dtypes_of(function, primitive, *inputs):
    """Operand dtypes of a primitive, anywhere in the jaxpr of a function."""
    found = set()

    def visit(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name == primitive:
                found.update(str(variable.aval.dtype) for variable in equation.invars)
            for inner in jax.tree.leaves(
                list(equation.params.values()), is_leaf=lambda leaf: hasattr(leaf, "jaxpr")
            ):
                if hasattr(inner, "jaxpr"):
                    visit(inner.jaxpr)

    visit(jax.make_jaxpr(function)(*inputs).jaxpr)
    return found


def test_matrix_products_are_in_bfloat16_and_the_loss_reduces_in_float32():
    objective = objective_of(aejax.mixed_precision(MODEL))

    def gradient(params, x):
        return jax.value_and_grad(objective, has_aux=True)(params, Batch(x), KEY)

    params = MODEL.init(KEY)
    assert dtypes_of(gradient, "low_precision_matmul", params, X) == {"bfloat16"}
    assert dtypes_of(gradient, "dot_general", params, X) == set()
    assert dtypes_of(lambda p, x: objective(p, Batch(x), KEY), "reduce_sum", params, X) == {
        "float32"
    }
    results = jax.eval_shape(gradient, params, X)
    assert {leaf.dtype for leaf in jax.tree.leaves(results)} == {jnp.dtype("float32")}


def test_mixed_precision_equals_the_model_on_rounded_parameters_and_inputs():
    """Against float32 arithmetic on rounded operands: only activations differ by rounding."""
    params = MODEL.init(KEY)
    mixed = aejax.mixed_precision(MODEL)
    rounded = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16).astype(jnp.float32), params)
    code = MODEL.encode(rounded, X.astype(jnp.bfloat16).astype(jnp.float32))
    np.testing.assert_allclose(mixed.encode(params, X), code, atol=2**-7)
    assert not np.array_equal(mixed.encode(params, X), MODEL.encode(params, X))


def test_training_in_mixed_precision_keeps_float32_state_and_a_similar_loss():
    options = {"key": KEY, "epochs": 30, "batch_size": 64}
    (state, mixed), (_, full) = (
        training.fit(objective_of(model), optax.adam(1e-2), Batch(X), **options)
        for model in (aejax.mixed_precision(MODEL), MODEL)
    )
    floating = [
        leaf.dtype
        for leaf in jax.tree.leaves((state.params, state.optimizer_state))
        if jnp.issubdtype(leaf.dtype, jnp.floating)
    ]
    assert set(floating) == {jnp.dtype("float32")}
    assert mixed[-1]["loss"] == pytest.approx(full[-1]["loss"], rel=0.02)
    assert mixed[-1]["loss"] < mixed[0]["loss"]


def test_arrays_that_are_not_floating_point_are_not_cast():
    model = aejax.Autoencoder(
        init=lambda key: {"kernel": jnp.ones(())},
        encode=lambda params, x: {"values": x * params["kernel"], "indices": jnp.arange(len(x))},
        decode=lambda params, code: code["values"][code["indices"]],
    )
    mixed = aejax.mixed_precision(model)
    code = mixed.encode(model.init(KEY), X)
    assert code["indices"].dtype == jnp.int32
    assert code["values"].dtype == jnp.float32
    assert mixed.decode(model.init(KEY), code).dtype == jnp.float32


def kept_bytes(model, params):
    """Sizes of the arrays stored for the backward pass, the residuals of the VJP."""
    objective = objective_of(model)

    def pullback(params):
        return jax.vjp(lambda params: objective(params, Batch(X), KEY)[0], params)[1]

    kept = jax.tree.leaves(jax.eval_shape(pullback, params))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in kept)


def test_rematerialisation_stores_less_and_changes_no_gradient():
    model = aejax.dense((8, *[8] * 5, 4), activation=jax.nn.gelu, code_activation=jax.nn.sigmoid)
    light = aejax.rematerialised(model)
    dots = aejax.rematerialised(model, policy=jax.checkpoint_policies.dots_saveable)
    params = model.init(KEY)
    kept = [kept_bytes(each, params) for each in (light, dots, model)]
    assert kept[0] < kept[2] / 2
    assert kept[0] < kept[1] < kept[2]

    @jax.jit
    def gradients(params):
        return [
            jax.grad(lambda params, each=each: objective_of(each)(params, Batch(X), KEY)[0])(params)
            for each in (model, light, dots)
        ]

    expected, *others = gradients(params)
    for found in others:
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found, expected
        )
