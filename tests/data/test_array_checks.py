import jax
import ml_dtypes
import numpy as np
import pytest
from jax import numpy as jnp

from aejax.data import Dataset, check_array, check_dataset, check_support
from aejax.data.array_checks import clip_rounding
from aejax.data.example_blocks import blocks

GOOD = np.arange(24, dtype=np.float32).reshape(4, 2, 3)


@pytest.mark.parametrize(
    "x", [GOOD, GOOD.astype(np.uint8), GOOD > 3, jnp.asarray(GOOD), jnp.asarray(GOOD, jnp.bfloat16)]
)
def test_accepts_real_numbers(x):
    check_array(x)
    check_array(x, rank=3)


@pytest.mark.parametrize(
    ("x", "rank", "message"),
    [
        (GOOD[0, 0], None, r"images has shape \(3,\), 1 axes; expected \[examples, \*features\]"),
        (GOOD, 2, r"images has shape \(4, 2, 3\), 3 axes; expected 2 axes"),
        (GOOD[:0], None, r"images is empty, shape \(0, 2, 3\)"),
        (GOOD[:, :0], None, r"images is empty, shape \(4, 0, 3\)"),
        (GOOD.astype(complex), None, "images has dtype complex128; expected real numbers"),
        (GOOD.astype(str), None, "images has dtype <U32; expected real numbers"),
    ],
)
def test_refuses_invalid_batches(x, rank, message):
    with pytest.raises(ValueError, match=message):
        check_array(x, "images", rank=rank)


@pytest.mark.parametrize("as_array", [np.asarray, jnp.asarray])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_counts_nan_and_infinity_and_finds_the_first(as_array, bad):
    x = GOOD.copy()
    x[2, 1, 0] = x[3, 0, 0] = bad
    with pytest.raises(ValueError, match=rf"2 of 24, first {bad} at index \(2, 1, 0\)"):
        check_array(as_array(x))


def test_finds_the_first_in_a_later_block(monkeypatch):
    monkeypatch.setattr("aejax.data.example_blocks.BYTES_PER_BLOCK", GOOD[0].nbytes)
    x = GOOD.copy()
    x[3, 1, 2] = np.nan
    with pytest.raises(ValueError, match=r"1 of 24, first nan at index \(3, 1, 2\)"):
        check_array(x)


def test_support_says_where_and_what_to_do():
    x = np.full((2, 3), 0.5)
    check_support(x)
    x[1, 1], x[1, 2] = 1.5, -1
    with pytest.raises(
        ValueError,
        match=r"x has values outside \[0, 1\]: 2 of 6, first 1.5 at index \(1, 1\); "
        r"scale with unit_range or use the squared error",
    ):
        check_support(x)
    check_support(x, (-np.inf, np.inf))


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [
        (np.float64, 64 * 2.0**-52),
        (np.float32, 64 * 2.0**-23),
        (np.float16, 0.01),
        (ml_dtypes.bfloat16, 0.01),
    ],
)
@pytest.mark.parametrize("support", [(0.0, 1.0), (-1.0, 1.0), (0.0, np.inf)])
def test_support_includes_bounds_and_rounding_errors(dtype, tolerance, support):
    low, high = support
    for bound, sign in ((low, -1), (high, 1)):
        if np.isinf(bound):
            continue
        near = np.array([[bound, bound + sign * 0.9 * tolerance]]).astype(dtype)
        check_support(near, support)
        np.testing.assert_array_equal(clip_rounding(near, support), np.full((1, 2), bound))
        far = np.array([[0.5, bound + sign * 1.9 * tolerance]]).astype(dtype)
        with pytest.raises(ValueError, match="1 of 2"):
            check_support(far, support)
        np.testing.assert_array_equal(clip_rounding(far, support), far)


def test_integers_have_no_support_tolerance():
    with pytest.raises(ValueError, match="1 of 2, first 2"):
        check_support(np.array([[1, 2]]))


def test_clipping_copies_only_if_a_value_changes():
    inside = np.array([[0.0, 1.0]])
    assert clip_rounding(inside, (0.0, 1.0)) is inside
    beyond = np.array([[np.nextafter(1.0, 2.0), 0.5]])
    clip_rounding(beyond, (0.0, 1.0))
    assert beyond[0, 0] > 1
    found = clip_rounding(jnp.asarray([[1 + 1e-6, -1e-6]]), (0.0, 1.0))
    assert isinstance(found, jax.Array)
    assert found.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": GOOD[:, :1]}, r"train examples have shape \(2, 3\), test examples \(1, 3\)"),
        ({"x_test": GOOD[:0]}, r"set: x_test is empty"),
        ({"labels_train": np.arange(3)}, r"labels_train has shape \(3,\).*each of the 4 examples"),
        ({"labels_test": np.zeros(4)}, r"labels_test has shape \(4,\), dtype float64"),
    ],
)
def test_refuses_inconsistent_arrays(changes, message):
    good = Dataset("set", GOOD, GOOD, np.arange(4), None)
    assert check_dataset(good) is good
    with pytest.raises(ValueError, match=message):
        check_dataset(good._replace(**changes))


@pytest.mark.parametrize("bytes_per_block", [1, 24, 50, 10**6])
def test_blocks_concatenate_to_the_array(monkeypatch, bytes_per_block):
    monkeypatch.setattr("aejax.data.example_blocks.BYTES_PER_BLOCK", bytes_per_block)
    starts, parts = zip(*blocks(GOOD), strict=True)
    np.testing.assert_array_equal(np.concatenate(parts), GOOD)
    assert [len(part) for part in parts] == list(np.diff([*starts, 4]))
    assert all(len(part) == 1 or part.nbytes <= bytes_per_block for part in parts)
