"""`AutoencoderTransformer` trains the composed objective and follows scikit-learn's conventions."""

import io
import pickle

import jax
import joblib
import numpy as np
import optax
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import aejax
from aejax import corruptions, losses, penalties, training
from aejax.estimator import AutoencoderTransformer
from aejax.estimator.compiled_model import compile_model

IRIS = load_iris().data
UNIT = ((IRIS - IRIS.min(axis=0)) / np.ptp(IRIS, axis=0)).astype(np.float32)
SEEDED = {"random_state": 0, "batch_size": 50}


def small(**settings) -> AutoencoderTransformer:
    return AutoencoderTransformer().set_params(**{**SEEDED, "max_iter": 4, **settings})


def assert_same(first, second) -> None:
    jax.tree.map(np.testing.assert_array_equal, first.params_, second.params_)


def test_settings_compose_the_objective_and_optimizer():
    found = AutoencoderTransformer(
        3,
        hidden_layer_sizes=(5,),
        loss="bernoulli",
        corruption="masking",
        corruption_level=0.3,
        l2=1e-3,
        sparsity=0.2,
        rho=0.2,
        penalties={"quiet": (0.5, penalties.l1())},
        learning_rate=0.02,
        max_iter=3,
        **SEEDED,
    ).fit(UNIT)
    objective = aejax.objective(
        aejax.dense((4, 5, 3)),
        losses.bernoulli,
        corruption=corruptions.masking(rate=0.3),
        penalties={
            "l2": (1e-3, penalties.l2()),
            "sparsity": (0.2, penalties.kl_sparsity(rho=0.2)),
            "quiet": (0.5, penalties.l1()),
        },
    )
    key = jax.random.key(np.random.RandomState(0).randint(np.iinfo(np.int32).max))
    state, history = training.fit(
        objective,
        optax.adam(0.02),
        aejax.Batch(jax.numpy.asarray(UNIT)),
        key=key,
        epochs=3,
        batch_size=50,
    )
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found.params_, state.params
    )
    assert found.n_iter_ == 3
    assert found.history_[-1]["quiet"] == pytest.approx(history[-1]["quiet"], rel=1e-5)
    x_hat = aejax.reconstruct(objective, state.params, jax.numpy.asarray(UNIT))
    code = found.transform(UNIT)
    np.testing.assert_allclose(found.inverse_transform(code), x_hat, atol=1e-5)
    loss = losses.bernoulli_cross_entropy(
        objective.model.decode(state.params, jax.numpy.asarray(code)), jax.numpy.asarray(UNIT)
    )
    assert found.score(UNIT) == pytest.approx(-float(np.mean(np.sum(loss, axis=1))), rel=1e-5)


def test_a_linear_autoencoder_converges_to_pca():
    x = StandardScaler().fit_transform(IRIS)
    found = AutoencoderTransformer(
        activation="identity", learning_rate=0.05, batch_size=150, max_iter=400, random_state=0
    ).fit(x)
    pca = PCA(2).fit(x)
    least = np.mean(np.sum((x - pca.inverse_transform(pca.transform(x))) ** 2, axis=1))
    assert least * (1 - 1e-9) < -found.score(x) < 1.01 * least


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_preserved_and_jax_configuration_unchanged(dtype):
    found = small().fit(IRIS.astype(dtype))
    arrays = [*jax.tree.leaves(found.params_), found.transform(IRIS.astype(dtype))]
    assert {type(array) for array in arrays} == {np.ndarray}
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}
    assert not jax.config.jax_enable_x64
    other = np.float32 if dtype is np.float64 else np.float64
    code = found.transform(IRIS.astype(other))
    assert code.dtype == found.inverse_transform(code).dtype == other
    np.testing.assert_allclose(code, arrays[-1], atol=1e-5)


def test_results_do_not_depend_on_x64_mode():
    expected = small().fit(UNIT)
    with jax.enable_x64(True):
        assert_same(small().fit(UNIT), expected)


def test_results_are_determined_by_the_seed():
    assert_same(small().fit(UNIT), small().fit(UNIT))
    other = small(random_state=1).fit(UNIT)
    assert np.abs(other.transform(UNIT) - small().fit(UNIT).transform(UNIT)).max() > 1e-3


def test_a_warm_start_resumes_bit_identically():
    halves = small(max_iter=2, warm_start=True, corruption="gaussian").fit(UNIT)
    halves = pickle.loads(pickle.dumps(halves)).fit(UNIT)
    whole = small(corruption="gaussian").fit(UNIT)
    assert_same(halves, whole)
    assert [record["epoch"] for record in halves.history_] == [1, 2, 3, 4]
    assert_same(halves.set_params(warm_start=False, max_iter=4).fit(UNIT), whole)


def test_each_partial_fit_is_one_epoch():
    found = small()
    for x in (UNIT, UNIT, UNIT.astype(np.float64), UNIT):
        found.partial_fit(x)
    assert_same(found, small().fit(UNIT))
    assert found.partial_fit(UNIT[:7]).n_iter_ == 5


def test_early_stopping_selects_the_best_epoch_on_held_out_examples():
    settings = {"early_stopping": True, "learning_rate": 0.5, "validation_fraction": 0.3}
    found = small(max_iter=60, n_iter_no_change=3, **settings).fit(UNIT)
    losses = [record["validation"]["loss"] for record in found.history_]
    best = int(np.argmin(losses))
    assert len(losses) == found.n_iter_ == best + 4 < 60
    assert_same(found, small(max_iter=best + 1, n_iter_no_change=60, **settings).fit(UNIT))
    order = np.random.RandomState(0)
    order.randint(2)
    held_out = UNIT[order.permutation(150)[:45]]
    assert -found.score(held_out) == pytest.approx(losses[best], rel=1e-5)


def test_pickling_dumping_and_cloning():
    found = small(code_activation="tanh", penalties={}).fit(UNIT)
    file = io.BytesIO()
    joblib.dump(found, file)
    for copy in (pickle.loads(pickle.dumps(found)), joblib.load(file)):
        np.testing.assert_array_equal(copy.transform(UNIT), found.transform(UNIT))
    own = small(
        activation=jax.nn.relu, loss=losses.squared, corruption=corruptions.gaussian(sigma=0.1)
    )
    assert clone(own).fit(UNIT).score(UNIT) == own.fit(UNIT).score(UNIT)


def test_output_columns_are_named_for_pandas():
    frame = load_iris(as_frame=True).data
    found = small().set_output(transform="pandas").fit(frame)
    assert list(found.get_feature_names_out()) == list(found.transform(frame))
    assert list(found.transform(frame)) == ["autoencodertransformer0", "autoencodertransformer1"]


def test_a_pipeline_searches_a_grid_with_two_jobs():
    digits = load_digits()
    pipeline = make_pipeline(
        StandardScaler(),
        AutoencoderTransformer(24, max_iter=15, learning_rate=0.01, random_state=0),
        LogisticRegression(max_iter=500),
    )
    grid = {"autoencodertransformer__corruption": ["none", "masking"]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2, error_score="raise")
    search.fit(digits.data, digits.target)
    assert search.best_score_ > 0.8
    assert search.predict(digits.data).shape == digits.target.shape


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_components": 0}, "at least two layers"),
        ({"n_components": 2.5}, "n_components must be an integer"),
        ({"hidden_layer_sizes": (3, "4")}, "hidden_layer_sizes must be integer"),
        ({"activation": "swish"}, "no activation is called 'swish'; there are sigmoid"),
        ({"loss": "absolute"}, "no loss is called 'absolute'; there are bernoulli"),
        ({"corruption": "rain"}, "no corruption is called 'rain'; there are none, masking"),
        ({"corruption": "masking", "corruption_level": 2.0}, "masking rate must lie in"),
        ({"optimizer": "newton"}, "no optimizer is called 'newton'; there are adam, muon, sgd"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"l2": -1.0}, "weight of penalty l2 must be 0 or more"),
        ({"sparsity": 1.0, "rho": 1.5}, "rho must"),
        ({"sparsity": 1.0, "activation": "identity"}, "logistic code"),
        ({"penalties": {"l2": (1.0, penalties.l2())}}, "cannot be called 'l2'"),
        ({"loss": "bernoulli"}, r"x has values outside \[0, 1\]"),
        ({"max_iter": 0}, "max_iter must be at least 1 epoch"),
        ({"early_stopping": True, "validation_fraction": 0.0}, "holds out 0"),
        ({"early_stopping": True, "n_iter_no_change": 0}, "patience must be at least one"),
        ({"batch_size": 0}, "batch size must lie between 1"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        small(**settings).fit(9 * IRIS)


def test_other_misuse_is_refused():
    with pytest.raises(TypeError, match="Sparse data was passed"):
        small().fit(csr_array(IRIS))
    found = small(warm_start=True).fit(UNIT)
    with pytest.raises(ValueError, match=r"codes must be \[examples, 2\], got shape \[150, 4\]"):
        found.inverse_transform(IRIS)
    with pytest.raises(ValueError, match="n_components is 3, but the parameters of the warm start"):
        found.set_params(n_components=3).fit(UNIT)
    assert found.transform(UNIT).shape == (150, 2)  # the fitted settings are unchanged
    with pytest.raises(ValueError, match="expecting 4 features"):
        found.partial_fit(UNIT[:, :3])


def test_training_after_early_stopping_continues_from_the_best_epoch():
    """With a learning rate of 1e-30 the parameters stay where training starts."""
    settings = {"early_stopping": True, "learning_rate": 0.5, "validation_fraction": 0.3}
    found = small(max_iter=60, n_iter_no_change=3, **settings).fit(UNIT)
    kept, epochs = found.params_, found.n_iter_
    for further in ("partial_fit", "fit"):
        copy = pickle.loads(pickle.dumps(found)).set_params(
            learning_rate=1e-30, warm_start=True, max_iter=1, early_stopping=False
        )
        getattr(copy, further)(UNIT)
        jax.tree.map(np.testing.assert_array_equal, copy.params_, kept)
        assert copy.n_iter_ == epochs + 1
        assert [record["epoch"] for record in copy.history_] == list(range(1, epochs + 2))


def test_varying_row_counts_compile_a_bounded_number_of_programs():
    """For 1 to 40 rows: programs for 1, 2, 4, …, 64 rows, with equal results."""
    found = small(corruption="masking").fit(UNIT)
    counts = range(1, 41)
    whole = found.transform(UNIT)
    x_hat = found.inverse_transform(whole)
    compiled = compile_model(found._fitted, 4, "float32")
    jax.clear_caches()
    for rows in counts:
        np.testing.assert_allclose(found.transform(UNIT[:rows]), whole[:rows], atol=1e-6)
        decoded = found.inverse_transform(whole[:rows])
        np.testing.assert_allclose(decoded, x_hat[:rows], atol=1e-6)
        error = np.mean(np.sum((UNIT[:rows] - x_hat[:rows]) ** 2, axis=1))
        assert found.score(UNIT[:rows]) == pytest.approx(-error, rel=1e-5)
    for function in (compiled.encode, compiled.decode, compiled.losses):
        assert function._cache_size() <= 7


def test_rounding_errors_outside_the_support_of_the_loss_are_clipped():
    """As MinMaxScaler produces; values clearly outside are refused."""
    x = UNIT.astype(np.float64)
    beyond = np.where(x == 1, 1 + 4e-16, np.where(x == 0, -4e-16, x))
    assert_same(small(loss="bernoulli").fit(beyond), small(loss="bernoulli").fit(x))
    with pytest.raises(ValueError, match="outside"):
        small(loss="bernoulli").fit(np.where(x == 1, 1 + 1e-6, x))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_strict_promotion_and_disable_jit_do_not_change_the_fit(dtype):
    x = UNIT.astype(dtype)
    found = small(hidden_layer_sizes=3, tied=True).fit(UNIT)
    code, score = found.transform(x), found.score(x)
    for setting in (jax.numpy_dtype_promotion("strict"), jax.disable_jit()):
        with setting:
            np.testing.assert_allclose(found.transform(x[:9]), code[:9], atol=1e-6)
            assert found.inverse_transform(code).dtype == dtype
            assert found.score(x) == pytest.approx(score, rel=1e-5)
