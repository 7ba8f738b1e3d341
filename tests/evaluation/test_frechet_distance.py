"""The Fréchet distance agrees with SciPy's square root of a matrix and with closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import sqrtm

from aejax import evaluation


def test_the_distance_is_that_of_scipys_matrix_square_root(x64):
    random = np.random.default_rng(0)
    a = random.normal(size=(40, 5)) @ random.normal(size=(5, 5)) + random.normal(size=5)
    b = random.normal(size=(30, 5)) @ random.normal(size=(5, 5))
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = sqrtm(first @ second).real
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(first + second - 2 * root)
    found = jax.jit(evaluation.frechet_distance)(jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_independent_features_have_the_distance_of_their_deviations(x64):
    """Σ (σ₁ − σ₂)² for equal means and diagonal covariances, from orthogonal columns."""
    columns = np.linalg.qr(np.random.default_rng(1).normal(size=(60, 4)))[0]
    columns = np.linalg.qr(columns - columns.mean(0))[0] * np.sqrt(59)
    a, b = np.array([1.0, 2.0, 3.0, 0.0]), np.array([2.0, 2.0, 0.5, 0.0])
    found = evaluation.frechet_distance(jnp.asarray(columns * a), jnp.asarray(columns * b))
    np.testing.assert_allclose(found, np.sum((a - b) ** 2), rtol=1e-12)


def test_fewer_examples_than_dimensions_have_the_exact_distance(x64):
    """Two examples in 50 dimensions: both covariances have rank one."""
    random = np.random.default_rng(2)
    u, v = random.normal(size=(2, 50))
    a, b = np.stack([u, -u]), np.stack([v, -v])
    expected = 2 * (u @ u + v @ v) - 4 * abs(u @ v)
    np.testing.assert_allclose(
        evaluation.frechet_distance(jnp.asarray(a), jnp.asarray(b)), expected, rtol=1e-12
    )
    assert evaluation.frechet_distance(jnp.asarray(a), jnp.asarray(a)) < 1e-12 * (u @ u)


def test_one_example_is_refused():
    with pytest.raises(ValueError, match="at least 2 examples"):
        evaluation.frechet_distance(jnp.zeros((1, 3)), jnp.zeros((5, 3)))
