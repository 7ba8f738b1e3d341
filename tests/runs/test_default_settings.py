"""Default settings follow from the data; given ones and those of stored runs are kept."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA

from aejax.objectives import reconstruct
from aejax.runs.builders import make_model, make_objective
from aejax.runs.configuration import Options, Penalties, Training, dumps, fixed_settings, loads
from aejax.runs.default_settings import DataFacts, complete
from aejax.runs.dictionary_settings import DictionarySettings
from aejax.runs.examples import load_in_memory
from aejax.runs.initial_state import start_from_data
from aejax.runs.recipes import RECIPES
from aejax.training import init_state

IMAGES = DataFacts((8, 8), 1294, 144, is_bounded=True)
TABLE = DataFacts((13,), 128, 14, is_bounded=False)


def test_images_are_scaled_to_the_unit_range_and_tables_are_standardised():
    images, table = complete(Options(), IMAGES), complete(Options(), TABLE)
    assert (images.normalise, images.loss, images.linear_path) == ("unit-range", "squared", True)
    assert (table.normalise, table.loss, table.linear_path) == ("standardise", "squared", True)
    assert (images.activation, images.code_activation) == ("gelu", "identity")
    assert images.sizes == (64, 128, 16)
    assert table.sizes == (13, 128, 3)


@pytest.mark.parametrize("features", [1, 2, 3, 5, 17, 63, 10_000])
def test_a_default_code_is_smaller_than_the_data(features):
    *_, code = complete(Options(), TABLE._replace(shape=(features,))).sizes
    assert 1 <= code <= 16
    assert code < features or features == 1


@pytest.mark.parametrize("examples", [1, 5, 100, 300, 5000, 10**6])
def test_steps_decide_the_length_of_a_run(examples):
    found = complete(Options(), TABLE._replace(train_size=examples))
    size = found.batch_size
    assert size is not None
    assert 1 <= size <= min(examples, 128)
    assert found.epochs >= 20
    steps = found.epochs * -(-examples // size)
    assert steps >= 2000
    assert steps < 2000 + -(-examples // size) or found.epochs == 20
    assert found.warm_up == found.epochs / 10
    assert found.patience == -(-found.epochs // 3)
    assert complete(Options(), TABLE._replace(train_size=0)).epochs == 2000  # refused later


def dictionary_of(facts, activation="topk", **settings):
    return complete(Options(dictionary=DictionarySettings(activation), **settings), facts)


def test_dictionaries_standardise_tables_and_keep_the_proportions_of_activations():
    table = TABLE._replace(is_table=True)
    assert dictionary_of(table).normalise == "standardise"
    assert dictionary_of(TABLE).normalise == "common-scale"
    assert dictionary_of(IMAGES).normalise == "common-scale"
    assert dictionary_of(table, normalise="common-scale").normalise == "common-scale"


@pytest.mark.parametrize(
    ("features", "examples", "units", "k"),
    [
        (4, 135, 13, 1),
        (13, 128, 13, 4),
        (64, 1294, 129, 4),
        (64, 10**5, 256, 4),
        (256, 10**6, 1024, 16),
        (4096, 10**6, 16384, 32),
    ],
)
def test_units_of_a_dictionary_have_ten_examples_each(features, examples, units, k):
    found = dictionary_of(TABLE._replace(shape=(features,), train_size=examples))
    assert found.sizes == (features, units)
    assert found.dictionary.k == k
    given = dictionary_of(TABLE._replace(shape=(features,), train_size=examples), code=40)
    assert given.sizes == (features, 40)


def test_the_learning_rate_of_a_dictionary_is_higher():
    assert dictionary_of(IMAGES).learning_rate == 3e-3
    assert complete(Options(), IMAGES).learning_rate == 1e-3
    assert dictionary_of(IMAGES, learning_rate=1e-4).learning_rate == 1e-4


def test_given_settings_are_kept():
    given = Options(
        sizes=(13, 5, 4), loss="squared-logistic", activation="tanh", epochs=3, batch_size=7
    )
    found = complete(given, TABLE)
    assert (found.sizes, found.loss, found.activation) == ((13, 5, 4), "squared-logistic", "tanh")
    assert (found.epochs, found.batch_size, found.patience) == (3, 7, None)
    assert (found.normalise, found.code_activation) == ("unit-range", None)  # that of the layers
    assert not found.linear_path
    assert complete(Options(schedule="constant"), TABLE).warm_up == 0
    assert complete(Options(validation=0), TABLE._replace(validation_size=0)).patience is None


@pytest.mark.parametrize(
    ("options", "loss", "code_activation"),
    [
        (Options(), "squared", "identity"),
        (Options(sizes=(64, 128)), "bernoulli", "sigmoid"),
        (Options(penalty=Penalties(sparsity=1.0)), "bernoulli", "sigmoid"),
        (Options(channels=(4,)), "bernoulli", "identity"),
        (Options(code=64), "bernoulli", "identity"),
        (Options(tied=True, normalise="standardise"), "squared", "identity"),
        (Options(linear_path=False), "bernoulli", "identity"),
    ],
    ids=str,
)
def test_bounded_data_without_linear_path_have_logistic_outputs(options, loss, code_activation):
    found = complete(options, IMAGES)
    assert (found.loss, found.code_activation) == (loss, code_activation)
    assert found.linear_path == (options == Options())


@pytest.mark.parametrize(
    ("options", "loss", "linear_path"),
    [
        (Options(missing="mean"), "squared", True),
        (Options(missing="weight-zero"), "squared", False),
        (Options(loss="by-column"), "by-column", False),
    ],
    ids=str,
)
def test_a_linear_path_needs_the_squared_error_of_all_values(options, loss, linear_path):
    found = complete(options, TABLE)
    assert (found.normalise, found.loss, found.linear_path) == ("standardise", loss, linear_path)
    assert complete(found, TABLE) == loads(dumps(found)) == found


def test_the_code_replaces_the_last_size():
    assert complete(Options(code=5), IMAGES).sizes == (64, 128, 5)
    assert complete(Options(code=5, sizes=(64, 9, 7)), IMAGES).sizes == (64, 9, 5)
    refined = replace(RECIPES["refined"].training, code=12)
    found = complete(refined, IMAGES._replace(shape=(28, 28)))
    assert found.sizes == (784, 12)
    assert found.decoder_sizes == (12, 400, 1000, 1300, 784)
    assert complete(Training(code=5), IMAGES).sizes == (64, 128, 5)


@pytest.mark.parametrize(
    ("options", "conflict"),
    [
        (Options(linear_path=True, tied=True), "--tied"),
        (Options(linear_path=True, channels=(4,)), "--channels"),
        (Options(linear_path=True, loss="bernoulli"), "--loss bernoulli"),
        (Options(linear_path=True, activation="tanh"), "--code-activation tanh"),
        (Options(linear_path=True, missing="weight-zero"), "--missing weight-zero"),
        (Options(linear_path=True, loss="by-column"), "--loss by-column"),
    ],
    ids=str,
)
def test_a_linear_path_that_does_not_fit_is_refused(options, conflict):
    with pytest.raises(ValueError, match=f"remove --linear-path or {conflict}"):
        make_model(complete(options, IMAGES), IMAGES.shape)


def test_settings_of_an_earlier_version_keep_their_meaning():
    stored = json.loads(dumps(Training(data="digits", batch_size=128)))
    later = {"code", "linear_path", "factory", "arguments", "missing", "resize", "crop"}
    for name in later:
        del stored[name]
    found = complete(loads(json.dumps(stored)), IMAGES)
    assert found == Training(data="digits", batch_size=128)
    assert not later & fixed_settings(found).keys()
    shapes = make_model(found, IMAGES.shape).init(jax.random.key(0))["encoder"]
    assert [layer["kernel"].shape for layer in shapes.values()] == [(64, 128), (128, 16)]


def test_complete_settings_depend_on_no_default():
    for options in (Options(), Options(channels=(4,)), Options(sizes=(64, 3))):
        found = complete(options, IMAGES)
        assert complete(found, IMAGES) == loads(dumps(found)) == found


@pytest.fixture
def wine(tmp_path):
    np.save(tmp_path / "wine.npy", load_wine().data)
    return Options(data=str(tmp_path / "wine.npy"))


def test_the_linear_path_starts_as_pca_of_the_train_examples_alone(wine):
    examples = load_in_memory(wine)
    training = complete(wine, examples.facts)
    objective = make_objective(training, examples.shape)
    state = init_state(objective, optax.adam(1e-3), 0)
    params = start_from_data(training, examples, state).params
    x, everything = examples.train_sample(), examples.pca_examples()[0]
    assert len(x) == examples.facts.train_size < len(everything)
    pca = PCA(3, svd_solver="full").fit(x)
    found = reconstruct(objective, params, jnp.asarray(everything))
    expected = pca.inverse_transform(pca.transform(everything))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    plain = replace(training, linear_path=False)
    assert start_from_data(plain, examples, state) is state
