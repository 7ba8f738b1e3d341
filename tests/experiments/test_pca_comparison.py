"""The comparison of linear autoencoders with PCA against losses on the data and known rotations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import subspace_angles

import aejax
from aejax import losses
from aejax.theory.analysis.pca import leading_components, pca
from experiments.harness.pca_comparison import (
    examples_with_the_same_loss,
    measure_against_pca,
)

X = np.random.default_rng(0).normal(size=(200, 7)) * [5, 3, 2, 1, 1, 0.5, 0] + 4


def problem(code=3):
    model = aejax.dense((7, code), activation=jax.nn.identity)
    return model, aejax.objective(model, losses.squared)


@pytest.mark.parametrize("seed", range(3))
def test_few_examples_have_the_loss_of_the_data(seed, x64):
    model, _ = problem()
    params = model.init(jax.random.key(seed))
    params["decoder"]["layer_0"]["bias"] += 3.0

    def loss(x):
        x_hat = model.decode(params, model.encode(params, jnp.asarray(x)))
        return np.square(x_hat - x).sum(axis=1).mean()

    few = examples_with_the_same_loss(pca(X))
    assert len(few) == 12  # the last feature is constant
    assert loss(few) == pytest.approx(loss(X), rel=1e-12)


def test_gap_and_angle_are_those_of_numpy_and_scipy(x64):
    model, objective = problem()
    analysis, params = pca(X), model.init(jax.random.key(0))
    measured = measure_against_pca(objective, analysis, 3, float)(params, jnp.zeros((1, 7)))
    x_hat = model.decode(params, model.encode(params, jnp.asarray(X)))
    least = np.linalg.eigvalsh(np.cov(X.T, bias=True))[:-3].sum()
    loss = np.square(x_hat - X).sum(axis=1).mean()
    assert measured["gap"] == pytest.approx(loss / least - 1, rel=1e-9)
    kernel = np.asarray(params["decoder"]["layer_0"]["kernel"])
    angle = subspace_angles(leading_components(analysis, 3).T, kernel.T).max()
    assert measured["angle"] == pytest.approx(np.rad2deg(angle), rel=1e-6)
