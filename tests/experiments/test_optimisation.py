"""Comparison of optimizers: initialisations and schedules against formulas, and line searches."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

import aejax
from aejax import losses
from experiments.harness.optimisation import (
    epoch_step,
    line_search_step,
    log_loss_at,
    momentum_schedule,
    record_losses,
    search_learning_rates,
    sparse_initializer,
)
from experiments.optimisers import OPTIMIZERS

X = jax.random.normal(jax.random.key(0), (40, 6)) * jnp.array([3.0, 2, 1, 0.3, 0.2, 0.1])
LINEAR = aejax.objective(aejax.linear(6, 2), losses.squared)


def test_sparse_initialisation_gives_each_unit_its_connections_with_normal_weights():
    kernel = np.asarray(sparse_initializer(15)(jax.random.key(0), (100, 400)))
    assert (np.count_nonzero(kernel, axis=0) == 15).all()
    assert stats.kstest(kernel[kernel != 0], "norm").pvalue > 0.01
    each_input = np.count_nonzero(kernel, axis=1)  # 400 draws, each with probability 0.15
    assert stats.chisquare(each_input).pvalue > 0.01
    assert np.count_nonzero(sparse_initializer(15)(jax.random.key(1), (6, 4))) == 24


@pytest.mark.parametrize("step", [0, 249, 250, 1000, 12_499, 10**6])
def test_momentum_follows_the_formula_of_the_paper(step):
    formula = min(1 - 2 ** (-1 - np.log2(step // 250 + 1)), 0.99)
    assert float(momentum_schedule(0.99)(jnp.asarray(step))) == pytest.approx(formula, rel=1e-6)


def test_a_search_finds_the_intermediate_rate():
    found = search_learning_rates(
        LINEAR,
        lambda rate, steps: optax.sgd(optax.cosine_decay_schedule(rate, steps)),
        X,
        rates=[1e-6, 1e-2, 1e3],
        key=jax.random.key(1),
        epochs=20,
        batch_size=20,
    )
    assert found[1] < found[0]
    assert found[2] == float("inf")


def test_line_searches_reach_the_loss_of_pca_and_count_evaluations():
    optimizer = optax.lbfgs()
    keys = [jax.random.key(seed) for seed in (0, 1)]
    found = record_losses(
        LINEAR, optimizer, line_search_step(LINEAR, optimizer), X, keys=keys, passes=120
    )
    values = np.linalg.svd(np.asarray(X - X.mean(axis=0), float), compute_uv=False)
    least = np.square(values[2:]).sum() / len(X)  # of any affine map of rank two
    for passes, loss in zip(found["passes"], found["loss"], strict=True):
        assert loss[-1] == pytest.approx(least, rel=1e-3)
        assert passes[0] == 0
        assert passes[1] >= 2
        assert (np.diff(passes) >= 1).all()
        assert passes[-2] < 120 <= passes[-1]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_lowers_the_loss_by_epochs(name):
    make, middle = OPTIMIZERS[name]
    optimizer = make(middle, 40)
    advance = epoch_step(LINEAR, optimizer, batch_size=20)
    found = record_losses(LINEAR, optimizer, advance, X, keys=[jax.random.key(0)], passes=20)
    assert found["passes"][0] == [*range(21)]
    assert found["loss"][0][-1] < found["loss"][0][0]
    assert (np.diff(found["seconds"][0]) > 0).all()


def test_losses_are_interpolated_on_a_logarithmic_scale():
    found = {"seconds": [[0, 2], [0, 4]], "loss": [[1, np.e**2], [1, np.e**2]]}
    np.testing.assert_allclose(log_loss_at(found, "seconds", 1), [1, 0.5])
