"""Activation statistics against NumPy, known cases, and one another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax import evaluation

rng = np.random.default_rng(0)


def assert_same(a: evaluation.ActivationStatistics, b: evaluation.ActivationStatistics) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13), a, b)


def test_means_frequencies_and_dead_units_match_numpy(x64):
    code = rng.normal(size=(40, 5)) * [1, 1, 1, 1e-3, 0]
    found = evaluation.activation_statistics(jnp.asarray(code), threshold=0.1)
    active = np.abs(code) > 0.1
    np.testing.assert_allclose(found.mean, code.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.frequency, active.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(found.dead, [False, False, False, True, True])
    np.testing.assert_allclose(found.active, active.sum(axis=1).mean(), rtol=1e-12)


def test_sparsity_is_the_formula_of_vinje_and_gallant(x64):
    code = np.abs(rng.normal(size=(40, 5)))

    def sparsity(values: np.ndarray) -> float:
        count = len(values)
        return (1 - (values.sum() / count) ** 2 / (values**2 / count).sum()) / (1 - 1 / count)

    found = evaluation.activation_statistics(jnp.asarray(code), threshold=0.0)
    np.testing.assert_allclose(found.lifetime_sparsity, [sparsity(unit) for unit in code.T])
    np.testing.assert_allclose(found.population_sparsity, np.mean([sparsity(h) for h in code]))


def test_sparsity_is_0_for_equal_activations_and_1_for_a_single_one_or_none():
    code = jnp.asarray([[3.0, 5.0, 0.0], [3.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    found = evaluation.activation_statistics(code, threshold=0.0)
    np.testing.assert_allclose(found.lifetime_sparsity, [0, 1, 1], atol=1e-6)


def test_negative_activations_count_by_their_magnitude():
    code = jnp.asarray(rng.normal(size=(9, 3)), "float32")
    signed, magnitudes = (
        evaluation.activation_statistics(h, threshold=0.5) for h in (code, jnp.abs(code))
    )
    for name in ("frequency", "lifetime_sparsity", "population_sparsity"):
        np.testing.assert_array_equal(getattr(signed, name), getattr(magnitudes, name))


@pytest.mark.parametrize("batch_size", [1, 8, 21, 100])
def test_batched_statistics_equal_those_of_all_examples(batch_size, x64):
    model = aejax.dense((6, 4))
    params, x = model.init(jax.random.key(0)), jnp.asarray(rng.normal(size=(21, 6)))
    together = evaluation.activation_statistics(model.encode(params, x), threshold=0.5)
    batched = evaluation.encoded_statistics(
        lambda x: model.encode(params, x), x, threshold=0.5, batch_size=batch_size
    )
    assert_same(batched, together)


def test_a_code_in_bfloat16_is_summed_in_float32():
    """bfloat16 has no odd integers above 256, so that a sum of ones in it stays at 256."""
    code = np.random.default_rng(0).random((3000, 3)) < [0.2, 0.5, 1.0]
    found = evaluation.encoded_statistics(
        lambda x: x, jnp.asarray(code, jnp.bfloat16), threshold=0.0, batch_size=2
    )
    np.testing.assert_allclose(found.frequency, code.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.mean, code.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.active, code.sum(axis=1).mean(), rtol=1e-6)


def test_a_top_k_code_has_k_active_units():
    model = aejax.dense((6, 12), code_activation=aejax.top_k(k=3))
    code = model.encode(model.init(jax.random.key(0)), jnp.asarray(rng.normal(size=(9, 6))))
    assert evaluation.activation_statistics(code, threshold=0.0).active == pytest.approx(3)


@pytest.mark.parametrize("shape", [(1, 4), (4, 1)])
def test_a_single_example_or_unit_is_refused(shape):
    with pytest.raises(ValueError, match="at least two units and two examples"):
        evaluation.activation_statistics(jnp.ones(shape), threshold=0.0)


def test_a_batch_size_of_0_is_refused():
    with pytest.raises(ValueError, match="batch size must be at least 1"):
        evaluation.encoded_statistics(lambda x: x, jnp.ones((3, 3)), threshold=0.0, batch_size=0)
