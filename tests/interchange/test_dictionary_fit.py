"""Check of a dictionary on activations: it reconstructs, or the convention that it needs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax.data.normalisation import Normalisation
from aejax.evaluation import dictionary_statistics
from aejax.interchange import StoredDictionary, dictionary_fit
from aejax.models import fold_normalisation

FEATURES, UNITS, K = 16, 32, 4


DIRECTIONS = np.concatenate([np.eye(FEATURES), -np.eye(FEATURES)]).astype(np.float32)


def dictionary_of(centre):
    """TopK dictionary of the axes in both signs, whose encoder is the transpose."""
    params = {
        "encoder": {"kernel": jnp.asarray(DIRECTIONS.T), "bias": jnp.zeros(UNITS)},
        "decoder": {"kernel": jnp.asarray(DIRECTIONS)},
        "centre": {"bias": jnp.asarray(centre, jnp.float32)},
    }
    model = aejax.dictionary(FEATURES, UNITS, activation=aejax.top_k_relu(k=K))
    return StoredDictionary(model, params, "example", "top_k", K)


@pytest.fixture(scope="module")
def planted():
    """Sparse combinations of the axes, far from 0, and their dictionary."""
    rng = np.random.default_rng(0)
    active = rng.random((600, UNITS)).argsort(axis=1) < K
    centre = 5 * rng.normal(size=FEATURES)
    x = (active * rng.uniform(2, 3, active.shape)) @ DIRECTIONS + centre
    return dictionary_of(centre), x.astype(np.float32)


def test_a_dictionary_that_fits_reconstructs(planted):
    dictionary, x = planted
    fit = dictionary_fit(dictionary, x, batch_size=250)
    code = dictionary.model.encode(dictionary.params, jnp.asarray(x))
    output = dictionary.model.decode(dictionary.params, code)
    expected = dictionary_statistics([(x, code, output)])
    assert fit.reconstructs
    assert fit.explained_variance == pytest.approx(expected.explained_variance, abs=1e-6)
    assert fit.l0 == pytest.approx(expected.l0)
    assert (fit.convention, fit.corrected) == (None, None)
    assert fit.reason.startswith("it reconstructs: it explains 1 of the variance with 3.")
    assert "DictionaryFit(" in repr(fit)


def unfolded(dictionary, shift, scale):
    """The dictionary as one of normalised inputs, which reconstructs only those."""
    inverse = Normalisation(np.asarray(-shift / scale), np.asarray(1 / scale))
    params = fold_normalisation(dictionary.params, inverse)
    return dictionary._replace(params=params, normalisation="expected_average_only_in")


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        (
            "inputs scaled to mean norm √features",
            lambda x: (0, np.linalg.norm(x, axis=1).mean() / np.sqrt(FEATURES)),
        ),
        (
            "inputs scaled to mean square norm 1",
            lambda x: (0, np.sqrt(np.mean(np.sum(np.square(x), axis=1)))),
        ),
        ("inputs less their mean", lambda x: (x.mean(axis=0), 1.0)),
        ("inputs times 64", lambda x: (0, 1 / 64)),
    ],
)
def test_the_normalisation_of_the_inputs_is_found(planted, name, constants):
    dictionary, x = planted
    fit = dictionary_fit(unfolded(dictionary, *constants(x)), x)
    assert not fit.reconstructs
    assert fit.convention == name
    assert fit.others[name] > 0.99
    assert f"with {name}: use `corrected`" in fit.reason
    assert "names the normalisation expected_average_only_in" in fit.reason
    assert fit.corrected is not None
    assert fit.corrected.normalisation == "none"
    assert dictionary_fit(fit.corrected, x).explained_variance > 0.99


def test_the_use_of_the_output_bias_is_found(planted):
    dictionary, x = planted
    params = dict(dictionary.params)
    centre = params.pop("centre")
    wrong = dictionary._replace(params=params | {"decoder": params["decoder"] | centre})
    fit = dictionary_fit(wrong, x, minimum=0.9)
    assert not fit.reconstructs
    assert fit.convention == "the output bias subtracted from the input"
    assert fit.corrected is not None
    np.testing.assert_array_equal(fit.corrected.params["centre"]["bias"], centre["bias"])
    assert dictionary_fit(fit.corrected, x).explained_variance > 0.99


@pytest.mark.parametrize(
    ("by", "name"),
    [
        ("norm", "each example scaled to norm √features"),
        ("layer", "each example scaled to mean 0 and variance 1"),
    ],
)
def test_the_normalisation_of_each_example_is_found(by, name):
    """Sparse combinations with mean 0 and equal norms, then scaled one by one, and shifted."""
    rng = np.random.default_rng(1)
    centre = rng.normal(size=FEATURES)
    centre = 2 * (centre - centre.mean()) / np.linalg.norm(centre - centre.mean())
    order = rng.random((600, FEATURES)).argsort(axis=1)
    sizes = np.repeat(rng.uniform(1, 2, (600, 2)), 2, axis=1)
    sparse = np.zeros((600, FEATURES))
    np.put_along_axis(sparse, order[:, :K], sizes * np.array([1, -1, 1, -1]), axis=1)
    square, product = np.sum(sparse**2, axis=1), sparse @ centre
    norm = FEATURES if by == "norm" else FEATURES - 1  # the squared norm of each example
    root = np.sqrt(product**2 + square * (norm - 4))
    examples = centre + ((root - product) / square)[:, None] * sparse
    np.testing.assert_allclose(np.sum(examples**2, axis=1), norm)
    x = examples * 10 ** rng.uniform(-1, 1, (600, 1))
    x = x + 3 * rng.normal(size=(600, 1)) if by == "layer" else x
    fit = dictionary_fit(dictionary_of(centre), x.astype(np.float32), minimum=0.99)
    assert not fit.reconstructs
    assert fit.convention == name
    assert fit.others[name] > 0.999
    assert fit.corrected is not None
    assert dictionary_fit(fit.corrected, x.astype(np.float32)).explained_variance > 0.999


def test_activations_of_another_layer_have_no_convention(planted):
    dictionary, x = planted
    other = np.random.default_rng(2).normal(size=x.shape).astype(np.float32) * 1e-3
    random_rows = {"kernel": jnp.asarray(np.random.default_rng(3).normal(size=(UNITS, FEATURES)))}
    fit = dictionary_fit(
        dictionary._replace(params=dictionary.params | {"decoder": random_rows}), other
    )
    assert not fit.reconstructs
    assert fit.convention is None
    assert "probably of another layer or model" in fit.reason


def test_a_transcoder_is_compared_with_its_target():
    model = aejax.transcoder(4, 8, 3)
    params = model.init(jax.random.key(0))
    rows = jax.random.normal(jax.random.key(1), (8, 3))
    params = params | {"decoder": {"kernel": rows, "bias": jnp.ones(3)}}
    x = jax.random.normal(jax.random.key(2), (50, 4))
    target = model.decode(params, model.encode(params, x))
    stored = StoredDictionary(model, params, "example", "relu")
    fit = dictionary_fit(stored, x, target)
    assert fit.explained_variance == pytest.approx(1)
    assert fit.others == {}
    with pytest.raises(ValueError, match=r"target of shape \[50, 3\], got \[50, 4\]; pass the act"):
        dictionary_fit(stored, x)
    with pytest.raises(ValueError, match=r"expected activations \[examples, 4\], got \[50, 3\]"):
        dictionary_fit(stored, target)


def test_conventions_beyond_the_range_of_float16_are_left_out():
    """Some factors of the inputs overflow in float16, which the others need not."""
    stored = dictionary_of(np.zeros(FEATURES))
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float16), stored.params)
    rng = np.random.default_rng(0)
    active = rng.random((200, UNITS)).argsort(axis=1) < K
    x = ((100 * active * rng.uniform(1, 2, active.shape)) @ DIRECTIONS).astype(np.float16)
    fit = dictionary_fit(stored._replace(params=params), x)
    assert fit.reconstructs
    assert "inputs times 0.25" in fit.others
    assert "inputs times 1024" not in fit.others


def test_equal_first_examples_do_not_hide_the_variance_of_the_others(planted):
    dictionary, x = planted
    x = np.concatenate([np.repeat(x[:1], 1200, axis=0), x])
    assert dictionary_fit(dictionary, x).reconstructs
