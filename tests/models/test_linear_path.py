"""A linear path beside the layers: it starts as PCA and receives gradients with the layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

import aejax
from aejax import losses
from aejax.models import start_as_pca, with_linear_path

WINE = StandardScaler().fit_transform(load_wine().data)
LAYERS = aejax.dense((13, 8, 6, 3), activation=jax.nn.gelu, code_activation=jax.nn.identity)
MODEL = with_linear_path(LAYERS, 13, 3)


def started(x):
    pca = PCA(3, svd_solver="full").fit(x)
    params = MODEL.init(jax.random.key(0))
    return start_as_pca(params, jnp.asarray(pca.components_), jnp.asarray(pca.mean_)), pca


def test_the_start_reconstructs_and_encodes_as_scikit_learns_pca():
    params, pca = started(WINE)
    x = jnp.asarray(WINE, jnp.float32)
    code = MODEL.encode(params, x)
    np.testing.assert_allclose(code, pca.transform(WINE), atol=1e-5)
    expected = pca.inverse_transform(pca.transform(WINE))
    np.testing.assert_allclose(MODEL.decode(params, code), expected, atol=1e-5)


def test_the_first_step_changes_the_path_and_the_last_layer_of_the_decoder_alone():
    params, _ = started(WINE[:90])  # where PCA of all examples is not stationary
    objective = aejax.objective(MODEL, losses.squared)
    gradient = jax.grad(
        lambda p: objective(p, jnp.asarray(WINE, jnp.float32), jax.random.key(0))[0]
    )
    sizes = jax.tree.map(lambda leaf: float(jnp.abs(leaf).max()), gradient(params))
    assert sizes["decoder"]["layer_2"]["kernel"] > 1e-3
    assert sizes["decoder"]["linear"]["kernel"] > 1e-3
    assert sizes["decoder"]["layer_0"]["kernel"] == sizes["decoder"]["layer_1"]["kernel"] == 0
    assert max(jax.tree.leaves(sizes["encoder"])) < 1e-5  # residuals of PCA are orthogonal


def test_the_layers_are_added_to_the_path():
    params = MODEL.init(jax.random.key(1))
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    x = jnp.asarray(WINE[:4], jnp.float32)
    path = params["encoder"]["linear"]
    np.testing.assert_allclose(
        MODEL.encode(params, x),
        x @ path["kernel"] + path["bias"] + LAYERS.encode(params, x),
        rtol=1e-5,
    )


def test_a_pca_of_another_size_is_refused():
    params = MODEL.init(jax.random.key(0))
    with pytest.raises(ValueError, match=r"needs an array of shape \[3\], PCA has \[2\]"):
        start_as_pca(params, jnp.ones((2, 13)), jnp.ones(13))
