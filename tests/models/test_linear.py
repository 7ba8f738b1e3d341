"""The linear autoencoder against scikit-learn's PCA."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import aejax
from aejax.models import pca_params


def test_pca_parameters_reconstruct_and_encode_as_scikit_learn_does(x64):
    x = load_digits().data
    pca = PCA(10, svd_solver="full").fit(x)
    model = aejax.linear(64, 10)
    params = pca_params(jnp.asarray(pca.components_), jnp.asarray(pca.mean_))
    code = model.encode(params, jnp.asarray(x))
    np.testing.assert_allclose(code, pca.transform(x), atol=1e-10)
    expected = pca.inverse_transform(pca.transform(x))
    np.testing.assert_allclose(model.decode(params, code), expected, atol=1e-10)


def test_pca_parameters_have_the_structure_of_the_model():
    model = aejax.linear(6, 2)
    params = pca_params(jnp.ones((2, 6)), jnp.ones(6))
    shapes = jax.tree.map(jnp.shape, model.init(jax.random.key(0)))
    assert jax.tree.map(jnp.shape, params) == shapes


def test_a_tied_linear_autoencoder_is_a_symmetric_map(x64):
    model = aejax.linear(6, 2, tied=True, bias=False)
    params = model.init(jax.random.key(0))
    jacobian = jax.jacobian(lambda x: model.decode(params, model.encode(params, x[None]))[0])
    matrix = jacobian(jnp.zeros(6))
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-15)
    assert np.linalg.matrix_rank(matrix) == 2
