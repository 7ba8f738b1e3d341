"""Under `jax.disable_jit` nothing is compiled, and training gives the same results."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import losses, training
from aejax.estimator import AutoencoderTransformer
from aejax.training import Stream

X = np.random.default_rng(0).random((7, 3), np.float32)
OPTIMIZER = optax.sgd(0.1)


def objective(seen: list[bool]) -> aejax.Objective:
    """Objective that records whether its penalty received concrete arrays or tracers."""

    def look(record):
        seen.append(not isinstance(record.code, jax.core.Tracer))
        return jnp.zeros(())

    return aejax.objective(aejax.dense((3, 2)), losses.squared, penalties={"look": (0.0, look)})


def fit(composed):
    return training.fit(
        composed, OPTIMIZER, X, key=0, epochs=1, batch_size=7, validation=X, patience=1
    )[0]


def fit_stream(composed):
    stream = Stream(lambda rows: X[rows], 7, 4)
    return training.fit_stream(composed, OPTIMIZER, stream, key=0, epochs=1, validation=stream)[0]


def fit_population(composed):
    return training.fit_population(
        lambda rate: (composed, optax.sgd(rate)),
        X,
        hyperparameters=jnp.array([0.1, 0.2]),
        key=0,
        epochs=1,
        batch_size=4,
        validation=X[:3],
        patience=1,
    )[0]


@pytest.mark.parametrize(
    "train",
    [fit, *(pytest.param(train, marks=pytest.mark.slow) for train in (fit_stream, fit_population))],
)
def test_training_without_jit_gives_the_same_results(train):
    compiled = train(objective([]))
    with jax.disable_jit():
        seen = []
        plain = train(objective(seen))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        compiled.params,
        plain.params,
    )
    assert any(seen) or train is fit_population  # vmap always passes tracers


@pytest.mark.slow
def test_pretraining_and_estimators_train_without_jit():
    with jax.disable_jit():
        layers, _ = training.pretrain([(objective([]), OPTIMIZER)], X, key=0, epochs=1)
        fitted = AutoencoderTransformer(2, max_iter=1, batch_size=4, early_stopping=True).fit(X)
        assert np.isfinite(fitted.transform(X)).all()
    assert len(layers) == 1


def test_uncompiled_functions_have_no_memory_analysis():
    with jax.disable_jit():
        program = training.ahead_of_time.compile_ahead_of_time(jax.jit(jnp.sum), arguments=(X,))
        assert training.ahead_of_time.memory_analysis(program) is None
        np.testing.assert_allclose(program(X), X.sum(), rtol=1e-6)
