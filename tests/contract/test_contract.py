"""Properties that every model, loss, corruption, penalty and objective must have.

A row of `rows.py` that lacks a property states the reason.
"""

import inspect
import re
from collections import Counter
from collections.abc import Callable
from functools import partial

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads
from jaxtyping import TypeCheckError

import aejax
from aejax import training
from tests.contract.rows import ROWS, Row

KEYS = jax.random.split(jax.random.key(7), 10)
DRAW = {row.name: jax.jit(row.draw) for row in ROWS}
"""Name of a row -> its inputs, drawn by one program for all tests."""
TRACES = Counter()
"""Name of a row -> number of traces of its compiled function."""


def compiled(row: Row) -> Callable:
    """Compiled function of a row, which counts its traces."""

    def function(*inputs):
        TRACES[row.name] += 1
        return row.function(*inputs)

    return jax.jit(function)


COMPILED = {row.name: compiled(row) for row in ROWS}


def rows(property_name: str) -> Callable:
    """Parametrise over all rows; rows without the property are skipped with their reason."""
    return pytest.mark.parametrize(
        "row",
        [
            pytest.param(
                row,
                id=row.name,
                marks=[pytest.mark.skip(reason=row.without[property_name])]
                if property_name in row.without
                else [],
            )
            for row in ROWS
        ],
    )


def assert_trees_close(a, b, tolerance: float = 2e-6) -> None:
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), a, b
    )


def partition(inputs: tuple) -> tuple[tuple, tuple]:
    """Floating inputs and the others, each with None in place of what the other has."""
    floating = [jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(inputs)]
    chosen = jax.tree.unflatten(jax.tree.structure(inputs), floating)
    return (
        jax.tree.map(lambda leaf, use: leaf if use else None, inputs, chosen),
        jax.tree.map(lambda leaf, use: None if use else leaf, inputs, chosen),
    )


def summed(row: Row) -> Callable:
    """The row's function of partitioned inputs, summed to a scalar that can be differentiated."""

    def function(floating, others):
        inputs = jax.tree.map(
            lambda a, b: b if a is None else a, floating, others, is_leaf=lambda leaf: leaf is None
        )
        return sum(jnp.sum(output) for output in jax.tree.leaves(row.function(*inputs)))

    return function


@rows("argument order")
def test_arguments_have_standard_names_in_standard_order(row):
    for function, names in row.signatures:
        assert list(inspect.signature(function).parameters) == names.split()


@rows("same key")
def test_same_key_gives_same_output_and_another_key_differs(row):
    inputs = DRAW[row.name](KEYS[0])
    swapped = tuple(KEYS[1] if is_key(value) else value for value in inputs)
    once, twice, other = row.function(*inputs), row.function(*inputs), row.function(*swapped)
    for a, b in zip(jax.tree.leaves(once), jax.tree.leaves(twice), strict=True):
        assert np.array_equal(a, b)
    assert any(
        not np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(once), jax.tree.leaves(other), strict=True)
    )


def is_key(value) -> bool:
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)


@rows("jit")
def test_jit_equals_eager(row):
    inputs = DRAW[row.name](KEYS[0])
    assert_trees_close(COMPILED[row.name](*inputs), row.function(*inputs))


@rows("vmap")
def test_vmap_equals_loop(row):
    drawn = [DRAW[row.name](key) for key in KEYS[:3]]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *drawn)
    together = jax.jit(jax.vmap(row.function))(*stacked)
    one_by_one = [COMPILED[row.name](*inputs) for inputs in drawn]
    assert_trees_close(together, jax.tree.map(lambda *leaves: jnp.stack(leaves), *one_by_one))


@rows("one trace")
def test_ten_calls_are_traced_once(row):
    """Together with the calls of the other tests in this process."""
    for key in KEYS:
        COMPILED[row.name](*DRAW[row.name](key))
    assert TRACES[row.name] == 1


@rows("finite")
def test_values_and_gradients_are_finite_at_extreme_inputs(row):
    value_and_gradient = jax.jit(jax.value_and_grad(summed(row)))
    for inputs in row.extremes(*DRAW[row.name](KEYS[0])):
        value, gradient = value_and_gradient(*partition(inputs))
        assert np.isfinite(value)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@rows("check_grads")
def test_gradients_agree_with_finite_differences_in_float64(row, x64):
    floating, others = partition(DRAW[row.name](KEYS[0]))
    assert all(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(floating))
    function = jax.jit(partial(summed(row), others=others))
    check_grads(function, (floating,), order=1, modes=["rev"], atol=1e-6, rtol=1e-6)


@rows("dtype")
@pytest.mark.parametrize("x64", [False, True])
def test_floating_dtype_of_inputs_is_preserved(row, x64):
    """By abstract evaluation, as the next test."""
    with jax.enable_x64(x64):
        inputs = jax.eval_shape(row.draw, KEYS[0])
        for output in jax.tree.leaves(jax.eval_shape(row.function, *inputs)):
            assert output.dtype == (jnp.float64 if x64 else jnp.float32)


@rows("accelerators")
def test_training_lowers_for_accelerators_without_float64_or_calls_to_the_host(row, x64):
    """`jax.export` refuses primitives without a lowering, and callbacks to the host.

    With float64 enabled, a product of float32 arrays and NumPy constants could become float64.
    """
    inputs = DRAW[row.name](KEYS[0])
    if isinstance(row.function, aejax.Objective):
        optimizer = optax.sgd(1e-2)
        program = partial(training.step, row.function, optimizer)
        state = jax.eval_shape(partial(training.init_state, row.function, optimizer), KEYS[0])
        arguments = (state, inputs[1])
    else:
        floating, others = partition(inputs)
        arguments = (floating,)
        program = jax.grad(partial(summed(row), others=others))
    exported = jax.export.export(jax.jit(program), platforms=("cuda", "tpu"))
    lines = exported(*in_float32(arguments)).mlir_module().splitlines()
    products = [line for line in lines if re.search("dot_general|convolution", line)]
    assert not any("f64" in line for line in products)


def in_float32(arrays):
    """Shapes of arrays, with float32 in place of float64."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            leaf.shape, jnp.float32 if leaf.dtype == jnp.float64 else leaf.dtype
        ),
        arrays,
    )


@rows("strict promotion")
def test_strict_dtype_promotion_raises_nothing(row):
    """For values and derivatives."""
    with jax.numpy_dtype_promotion("strict"):
        inputs = jax.eval_shape(row.draw, KEYS[0])
        jax.eval_shape(row.function, *inputs)
        jax.eval_shape(jax.grad(summed(row)), *partition(inputs))


@rows("misshapen")
def test_misshapen_inputs_are_refused(row):
    misshapen = row.misshapen(*DRAW[row.name](KEYS[0]))
    with pytest.raises((ValueError, TypeCheckError)):
        row.function(*misshapen)
