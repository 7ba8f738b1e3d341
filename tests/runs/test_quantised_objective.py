"""Settings of discrete codes: objectives, defaults, initial codebooks, and usage of the values."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import entropy

import aejax
from aejax import losses, models, penalties, plots, training
from aejax.runs.builders import (
    make_model,
    make_objective,
    make_optimizer,
    make_trained_objective,
)
from aejax.runs.codeword_restarting import restarts
from aejax.runs.codeword_usage import usage_of_indices
from aejax.runs.configuration import Options, Training, dumps, fixed_settings, loads
from aejax.runs.default_settings import DataFacts, complete
from aejax.runs.examples import load_in_memory
from aejax.runs.quantisation_settings import QuantisationSettings
from aejax.runs.quantised_objective import codebook_start

FACTS = DataFacts((5, 4), 100, 10, is_bounded=True)
X = np.random.default_rng(0).random((40, 20)).astype(np.float32)
KEY = jax.random.key(0)


def settings(quantiser, code=8, **values):
    return complete(Options(code=code, quantised=QuantisationSettings(quantiser, **values)), FACTS)


def test_settings_compose_the_objective():
    """The objective is that of one written by hand, with the code in two groups of four units."""
    training = settings("vector", codewords=6)
    assert (training.code_activation, training.linear_path, training.loss) == (
        "identity",
        False,
        "bernoulli",
    )
    assert loads(dumps(training)) == training
    base = aejax.dense((20, 128, 8), activation=jax.nn.gelu, code_activation=jax.nn.identity)
    grouped = aejax.Autoencoder(
        base.init,
        lambda params, x: base.encode(params, x).reshape(-1, 2, 4),
        lambda params, code: base.decode(params, code.reshape(-1, 8)),
    )
    expected = aejax.objective(
        models.vector_quantised(grouped, codewords=6, channels=4, averaged=True),
        losses.bernoulli,
        penalties={
            "commitment": (0.25, penalties.commitment()),
            "codebook": (1.0, penalties.codebook()),
        },
    )
    found = make_objective(training, FACTS.shape)
    params = found.model.init(KEY)
    (value, terms), (reference, others) = (each(params, X, KEY) for each in (found, expected))
    np.testing.assert_allclose(value, reference, rtol=1e-6)
    assert terms.keys() == others.keys()


@pytest.mark.parametrize(
    ("quantiser", "values", "indices"),
    [
        ("residual", {"depth": 3, "codewords": 5}, (2, 3)),
        ("finite-scalar", {"levels": (3, 4)}, (4,)),
        ("lookup-free", {}, (2,)),
    ],
)
def test_indices_of_each_quantiser(quantiser, values, indices):
    model = make_model(settings(quantiser, **values), FACTS.shape)
    code = model.encode(model.init(KEY), jnp.asarray(X))
    assert code.indices.shape == (40, *indices)


@pytest.mark.parametrize(
    ("features", "quantised", "code"),
    [(20, "vector", 4), (64, "vector", 16), (3, "vector", 4), (64, "finite-scalar", 16)],
)
def test_the_default_code_is_a_multiple_of_a_group(features, quantised, code):
    options = Training(quantised=QuantisationSettings(quantised), code_activation="identity")
    assert complete(options, FACTS._replace(shape=(features,))).sizes[-1] == code
    small = replace(options, quantised=QuantisationSettings("lookup-free", channels=3))
    assert complete(small, FACTS._replace(shape=(20,))).sizes[-1] == 3


def test_unused_settings_are_not_part_of_earlier_runs():
    assert not any("quantised" in name for name in fixed_settings(complete(Options(), FACTS)))
    assert fixed_settings(settings("vector"))["quantised.codewords"] == 256


@pytest.mark.parametrize("quantiser", ["vector", "residual"])
def test_codewords_start_as_what_the_levels_before_leave_over(quantiser):
    """Every codeword is the code of an example, less the codewords of earlier levels."""
    depth = {"depth": 3} if quantiser == "residual" else {}
    model = make_model(settings(quantiser, codewords=5, **depth), FACTS.shape)
    params = codebook_start(model, X)(model.init(KEY))
    rest = np.asarray(model.encode(params, jnp.asarray(X)).continuous).reshape(-1, 4)
    for level in np.asarray(params["quantiser"]["codebook"]).reshape(-1, 5, 4):
        distances = np.linalg.norm(rest[:, None] - level, axis=-1)
        np.testing.assert_allclose(distances.min(axis=0), 0, atol=1e-6)
        assert len(np.unique(distances.argmin(axis=0))) == 5
        rest = rest - level[distances.argmin(axis=1)]


def test_codewords_restart_every_third_epoch_with_the_key_of_the_epoch():
    options = Options("digits", code=4, quantised=QuantisationSettings("vector", restart_every=3))
    examples = load_in_memory(options)
    training_of = examples.configuration, examples.shape, examples.columns
    objective, optimizer = make_trained_objective(*training_of), make_optimizer(training_of[0], 9)
    before_epoch = restarts(examples.configuration, examples, objective, optimizer)
    state = training.init_state(objective, optimizer, KEY)
    for epoch in (0, 1, 2, 4):
        at = state._replace(epoch=jnp.asarray(epoch))
        assert before_epoch(at) is at
    found = [before_epoch(state._replace(epoch=jnp.asarray(epoch))) for epoch in (3, 3, 6)]
    x = examples.train_sample()
    keys = [jax.random.fold_in(jax.random.split(state.key, 3)[2], epoch) for epoch in (3, 3, 6)]
    for each, key in zip(found, keys, strict=True):
        expected = training.restart_codewords(objective, optimizer, state, x, key)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), each.params, expected.params
        )
    first, again, later = (np.asarray(each.params["quantiser"]["codebook"]) for each in found)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, later)
    assert not np.array_equal(first, state.params["quantiser"]["codebook"])


def test_the_usage_is_that_of_scipy():
    indices = np.random.default_rng(1).integers(0, 5, (30, 2, 3))
    usage = usage_of_indices(indices, values=8, levels=3)
    bits = [entropy(np.bincount(column), base=2) for column in indices.reshape(-1, 3).T]
    np.testing.assert_allclose(usage.perplexity, np.mean(np.exp2(bits)), rtol=1e-5)
    np.testing.assert_allclose(usage.bits, 2 * sum(bits), rtol=1e-5)
    assert (usage.capacity, usage.unused, usage.indices) == (18.0, 3 * (8 - 5), 6)
    unknown = usage_of_indices(indices, values=None, levels=1)
    assert (unknown.capacity, unknown.unused) == (None, None)


def test_the_figure_draws_shares_in_descending_order():
    (axis,) = plots.usage_curves([np.array([1, 0, 3])], 4).axes
    shares, uniform = (line.get_ydata() for line in axis.lines)
    np.testing.assert_allclose(shares, [0.75, 0.25])
    np.testing.assert_allclose(uniform, 1 / 4)
    with pytest.raises(ValueError, match="needs the counts"):
        plots.usage_curves([np.zeros(3)])
