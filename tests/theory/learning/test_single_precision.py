"""Single precision against NumPy's float32, and coarser formats that must fail."""

import re

import ml_dtypes
import numpy as np
import pytest

from aejax import theory
from aejax.theory.learning import single_precision
from tests.theory.degenerate_data import DIGITS, X
from tests.theory.spectra import with_spectrum

PROBLEM = theory.pose(X, 3)


def lost_by_numpy(x, code, stored):
    """Errors of NumPy's reconstructions in float32 with kernels stored in a dtype."""
    analysis = theory.pca(x)
    rows = analysis.components[:code]
    kernel = rows.astype(stored).astype(np.float32)
    bias = -(analysis.mean @ rows.T).astype(np.float32)
    code = x.astype(np.float32) @ kernel.T + bias
    x_hat = code @ kernel + analysis.mean.astype(np.float32)
    return x_hat - (analysis.mean + (x - analysis.mean) @ rows.T @ rows)


@pytest.mark.parametrize(("x", "code"), [(X, 3), (DIGITS, 10)])
def test_residual_and_control_are_those_of_numpy(x, code):
    (certificate,) = theory.single_precision(theory.pose(x, code))
    spread = np.sqrt(np.var(x, axis=0).sum() * len(x))
    own, coarse = (
        np.linalg.norm(lost_by_numpy(x, code, stored)) / spread
        for stored in (np.float32, ml_dtypes.float8_e4m3fn)
    )
    assert certificate.verdict == "holds"
    assert own / 2 < certificate.residual < 2 * own  # another order of summation
    assert certificate.control == pytest.approx(coarse, rel=1e-4)
    assert 5 * certificate.residual < certificate.tolerance < certificate.control / 1000


def test_the_tolerance_is_float32s_own():
    (certificate,) = theory.single_precision(PROBLEM)
    length = np.sqrt(np.mean(np.sum(X**2, axis=1)))
    expected = 2 * 2.0**-23 * np.sqrt(6) * length / np.sqrt(13.75)
    assert certificate.tolerance == pytest.approx(expected, rel=1e-12, abs=0)
    assert single_precision.SINGLE_CAP == 1e-4


def test_kernels_of_sixteen_bits_fail(monkeypatch):
    """bfloat16 has a third of the digits of float32; float16 has fewer exponents too."""
    lost = [lost_by_numpy(X, 3, stored) for stored in (ml_dtypes.bfloat16, np.float16)]
    for rows in lost:
        monkeypatch.setattr(
            single_precision, "reconstruction_differences", lambda _, rows=rows: (rows, 99 * X)
        )
        (certificate,) = theory.single_precision(PROBLEM)
        assert certificate.verdict == "fails"


def test_errors_are_returned_per_example():
    single, coarse = single_precision.reconstruction_differences(PROBLEM)
    assert single.shape == coarse.shape == X.shape
    np.testing.assert_allclose(coarse, lost_by_numpy(X, 3, ml_dtypes.float8_e4m3fn), atol=1e-5)


@pytest.mark.parametrize(
    ("x", "code", "verdict", "reason"),
    [
        (X + 1e4, 3, "not identifiable", r"float32's rounding .* against the spread .* 3\.7e\+00"),
        (X, 6, "not applicable", "features"),
        (np.full((5, 6), 0.1), 3, "not applicable", "no feature varies"),
        (with_spectrum([2.0], features=6), 3, "holds", "rounding"),
    ],
)
def test_the_reason_states_why_float32_is_too_coarse(x, code, verdict, reason):
    (certificate,) = theory.single_precision(theory.pose(x, code))
    assert certificate.verdict == verdict
    assert re.search(reason, certificate.reason)
