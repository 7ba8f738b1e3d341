"""Latent paths against SciPy's rotations and explicit loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

import aejax
from aejax import evaluation, losses


def test_linear_paths_are_numpys(x64):
    start, end = np.random.default_rng(0).normal(size=(2, 3, 4))
    found = evaluation.linear_path(jnp.asarray(start), jnp.asarray(end), steps=7)
    np.testing.assert_allclose(found, np.linspace(start, end, 7), rtol=1e-12, atol=1e-12)


def test_spherical_paths_are_those_of_scipys_quaternions(x64):
    """Unit quaternions with a positive product: SciPy interpolates on the same great circle."""
    start, end = np.random.default_rng(1).normal(size=(2, 4))
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    end = end * np.sign(start @ end)
    rotations = Slerp([0, 1], Rotation.from_quat([start, end]))(np.linspace(0, 1, 9)).as_quat()
    found = evaluation.spherical_path(jnp.asarray(start), jnp.asarray(end), steps=9)
    signs = np.sign(np.sum(rotations * found, axis=1, keepdims=True))
    np.testing.assert_allclose(found, signs * rotations, atol=1e-12)


def test_spherical_paths_are_linear_for_parallel_vectors_and_of_constant_norm_else(x64):
    z = np.random.default_rng(2).normal(size=(2, 5, 20))
    z /= np.linalg.norm(z, axis=-1, keepdims=True)
    start, end = jnp.asarray(3 * z)
    path = evaluation.spherical_path(start, end, steps=6)
    np.testing.assert_allclose(jnp.linalg.norm(path, axis=-1), 3, rtol=1e-12)
    np.testing.assert_allclose(path[jnp.array([0, -1])], jnp.stack([start, end]), rtol=1e-12)
    parallel = evaluation.spherical_path(start, 2 * start, steps=4)
    np.testing.assert_allclose(parallel, np.linspace(start, 2 * start, 4), rtol=1e-7, atol=1e-7)
    assert np.isnan(evaluation.spherical_path(start, -start, steps=3)).all()


def test_a_traversal_changes_one_unit():
    z, values = jnp.array([0.5, -1.0, 2.0]), jnp.array([-3.0, 0.0, 3.0, 4.0])
    found = evaluation.traversal(z, values=values)
    assert found.shape == (3, 4, 3)
    for unit in range(3):
        for step, value in enumerate(values):
            expected = np.array(z)
            expected[unit] = value
            np.testing.assert_array_equal(found[unit, step], expected)


def test_latents_with_further_axes_are_decoded_one_by_one(x64):
    objective = aejax.objective(aejax.variational((6, 2)), losses.bernoulli)
    params = objective.model.init(jax.random.key(0))
    z = jax.random.normal(jax.random.key(1), (3, 4, 2))
    found = evaluation.decoded(objective, params, z, leading=2)
    assert found.shape == (3, 4, 6)
    for row in range(3):
        output = objective.model.decode(params, z[row])
        np.testing.assert_allclose(found[row], jax.nn.sigmoid(output), rtol=1e-12)


def test_wrong_arguments_are_refused():
    for path in (evaluation.linear_path, evaluation.spherical_path):
        with pytest.raises(ValueError, match="at least 2 steps, got 1"):
            path(jnp.ones(2), jnp.ones(2), steps=1)
    objective = aejax.objective(aejax.variational((6, 2)), losses.bernoulli)
    with pytest.raises(ValueError, match=r"need at least 3 axes .* got shape \[5, 2\]"):
        evaluation.decoded(objective, {}, jnp.zeros((5, 2)), leading=2)
