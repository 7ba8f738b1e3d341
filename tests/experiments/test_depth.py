"""Network sizes and errors of PCA, against the models and scikit-learn."""

import jax
import numpy as np
import pytest
from sklearn.decomposition import PCA

import aejax
from experiments.harness import equal_networks
from experiments.harness.pca_comparison import pca_errors


@pytest.mark.parametrize("hidden", [0, 1, 3])
def test_layers_have_about_the_wanted_number_of_parameters(hidden):
    sizes = equal_networks.layers(50, hidden, 4, 3000)
    assert len(sizes) == hidden + 2
    assert sizes[0] == 50
    assert sizes[-1] == 4
    params = jax.eval_shape(aejax.dense(sizes).init, jax.random.key(0))
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert equal_networks.num_parameters(sizes) == count
    if hidden:
        for width in (sizes[1] - 1, sizes[1] + 1):
            other = equal_networks.num_parameters((50, *(width,) * hidden, 4))
            assert abs(other - 3000) >= abs(count - 3000)


def test_errors_of_pca_are_those_of_its_reconstructions():
    rng = np.random.default_rng(0)
    x, x_test = rng.normal(size=(40, 6)) + 1, rng.normal(size=(9, 6))
    errors = pca_errors(PCA().fit(x), x_test)
    assert len(errors) == 7
    for components in (1, 4, 6):
        pca = PCA(components).fit(x)
        x_hat = pca.inverse_transform(pca.transform(x_test))
        expected = np.square(x_hat - x_test).sum(axis=1).mean()
        assert errors[components] == pytest.approx(expected, abs=1e-10)
