from fractions import Fraction
from math import sqrt

import jax
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from jax import numpy as jnp
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from aejax.data import (
    LazyArray,
    Normalisation,
    covariance_scale,
    denormalise,
    identity,
    normalise,
    standardise,
    unit_range,
)
from tests.properties import property_test

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
    # Subtracting and adding the shift rounds at the larger magnitude of x and the shift.
    tolerance = 1e-15 * 8 * (1 + np.abs(x).max())
    np.testing.assert_allclose(denormalise(normalisation, r), x, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("make", "scaler"), [(standardise, StandardScaler), (unit_range, MinMaxScaler)]
)
@settings(deadline=None)
@given(x=arrays(np.float64, (7, 3), elements=st.integers(-50, 50).map(float)))
def test_agrees_with_scikit_learn(make, scaler, x):
    x[:, 2] = 0.1  # a constant feature whose sum is inexact
    np.testing.assert_allclose(
        normalise(make(x), x), scaler().fit_transform(x), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("make", MAKERS)
def test_statistics_do_not_depend_on_blocks(monkeypatch, make):
    whole = make(IMAGES)
    monkeypatch.setattr("aejax.data.example_blocks.BYTES_PER_BLOCK", 30)
    for values, expected in zip(make(IMAGES), whole, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-14)


def test_covariance_scale_gives_the_covariance_matrix():
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
    assert x.std() > 0  # only by rounding
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
def test_features_of_another_shape_are_refused(function):
    with pytest.raises(ValueError, match=r"features of shape \(4, 3\), the data has \(12,\)"):
        function(standardise(IMAGES), IMAGES.reshape(20, 12))


# Statistics in exact arithmetic, with Python's fractions, rounded to float64.


def exactly(x, of):
    """Normalised features [m, features] in exact arithmetic, rounded to float64."""
    columns = [[Fraction(value.item()) for value in column] for column in x.T]
    return np.array([of(column) for column in columns]).T


def standardised(column):
    m, mean = len(column), sum(column) / len(column)
    variance = sum((value - mean) ** 2 for value in column) / m
    if not variance:
        return [0.0] * m
    # (x − mean) / √variance, from the square as a fraction, which cannot over- or underflow.
    return [sqrt((value - mean) ** 2 / variance) * (1 if value > mean else -1) for value in column]


def ranged(column):
    low, high = min(column), max(column)
    return [float((value - low) / ((high - low) or 1)) for value in column]


EXACTLY = {standardise: standardised, unit_range: ranged}
FLOATS = [np.float16, np.float32, np.float64, ml_dtypes.bfloat16]
INTEGERS = [np.bool_, *(np.dtype(f"{sign}{size}") for sign in "iu" for size in (1, 2, 4, 8))]


@pytest.mark.parametrize("make", EXACTLY)
@property_test(examples=30)
@given(
    dtype=st.sampled_from(FLOATS),
    exponent=st.integers(-150, 150),
    offset=st.sampled_from([0, 0, 1, -30, 1000]),
    seed=st.integers(0, 999),
)
def test_statistics_are_exact_for_every_unit_and_offset(make, dtype, exponent, offset, seed):
    limits = ml_dtypes.finfo(dtype)
    low, high = np.log10([float(limits.smallest_subnormal), float(limits.max)])
    scale = 10.0 ** np.clip(exponent, np.ceil(low), np.floor(high) - 5)
    x = (scale * (np.random.default_rng(seed).normal(size=(7, 3)) + offset)).astype(dtype)
    r = normalise(make(x), x, dtype=np.float64)
    np.testing.assert_allclose(r, exactly(x, EXACTLY[make]), rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(normalise(make(x), x), r.astype(dtype))


@st.composite
def integer_tables(draw):
    dtype = np.dtype(draw(st.sampled_from(INTEGERS)))
    least, most = (0, 1) if dtype == np.bool_ else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    low = draw(st.integers(least, most))
    high = min(low + draw(st.integers(0, 2 ** draw(st.integers(0, 64)))), most)
    return np.array(draw(st.lists(st.integers(low, high), min_size=1, max_size=6)), dtype)[:, None]


@pytest.mark.parametrize("make", EXACTLY)
@property_test(examples=40)
@given(x=integer_tables())
def test_integers_of_every_range_are_exact_or_refused(make, x):
    try:
        r = normalise(make(x), x)
    except ValueError as error:
        assert "float64 cannot represent" in str(error)  # noqa: PT017 -- no error is right too
        assert max(abs(int(x.min())), int(x.max())) > 2**53
        assert int(x.max()) - int(x.min()) < 2**35
    else:
        assert r.dtype == np.float32
        magnitude, spread = np.abs(x.astype(np.float64)).max(), np.std(x.astype(np.longdouble))
        rounded_mean = float(np.spacing(magnitude) / spread) if spread else 0.0
        expected = exactly(x, EXACTLY[make])
        np.testing.assert_allclose(r, expected, rtol=1e-6, atol=1e-6 + rounded_mean)
        assert make is standardise or (r.min() >= 0 and r.max() <= 1)


def test_integers_are_normalised_without_loss():
    x = 1_700_000_000 + np.arange(1000)[:, None]  # time stamps, one per second
    r = normalise(standardise(x), x)
    np.testing.assert_allclose(r, (x - x.mean(axis=0)) / x.std(axis=0), rtol=0, atol=1e-7)
    with pytest.raises(ValueError, match=r"integers from 46116860.* subtract an offset first"):
        standardise(2**62 + np.arange(1000)[:, None])


@pytest.mark.parametrize("make", EXACTLY)
def test_values_near_the_ends_of_float64(make):
    for x in ([1.7e308, 1.6e308], [-1.7e308, -1e300, 0.0], [5e-324, 0.0, 5e-324, 1e-320], [1e308]):
        x = np.array(x)[:, None]
        r = normalise(make(x), x)
        np.testing.assert_allclose(r, exactly(x, EXACTLY[make]), rtol=1e-9, atol=0.05)
    x = np.array([[-1.7e308], [1.7e308]])
    np.testing.assert_allclose(normalise(standardise(x), x), [[-1], [1]])
    np.testing.assert_array_equal(denormalise(standardise(x), [[-1.0], [1.0]]), x)
    with pytest.raises(ValueError, match="range beyond that of float64; divide x by 2"):
        unit_range(x)


def test_a_dtype_too_narrow_for_the_result_is_refused():
    small, large = (Normalisation(np.zeros(()), np.full((), unit)) for unit in (1e-6, 1e6))
    for function, scale in ((normalise, small), (denormalise, large)):
        with pytest.raises(ValueError, match=r"1 becomes .* range of float16; use a wider"):
            function(scale, np.ones((2, 2)), dtype=np.float16)
    assert np.isnan(normalise(small, np.array([[np.nan]]))).all()  # NaN in, NaN out
    for dtype in (int, np.uint8, complex):
        with pytest.raises(ValueError, match="dtype must be floating point, got"):
            denormalise(identity(), np.ones((2, 2)), dtype=dtype)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("make", [unit_range, standardise, covariance_scale])
def test_statistics_refuse_values_that_are_not_finite(make, bad):
    x = np.ones((6, 2))
    x[3, 1] = bad
    lazy = LazyArray("x", x.__getitem__, x.shape, x.dtype)
    for source in (x, lazy, jnp.asarray(x)):
        with pytest.raises(ValueError, match=rf"1 of 12, first {bad} at index \(3, 1\)"):
            make(source)
    for bounds in ({"low": bad}, {"low": 0.0, "high": bad}, {"low": bad, "high": bad}):
        with pytest.raises(ValueError, match="expected bounds with low < high"):
            unit_range(np.ones((2, 2)), **bounds)
    for empty in (np.ones((0, 2)), np.ones((2, 0)), np.ones(())):
        with pytest.raises(ValueError, match=r"expected .*not empty"):
            make(empty)


def test_lazy_arrays_have_the_same_statistics_in_every_dtype():
    for dtype in (*FLOATS, *INTEGERS):
        x = (IMAGES % 2 if dtype == np.bool_ else IMAGES // 2).astype(dtype)
        lazy = LazyArray("x", x.__getitem__, x.shape, x.dtype)
        for make in MAKERS:
            for found, expected in zip(make(lazy), make(x), strict=True):
                np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint32, np.float32, jnp.bfloat16])
def test_normalise_is_the_same_inside_and_outside_jit(dtype):
    start = 1_700_000_000 if np.dtype(dtype).itemsize == 4 else 0
    x = jnp.asarray(start + np.arange(200).reshape(100, 2), dtype)
    for make in (standardise, unit_range):
        made = make(x)
        inside = jax.jit(lambda x, made=made: normalise(made, x, dtype=np.float32))(x)
        np.testing.assert_allclose(inside, normalise(made, x, dtype=np.float32), atol=2e-6)
    with pytest.raises(ValueError, match="beyond the range of float32; normalise outside of jit"):
        jax.jit(lambda x: normalise(Normalisation(np.zeros(()), np.full((), 1e-60)), x))(x)


def test_a_stored_normalisation_is_applied(tmp_path):
    shift, scale = np.array([1.0, 2.0]), np.array([2.0, 4.0])
    np.savez(tmp_path / "run.npz", shift=shift, scale=scale)
    with np.load(tmp_path / "run.npz") as saved:
        found = normalise(Normalisation(**saved), np.array([[3.0, 10.0]]))
    np.testing.assert_array_equal(found, [[1.0, 2.0]])


@pytest.mark.parametrize("part", [float, np.float32, jnp.float32, lambda value: [value] * 3])
def test_a_normalisation_of_python_floats(part):
    normalisation, ones = Normalisation(part(0.5), part(0.25)), np.ones((2, 3))
    np.testing.assert_array_equal(normalise(normalisation, ones), 2 * ones)
    np.testing.assert_array_equal(denormalise(normalisation, ones), 0.75 * ones)
