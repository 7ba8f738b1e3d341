"""Settings of equivalent types are accepted, others are refused with a message."""

import fractions

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from aejax import losses, penalties
from aejax.estimator import AutoencoderTransformer, LinearAutoencoder
from aejax.estimator.settings import as_random_state, schedule_of, settings_of

IRIS = load_iris().data

DEFAULT = AutoencoderTransformer().get_params(deep=False)


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("n_components", np.int64(3), 3),
        ("n_components", jnp.asarray(3), 3),
        ("n_components", np.array(3), 3),
        ("hidden_layer_sizes", 8, (8,)),
        ("hidden_layer_sizes", np.int8(8), (8,)),
        ("hidden_layer_sizes", [8, np.int64(4)], (8, 4)),
        ("hidden_layer_sizes", np.array([8, 4]), (8, 4)),
        ("hidden_layer_sizes", jnp.asarray([8, 4]), (8, 4)),
        ("learning_rate", jnp.float32(0.5), 0.5),
        ("learning_rate", np.float64(0.5), 0.5),
        ("learning_rate", 1, 1.0),
        ("learning_rate", fractions.Fraction(1, 2), 0.5),
        ("l2", jnp.asarray(0.25), 0.25),
        ("tied", np.bool_(True), True),
        ("penalties", {"own": [jnp.float32(0.5), abs]}, (("own", (0.5, abs)),)),
        ("penalties", {}, ()),
    ],
)
def test_equivalent_types_are_converted(name, given, meant):
    found = getattr(settings_of(DEFAULT | {name: given}), name)
    assert found == meant
    assert type(found) is type(meant)
    hash(settings_of(DEFAULT | {name: given}))


@pytest.mark.parametrize("given", [np.int32(7), jnp.asarray(7)])
@pytest.mark.parametrize("name", ["max_iter", "batch_size", "n_iter_no_change"])
def test_schedule_integers_may_be_numpy_or_jax_scalars(name, given):
    assert getattr(schedule_of(DEFAULT | {name: given}), name) == 7


WHOLE = ("n_components", "hidden_layer_sizes", "max_iter", "batch_size", "n_iter_no_change")
REAL = ("corruption_level", "l2", "l1", "sparsity", "rho", "contraction", "validation_fraction")


@pytest.mark.parametrize("value", [2.5, 2.0, True, "2", None, np.nan, 2j, np.float64(2.0), b"8"])
@pytest.mark.parametrize("name", WHOLE)
def test_non_integers_are_refused(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be (an )?integer numbers? of .*, got "):
        AutoencoderTransformer().set_params(**{name: value}).fit(IRIS)


@pytest.mark.parametrize("value", ["0.5", True, None, np.nan, 2j, [0.5], np.array([0.5])])
@pytest.mark.parametrize("name", [*REAL, "learning_rate"])
def test_non_numbers_are_refused(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be a number.*, got "):
        AutoencoderTransformer().set_params(**{name: value}).fit(IRIS)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tied": "no"}, "tied must be True or False, got 'no'"),
        ({"tied": 1}, "tied must be True or False, got 1"),
        ({"early_stopping": "False"}, "early_stopping must be True or False"),
        ({"warm_start": None}, "warm_start must be True or False"),
        ({"learning_rate": "adaptive"}, "got 'adaptive'; for a schedule, use aejax.training"),
        ({"learning_rate": -1.0}, "learning_rate must be above 0, got -1.0"),
        ({"learning_rate": np.inf}, "learning_rate must be above 0, got inf"),
        ({"n_components": -1}, "at least two layers"),
        ({"hidden_layer_sizes": (3, 0)}, "at least two layers"),
        ({"hidden_layer_sizes": {3: 4}}, "hidden_layer_sizes must be (an )?integer"),
        ({"activation": 3}, "activation must be a name or a function"),
        ({"code_activation": 3}, "code_activation must be a name, a function or None"),
        ({"loss": losses.squared_error}, "loss must be a name or an aejax.Loss"),
        ({"loss": losses.squared._replace(support=[0, 1])}, "loss must be .*, hashable"),
        ({"corruption": 0.5}, "corruption must be a name or a function"),
        ({"optimizer": print}, "optimizer must be a name"),
        ({"penalties": [penalties.l1()]}, "penalties must be a dict of name: .weight, penalty."),
        ({"penalties": {"own": penalties.l1()}}, "penalty 'own' must be .weight, penalty."),
        ({"penalties": {"own": ("1", penalties.l1())}}, "weight of penalty 'own' must be a number"),
        ({"random_state": "one"}, "'one' cannot be used to seed"),
        ({"early_stopping": True, "validation_fraction": -0.5}, "holds out 0"),
        ({"early_stopping": True, "validation_fraction": np.inf}, "holds out 0"),
    ],
    ids=lambda given: given if isinstance(given, str) else "-".join(given),
)
def test_other_values_are_refused(settings, words):
    with pytest.raises(ValueError, match=words) as refusal:
        AutoencoderTransformer().set_params(**settings).fit(IRIS)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "components"),
    [
        ({"n_components": jnp.asarray(2)}, 2),
        ({"n_components": np.array(2)}, 2),
        ({"n_components": np.float32(0.9)}, 1),
        ({"n_components": jnp.float32(0.9)}, 1),
        ({"n_components": fractions.Fraction(9, 10)}, 1),
        ({"whiten": np.bool_(True)}, 4),
        ({"random_state": jnp.asarray(3)}, 4),
    ],
)
def test_equivalent_types_are_accepted_by_the_linear_autoencoder(settings, components):
    found = LinearAutoencoder().set_params(**settings).fit(IRIS)
    assert found.n_components_ == components


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_components": 2.0}, "n_components must be an integer from 1 to .* = 4"),
        ({"n_components": np.nan}, "n_components must be an integer"),
        ({"n_components": 2j}, "n_components must be an integer"),
        ({"n_components": [2]}, "n_components must be an integer"),
        ({"n_components": np.array([2, 3])}, "n_components must be an integer"),
        ({"n_components": 5, "solver": "gradient"}, "n_components must be an integer from 1"),
        ({"whiten": "no"}, "whiten must be True or False, got 'no'"),
        ({"solver": None}, "solver must be one of .*, got None"),
        ({"solver": ["covariance"]}, "solver must be one of"),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_other_values_are_refused_by_the_linear_autoencoder(settings, words, method):
    with pytest.raises(ValueError, match=words):
        getattr(LinearAutoencoder().set_params(**settings), method)(IRIS)


@pytest.mark.parametrize(
    "x",
    [
        IRIS.tolist(),
        pd.DataFrame(IRIS),
        jnp.asarray(IRIS),
        np.asfortranarray(IRIS),
        IRIS.astype(">f8"),
        IRIS.astype(np.longdouble),
        np.ma.masked_array(IRIS),
    ],
    ids=["list", "DataFrame", "jax", "Fortran", "big-endian", "longdouble", "nothing masked"],
)
def test_examples_of_equivalent_types_give_the_same_fit(x):
    expected = LinearAutoencoder(2).fit(IRIS)
    found = LinearAutoencoder(2).fit(x)
    np.testing.assert_allclose(found.transform(x), expected.transform(IRIS), atol=1e-5)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (IRIS * 1j, "[Cc]omplex data"),
        (IRIS[0], "Expected 2D array, got 1D array"),
        (IRIS.reshape(150, 2, 2), "Found array with dim 3"),
        (np.where(IRIS > 7, np.nan, IRIS), "contains NaN"),
        ([["a", "b"], ["c", "d"]], "could not convert string|not compatible"),
        (np.ma.masked_greater(IRIS, 7), "X has masked values; fill them"),
        (IRIS[:0], "0 sample"),
    ],
    ids=["complex", "one axis", "three axes", "NaN", "words", "masked", "empty"],
)
@pytest.mark.parametrize("estimator", [LinearAutoencoder(), AutoencoderTransformer()])
def test_other_examples_are_refused(estimator, x, words):
    with pytest.raises(ValueError, match=words):
        estimator.fit(x)


@pytest.mark.parametrize("given", [jax.random.key(0), jax.random.PRNGKey(0), 1.0, "seed"])
def test_invalid_random_states_are_refused(given):
    with pytest.raises(ValueError, match="cannot be used to seed"):
        as_random_state(given)


class Unhashable:
    __hash__ = None

    def __call__(self, record):
        return 0.0


@pytest.mark.parametrize("own", [{1: (1.0, penalties.l1())}, {"odd": (1.0, Unhashable())}])
def test_penalties_need_string_names_and_must_be_hashable(own):
    estimator = AutoencoderTransformer(2).set_params(penalties=own)
    with pytest.raises(ValueError, match="must be hashable and its name a string"):
        estimator.fit(np.eye(4))
