"""Comparison of compressors: PCA against scikit-learn, errors against their formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.decomposition import PCA

from experiments.harness import no_cache
from experiments.harness.compressors import Deep, deep_reconstruction, pca_reconstruction
from experiments.harness.reconstructions import NUM_SHOWN, compare_methods, log_test_errors

X = jax.random.uniform(jax.random.key(0), (60, 16))
X_TEST = jax.random.uniform(jax.random.key(1), (20, 16))


def test_pca_is_scikit_learns():
    pca = PCA(5).fit(np.asarray(X, float))
    expected = pca.inverse_transform(pca.transform(np.asarray(X_TEST, float)))
    np.testing.assert_allclose(pca_reconstruction(X, 5)(X_TEST), expected, atol=1e-5)


def test_every_seed_is_measured_and_the_first_is_drawn():
    methods = {
        "nothing lost": [lambda: lambda x: x],
        "all lost": [lambda: jnp.zeros_like, lambda: lambda x: 0.5 * x],
    }
    names = []

    def cache(name, compute):
        names.append(name)
        return no_cache(name, compute)

    found = compare_methods(methods, X, X_TEST, cache)
    assert names == ["nothing lost, seed 0", "all lost, seed 0", "all lost, seed 1"]
    whole = float(np.square(X_TEST).sum(axis=1).mean())
    assert found.metrics["nothing lost"]["test"] == [0]
    assert found.metrics["all lost"]["test"] == pytest.approx([whole, whole / 4])
    train = float(np.square(X[: len(X_TEST)]).sum(axis=1).mean())
    assert found.metrics["all lost"]["train"][0] == pytest.approx(train)
    np.testing.assert_array_equal(found.arrays["test images"], X_TEST[:NUM_SHOWN])
    np.testing.assert_array_equal(found.arrays["all lost"], np.zeros((NUM_SHOWN, 16)))
    found.metrics["nothing lost"]["test"] = [np.e]
    logs = log_test_errors(found.metrics, seeds=2)
    np.testing.assert_allclose(logs["nothing lost"], [1, 1])
    np.testing.assert_allclose(logs["all lost"], np.log([whole, whole / 4]), rtol=1e-5)


def test_a_deep_autoencoder_learns_and_depends_on_its_key():
    deep = Deep((16, 12, 4), 30, activation=jnp.tanh)

    def error(key):
        reconstruct = deep_reconstruction(key, X, deep, batch_size=20, learning_rate=0.02)
        return float(jnp.mean(jnp.sum(jnp.square(reconstruct(X) - X), axis=1)))

    spread = float(jnp.sum(jnp.var(X, axis=0)))
    first, again, other = (error(jax.random.key(seed)) for seed in (0, 0, 1))
    assert first == again
    assert other != first < 0.8 * spread
