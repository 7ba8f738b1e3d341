"""Indexing of lazy arrays agrees with NumPy, or is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import numpy as jnp

from aejax.data import LazyArray, open_stream
from tests.properties import property_test

X = np.arange(30, dtype=np.float32).reshape(10, 3)


def lazily(x):
    return LazyArray("x", lambda rows: x[rows], x.shape, x.dtype)


def views():
    """Lazy arrays, each with the equal array in memory."""
    order = np.array([7, 2, 9, 2])
    return {
        "whole": (lazily(X), X),
        "selected": (lazily(X).select(4, lambda rows: order[rows]), X[order]),
        "mapped": (
            lazily(X).map(lambda rows: rows[:, :2] - 1, features=(2,), dtype="f4"),
            X[:, :2] - 1,
        ),
    }


integers = st.integers(-13, 13)
bounds = st.none() | integers
indices = (
    integers
    | st.builds(slice, bounds, bounds, bounds.filter(lambda step: step != 0))
    | st.lists(integers, max_size=5)
    | st.lists(st.booleans(), min_size=9, max_size=11)
    | st.lists(st.booleans(), min_size=4, max_size=4)
    | st.lists(st.lists(integers, min_size=2, max_size=2), min_size=1, max_size=3)
    | st.lists(integers, max_size=4).map(lambda rows: np.array(rows, np.int8))
    | st.lists(st.integers(0, 13), max_size=4).map(lambda rows: np.array(rows, np.uint64))
    | st.lists(integers, min_size=1, max_size=4).map(jnp.asarray)
)
never = (
    st.floats(-13, 13)
    | st.lists(st.floats(-13, 13), min_size=1, max_size=3)
    | st.sampled_from([None, ..., (1, 2), (slice(None), 0), "1", [None], 2j, True, np.True_, [[]]])
)


@pytest.mark.parametrize("view", views())
@property_test(examples=60)
@given(index=indices)
def test_indexing_agrees_with_numpy(view, index):
    lazy, x = views()[view]
    try:
        expected = x[np.asarray(index) if isinstance(index, jnp.ndarray) else index]
    except IndexError:
        with pytest.raises(IndexError, match="x"):
            lazy[index]
    else:
        found = lazy[index]
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@property_test(examples=30)
@given(index=never)
def test_an_invalid_index_is_refused(index):
    if isinstance(index, list) and index == [[]]:
        assert lazily(X)[index].shape == X[index].shape
        return
    with pytest.raises(IndexError, match="x "):
        lazily(X)[index]


def test_a_selection_out_of_range_is_refused():
    with pytest.raises(IndexError, match="index 10 is out of range: x has 10 examples"):
        lazily(X).select(3, lambda rows: rows + 8)[[0, 2]]


def test_iteration_agrees_with_numpy():
    assert [row.tolist() for row in lazily(X[:3])] == X[:3].tolist()


def test_rows_beyond_the_test_split_of_a_stream_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", X)
    stream = open_stream(tmp_path / "x.npy")
    np.testing.assert_array_equal(stream.test[-1], X[9])
    np.testing.assert_array_equal(stream.train[-1], X[8])
    np.testing.assert_array_equal(stream.test[np.array([False, True])], X[[9]])
    for index in (2, [-3], [0, 2], [True, False, True]):
        with pytest.raises(IndexError):
            stream.test[index]


@pytest.mark.parametrize(
    "read",
    [lambda rows: X[rows, :2], lambda rows: X[rows].astype(float), lambda rows: X[rows[:1]]],
)
def test_a_reader_of_the_wrong_shape_or_dtype_is_refused(read):
    with pytest.raises(
        ValueError, match=r"photos returned float\d\d\[.*\]; expected float32\[2, 3\]"
    ):
        LazyArray("photos", read, X.shape, np.float32)[:2]


def test_byte_order_becomes_native():
    lazy = LazyArray("x", lambda rows: X.astype(">f4")[rows], X.shape, ">f4")
    assert lazy.dtype == lazy[:].dtype == np.dtype("f4")
    assert lazy.dtype.isnative
    np.testing.assert_array_equal(lazy[:], X)
