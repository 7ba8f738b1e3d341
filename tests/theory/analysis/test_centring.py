"""Centring against exact rational arithmetic, and scaling by powers of two."""

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest

from aejax import theory
from aejax.theory.analysis.centring import centred, scale_to_unit, storage_precision
from aejax.theory.checking.problem import every_nth

GENERATOR = np.random.default_rng(3)
SMALL = GENERATOR.integers(-1000, 1000, (50, 4))


def exact(value):
    return Fraction(int(value)) if isinstance(value, np.integer) else Fraction(float(value))


def exactly_centred(x):
    """x − x̄ and x̄ in rational arithmetic, rounded once."""
    columns = [[exact(value) for value in column] for column in x.T]
    means = [sum(column) / len(column) for column in columns]
    rows = [
        [float(value - mean) for value in column]
        for column, mean in zip(columns, means, strict=True)
    ]
    return np.array(rows).T, np.array([float(mean) for mean in means])


@pytest.mark.parametrize(
    "x",
    [
        SMALL,
        SMALL + 2**60,
        SMALL - 2**62,
        (SMALL + 1000).astype(np.uint64) + np.uint64(2**63),
        np.array([[-(2**63), 5], [2**63 - 1, 6], [7, 8]]),
        SMALL.astype(np.int16),
        GENERATOR.normal(size=(50, 4)),
        GENERATOR.normal(size=(50, 4)) + 1e12,
        (GENERATOR.normal(size=(50, 4)) + 1e3).astype(np.float32),
        (GENERATOR.normal(size=(50, 4)) + 10).astype(np.float16),
    ],
)
def test_centring_is_exact_to_float64_precision(x):
    rows, mean, _ = centred(x)
    expected, expected_mean = exactly_centred(x)
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-15 * np.abs(expected).max())
    np.testing.assert_allclose(mean, expected_mean, rtol=0, atol=1e-15 * np.abs(x).max())
    assert rows.dtype == mean.dtype == np.float64


def test_extended_precision_is_centred_before_rounding_to_float64():
    small = GENERATOR.integers(-8, 8, (50, 4)) / 1024
    rows, *_ = centred(np.longdouble(2.0**50) + np.longdouble(small))
    np.testing.assert_allclose(rows, small - small.mean(axis=0), rtol=0, atol=1e-17)


@pytest.mark.parametrize("power", [-1070, -300, 0, 300, 1020])
def test_scaling_to_unit_magnitude_is_exact(power):
    x = np.ldexp(GENERATOR.integers(1, 8, (5, 3)).astype(float), power)
    scaled, exponent = scale_to_unit(x)
    assert 0.5 <= scaled.max() < 1
    np.testing.assert_array_equal(np.ldexp(scaled, exponent), x)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.float64, 2.0**-52),
        (np.float32, 2.0**-23),
        (np.float16, 2.0**-10),
        (np.int64, 0.0),
        (jnp.bfloat16, 2.0**-7),
        (np.longdouble, float(np.finfo(np.longdouble).eps)),
    ],
)
def test_storage_precision_is_the_epsilon_of_the_dtype(dtype, expected):
    assert storage_precision(SMALL.astype(dtype)) == expected
    assert theory.pose(SMALL.astype(dtype), 2).precision == expected


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-9, 1.0, 1e9, 1e200, 1.7e308])
def test_products_of_variances_of_the_posed_data_do_not_overflow(scale):
    x = scale * np.clip(GENERATOR.normal(size=(40, 4)) / 4, -1, 1)
    problem = theory.pose(x, 2)
    np.testing.assert_array_equal(np.ldexp(problem.x, problem.exponent), x)
    assert (problem.exponent == 0) == (1e-10 < scale < 1e10)
    assert 1e-40 < problem.pca.eigenvalues[1] ** 2 < 1e40
    assert problem.moments.magnitude == pytest.approx(np.sqrt(np.sum(problem.x**2) / 40))


def test_every_nth_equals_the_problem_posed_on_those_examples():
    for x in (SMALL + 2**60, SMALL + 0.5):
        few, alone = every_nth(theory.pose(x, 2), 3), theory.pose(x[::3], 2)
        np.testing.assert_allclose(few.centred, alone.centred, atol=1e-12)
        np.testing.assert_allclose(few.moments.mean, alone.moments.mean)
        np.testing.assert_allclose(few.pca.eigenvalues, alone.pca.eigenvalues)
        np.testing.assert_array_equal(few.x, alone.x)


def test_a_gap_within_the_rounding_of_the_stored_dtype_is_not_identifiable():
    """Rounding to float16 separates equal eigenvalues by 10⁻³, far above float64 rounding."""
    x = np.repeat(np.eye(4), 10, axis=0) @ np.linalg.qr(GENERATOR.normal(size=(4, 4)))[0]
    (answer,) = theory.optimal_map(theory.pose(x.astype(np.float16), 2))
    assert answer.verdict == "not identifiable"
    assert "in its stored dtype" in answer.reason
