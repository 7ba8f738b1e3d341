"""Logistic PCA by L-BFGS against majorisation-minimisation, which shares no code with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax import theory
from experiments.harness import logistic_components

KEY = jax.random.key(0)
X = jax.nn.sigmoid(2 * jax.random.normal(KEY, (40, 3)) @ jax.random.normal(KEY, (3, 12)))


def test_reconstructions_are_those_of_majorisation_minimisation():
    found = theory.logistic_pca(KEY, X, 2, tolerance=1e-7, max_steps=3000)
    codes = theory.logistic_codes(found, X, steps=2000)
    expected = theory.logistic_reconstruction(found, codes)
    reconstruct = logistic_components.converged_logistic_reconstruction(KEY, X, 2, tolerance=1e-8)
    x_hat = reconstruct(X)
    assert np.abs(x_hat - expected).mean() < 0.01
    errors = [float(jnp.mean(jnp.square(found - X))) for found in (x_hat, expected)]
    assert errors[0] == pytest.approx(errors[1], rel=0.02)


def test_a_fit_that_has_not_converged_is_an_error(monkeypatch):
    monkeypatch.setattr(logistic_components, "MAX_ITERATIONS", 3)
    with pytest.raises(RuntimeError, match="not converged after 3 iterations"):
        logistic_components.converged_logistic_reconstruction(KEY, X, 2)
