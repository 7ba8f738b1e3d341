"""Gradient accumulation: equal gradients for per-example terms, less memory."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import Batch, losses, penalties, training

KEY = jax.random.key(0)
X = jax.random.uniform(jax.random.key(1), (14, 6))
MODEL = aejax.dense((6, 4))
OWN = aejax.objective(
    MODEL,
    losses.bernoulli,
    penalties={
        "l1": (0.1, penalties.l1()),
        "contraction": (0.1, penalties.contractive_logistic()),
        "decay": (0.01, penalties.l2()),
    },
)
KL = aejax.objective(
    MODEL, losses.bernoulli, penalties={"sparsity": (1.0, penalties.kl_sparsity(rho=0.1))}
)


def assert_close(a, b, tolerance=1e-5):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=1e-6), a, b)


@pytest.mark.parametrize("part_size", [4, 7, 20])
def test_per_example_and_parameter_terms_have_the_whole_batch_gradient(part_size):
    @jax.jit
    def both(params, batch):
        return [
            gradient_of(OWN, params, batch, KEY)
            for gradient_of in (training.accumulated(part_size=part_size), training.whole_batch)
        ]

    found, expected = both(MODEL.init(KEY), Batch(X, weight=2 + X))
    assert_close(found, expected)


def test_batch_terms_are_averaged_over_parts():
    @jax.jit
    def measured(params):
        (_, terms), _ = training.accumulated(part_size=10)(KL, params, Batch(X), KEY)
        parts = [KL(params, Batch(part), KEY)[1]["sparsity"] for part in (X[:10], X[10:], X)]
        return terms["sparsity"], *parts

    found, ten, four, whole = map(float, measured(MODEL.init(KEY)))
    assert found == pytest.approx((10 * ten + 4 * four) / 14, rel=1e-5)
    assert found != pytest.approx(whole, rel=1e-5)


def test_training_with_accumulation_equals_training_without():
    options = {"key": KEY, "epochs": 3, "batch_size": 8}
    runs = [
        training.fit(OWN, optax.sgd(1e-2), Batch(X), gradient_of=gradient_of, **options)
        for gradient_of in (training.whole_batch, training.accumulated(part_size=4))
    ]
    assert_close(runs[0][0].params, runs[1][0].params, tolerance=1e-4)
    for name in ("loss", "gradient_norm", "l1"):
        assert runs[0][1][-1][name] == pytest.approx(runs[1][1][-1][name], rel=1e-5)


def test_a_step_needs_the_activation_memory_of_one_part():
    model = aejax.dense((16, 32, 8))
    objective = aejax.objective(model, losses.squared)

    def bytes_of(gradient_of):
        def gradient(params, x):
            return gradient_of(objective, params, Batch(x), KEY)

        shapes = (model.init(KEY), jax.ShapeDtypeStruct((4096, 16), jnp.float32))
        program = jax.jit(gradient).lower(*shapes).compile()
        return program.memory_analysis().temp_size_in_bytes

    assert bytes_of(training.accumulated(part_size=256)) < bytes_of(training.whole_batch) / 4


def test_part_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match="at least one example, got 0"):
        training.accumulated(part_size=0)
