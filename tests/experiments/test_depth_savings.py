"""The constructed folding network against the sawtooth; parameters of decoders."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.depth_savings import _model
from experiments.harness.sawtooths import folding_params, num_parameters, sawtooth, single_layer


@pytest.mark.parametrize("folds", [1, 3, 7])
def test_the_folding_network_draws_the_sawtooth_exactly(folds):
    t = np.random.default_rng(0).uniform(size=500)
    to_tooth = np.abs(t * 2 ** (folds - 1) - np.round(t * 2 ** (folds - 1)))
    curve = sawtooth(jnp.array(t), folds)
    np.testing.assert_allclose(curve, np.stack([t, 2 * to_tooth], axis=1), atol=1e-5 * 2**folds)
    model, params = _model((3,) * folds), folding_params(folds)
    drawn = model.decode(params, model.encode(params, curve))
    np.testing.assert_allclose(drawn, curve, atol=1e-6 * 2**folds)


@pytest.mark.parametrize("hidden", [(5,), (3, 3, 3), (16, 16)])
def test_parameters_of_decoders_are_those_of_the_models(hidden):
    model = _model(hidden)
    decoder = jax.eval_shape(model.init, jax.random.key(0))["decoder"]
    count = sum(leaf.size for leaf in jax.tree.leaves(decoder))
    assert num_parameters(hidden) == count
    single = single_layer(hidden)
    assert 0 <= num_parameters(single) - count < 4
