"""Missing values of tables against scikit-learn's imputer and scalers, and their weight zero."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import aejax
from aejax import losses
from aejax.data import feature_names, fingerprint, load, standardise, unit_range
from aejax.data.missing_values import normalise_observed
from aejax.data.table_files import read_rows

RNG = np.random.default_rng(0)
ROWS = 40
IS_TEST = np.arange(ROWS) % 5 == 4


@pytest.fixture
def frame() -> pd.DataFrame:
    """Numbers, integers, truth values and text, a fifth of them missing."""
    full = pd.DataFrame(
        {
            "height": RNG.normal(170, 10, ROWS),
            "children": RNG.integers(0, 5, ROWS),
            "member": RNG.random(ROWS) < 0.5,
            "port": np.array(["Calais", "Dover", "Ostend"])[RNG.integers(3, size=ROWS)],
            "id": range(ROWS),
        }
    ).astype(object)
    for row, port in enumerate(("Dover", "Calais", "Ostend")):
        full.iloc[row] = [160.0 + row, row, row == 1, port, row]
    hidden = RNG.random((ROWS, 4)) < 0.2
    hidden[:3] = False
    return full.mask(np.column_stack([hidden, np.zeros(ROWS, bool)]))


@pytest.fixture
def path(frame, tmp_path):
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def expected_features(frame) -> np.ndarray:
    """One-hot features with NaN, without aejax."""
    ports = pd.get_dummies(frame["port"]).astype(float)
    ports[frame["port"].isna()] = np.nan
    return np.column_stack([frame[["height", "children", "member"]].astype(float), ports])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("missing", ["mean", "weight-zero"])
def test_missing_values_become_the_mean_of_the_observed_training_values(
    frame, tmp_path, suffix, missing
):
    path = tmp_path / f"t.{suffix}"
    if suffix == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.convert_dtypes().to_parquet(path)
    found = load(path, ignore=["id"], missing=missing)
    x = expected_features(frame)
    imputer = SimpleImputer().fit(x[~IS_TEST])
    np.testing.assert_allclose(found.x_train, imputer.transform(x[~IS_TEST]), rtol=1e-12)
    np.testing.assert_allclose(found.x_test, imputer.transform(x[IS_TEST]), rtol=1e-12)
    np.testing.assert_allclose(found.schema.fill, imputer.statistics_, rtol=1e-12)
    assert feature_names(found.schema.columns)[-1] == "port=Ostend"
    if missing == "mean":
        assert found.observed_train is found.observed_test is None
    else:
        np.testing.assert_array_equal(found.observed_train, ~np.isnan(x[~IS_TEST]))
        np.testing.assert_array_equal(found.observed_test, ~np.isnan(x[IS_TEST]))


def test_fingerprints_tell_observed_values_from_filled_ones(path):
    mean, weighted = (
        load(path, ignore=["id"], missing=missing) for missing in ("mean", "weight-zero")
    )
    np.testing.assert_array_equal(mean.x_train, weighted.x_train)
    assert fingerprint(mean) != fingerprint(weighted)


def test_new_rows_are_filled_with_the_means_of_the_training_data(path, tmp_path):
    schema = load(path, ignore=["id"], missing="mean").schema
    (tmp_path / "new.csv").write_text("port,height,member,children\n,,NA,\nDover,1.5,True,2\n")
    rows = read_rows(tmp_path / "new.csv", schema)
    np.testing.assert_array_equal(rows.x, [schema.fill, [1.5, 2, 1, 0, 1, 0]])
    np.testing.assert_array_equal(rows.observed, [[False] * 6, [True] * 6])
    with pytest.raises(ValueError, match=r"'height', 1 of 2 rows: missing value, .* drop its row$"):
        read_rows(tmp_path / "new.csv", schema._replace(fill=None))


def test_missing_values_are_refused_by_default_with_what_to_do(path):
    with pytest.raises(
        ValueError, match=r"missing value, .*--missing mean, or --missing weight-zero, or"
    ):
        load(path, ignore=["id"])
    with pytest.raises(ValueError, match="missing is for its values, but digits is none"):
        load("digits", missing="mean")


@pytest.mark.parametrize("only", [[], [4, 9]])
def test_a_column_without_training_values_is_refused(frame, tmp_path, only):
    frame["empty"] = [1.0 if row in only else None for row in range(ROWS)]
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match=r"column 'empty' has no values.* --ignore empty"):
        load(tmp_path / "t.csv", ignore=["id"], missing="mean")


def test_statistics_of_observed_values_are_scikit_learns():
    x = RNG.normal(1e6, 3, (50, 4))
    observed = RNG.random(x.shape) < 0.7
    given = np.where(observed, x, np.nan)
    scaling = normalise_observed(standardise, np.where(observed, x, -1e9), observed)
    standard = StandardScaler().fit(given)
    np.testing.assert_allclose(scaling.shift, standard.mean_, rtol=1e-12)
    np.testing.assert_allclose(scaling.scale, standard.scale_, rtol=1e-7)
    scaling = normalise_observed(unit_range, np.where(observed, x, 1e9), observed)
    smallest = MinMaxScaler().fit(given)
    np.testing.assert_array_equal(scaling.shift, smallest.data_min_)
    np.testing.assert_array_equal(scaling.scale, smallest.data_range_)


@pytest.mark.parametrize(
    "loss",
    [
        losses.squared,
        losses.bernoulli,
        losses.by_blocks([(losses.squared, 2), (losses.categorical, 4)]),
    ],
    ids=["squared", "bernoulli", "by blocks"],
)
def test_the_target_at_a_missing_entry_has_no_influence(loss):
    """Loss and gradients are bit-identical whatever is stored where the weight is zero."""
    objective = aejax.objective(aejax.dense((6, 4, 2)), loss)
    params = objective.model.init(jax.random.key(0))
    x = jax.random.uniform(jax.random.key(1), (30, 6))
    weight = jnp.asarray(RNG.random((30, 6)) < 0.7, float)

    @jax.jit
    def value_and_gradient(target):
        batch = aejax.Batch(x, target=target, weight=weight)
        return jax.value_and_grad(lambda p: objective(p, batch, jax.random.key(2))[0])(params)

    stored = [x, jnp.where(weight > 0, x, 1.0), jnp.where(weight > 0, x, 123.0)]
    first, *others = map(value_and_gradient, stored)
    for other in others:
        jax.tree.map(np.testing.assert_array_equal, other, first)
    full = objective(params, aejax.Batch(x), jax.random.key(2))[0]
    assert first[0] < full
