import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from jax import numpy as jnp
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from aejax.data import (
    covariance_scale,
    denormalise,
    identity,
    normalise,
    standardise,
    unit_range,
)

MAKERS = [lambda _: identity(), unit_range, standardise, covariance_scale]
IMAGES = np.random.default_rng(0).integers(0, 256, (20, 4, 3), dtype=np.uint8)
tables = arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.integers(1, 4)),
    elements=st.floats(-1e6, 1e6, allow_subnormal=False),
)


@pytest.mark.parametrize("make", MAKERS)
@settings(deadline=None)
@given(x=tables)
def test_round_trip(make, x):
    normalisation = make(x)
    r = normalise(normalisation, x)
    assert r.dtype == np.float64
    # Subtracting the shift and adding it again rounds at the magnitude of the larger of the two.
    tolerance = 1e-15 * 8 * (1 + np.abs(x).max())
    np.testing.assert_allclose(denormalise(normalisation, r), x, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("make", "scaler"), [(standardise, StandardScaler), (unit_range, MinMaxScaler)]
)
@settings(deadline=None)
@given(x=arrays(np.float64, (7, 3), elements=st.integers(-50, 50).map(float)))
def test_agrees_with_scikit_learn(make, scaler, x):
    x[:, 2] = 0.1  # a constant feature, which does not sum exactly
    np.testing.assert_allclose(
        normalise(make(x), x), scaler().fit_transform(x), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("make", MAKERS)
def test_statistics_do_not_depend_on_blocks(monkeypatch, make):
    whole = make(IMAGES)
    monkeypatch.setattr("aejax.data.blocks.BYTES_PER_BLOCK", 30)
    for values, expected in zip(make(IMAGES), whole, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-14)


def test_covariance_scale_makes_the_covariance_matrix():
    x = IMAGES.reshape(20, -1).astype(float)
    r = normalise(covariance_scale(x), x)
    np.testing.assert_allclose(r.T @ r, np.cov(x.T, bias=True), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(r, (x - x.mean(axis=0)) / np.sqrt(20), rtol=1e-13, atol=1e-13)


def test_unit_range_of_known_bounds():
    r = normalise(unit_range(IMAGES, low=0.0, high=255.0), IMAGES)
    np.testing.assert_array_equal(r, IMAGES.astype(np.float32) / np.float32(255))
    assert normalise(unit_range(IMAGES, low=0.0), IMAGES).max() == 1


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (300.0, None)])
def test_bounds_out_of_order(bounds):
    with pytest.raises(ValueError, match="expected bounds with low < high"):
        unit_range(IMAGES, low=bounds[0], high=bounds[1])


def test_constant_features_become_zero():
    x = np.full((3, 1), 0.1)
    assert x.std() > 0  # by rounding alone
    for make in (standardise, unit_range):
        assert make(x).scale == 1
    np.testing.assert_allclose(normalise(standardise(x), x), 0, atol=1e-16)


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray])
@pytest.mark.parametrize(
    ("given_dtype", "asked", "expected"),
    [
        (np.uint8, None, np.float32),
        (np.uint8, np.float16, np.float16),
        (np.float16, None, np.float16),
        (np.float32, None, np.float32),
        (np.float64, None, np.float64),
        (jnp.bfloat16, None, jnp.bfloat16),
    ],
)
@pytest.mark.usefixtures("x64")
def test_dtypes_and_kinds(kind, given_dtype, asked, expected):
    x = kind(IMAGES.astype(given_dtype))
    normalisation = standardise(x)
    assert normalisation.shift.dtype == normalisation.scale.dtype == np.float64
    r = normalise(normalisation, x, dtype=asked)
    for result in (r, denormalise(normalisation, r)):
        assert result.dtype == expected
        assert isinstance(result, jax.Array) == isinstance(x, jax.Array)


def test_inside_jit():
    normalisation = standardise(IMAGES)
    compiled = jax.jit(lambda x: normalise(normalisation, x))
    np.testing.assert_allclose(compiled(IMAGES), normalise(normalisation, IMAGES), rtol=1e-5)


@pytest.mark.parametrize("function", [normalise, denormalise])
def test_other_features_are_refused(function):
    with pytest.raises(ValueError, match=r"features of shape \(4, 3\), the data has \(12,\)"):
        function(standardise(IMAGES), IMAGES.reshape(20, 12))
