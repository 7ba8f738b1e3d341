"""Arrays and data frames are converted to a `Batch`; ambiguous inputs are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from aejax import Batch
from aejax.batch_inputs import as_batch, check_lengths
from tests.properties import property_test

X = np.arange(12.0, dtype=np.float32).reshape(4, 3)


@pytest.mark.parametrize(
    "data",
    [
        X,
        jnp.asarray(X),
        pd.DataFrame(X),
        torch.tensor(X),
        X.astype(">f4"),
        np.asfortranarray(X),
        np.ma.array(X),
        Batch(X.tolist()),
        Batch(pd.DataFrame(X), target=None),
    ],
)
def test_arrays_of_any_library_become_x(data):
    batch = as_batch(data)
    assert isinstance(batch, Batch)
    np.testing.assert_array_equal(batch.x, X)
    assert batch.target is batch.weight is None


@property_test(examples=30)
@given(
    st.sampled_from(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "?"]),
    st.sampled_from("<>="),
    st.booleans(),
)
def test_values_are_preserved_for_every_dtype_byte_order_and_memory_order(kind, order, fortran):
    given_x = np.array(X, dtype=np.dtype(kind).newbyteorder(order), order="F" if fortran else "C")
    found = as_batch(Batch(given_x, weight=given_x[:, 0]))
    assert np.asarray(found.x).dtype.isnative
    np.testing.assert_array_equal(found.x, given_x)
    np.testing.assert_array_equal(found.weight, given_x[:, 0])


def test_traced_arrays_and_shapes_pass():
    assert as_batch(jax.ShapeDtypeStruct((4, 3), jnp.float32)).x.shape == (4, 3)
    found = jax.jit(lambda x: as_batch(x).x)(X)
    np.testing.assert_array_equal(found, X)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((X, X), r"the data must be examples, got tuple \(ndarray, ndarray\); give aejax.Batch"),
        ([X, X], r"got list \(ndarray, ndarray\); give aejax.Batch"),
        ({"x": X}, "got dict"),
        (None, "got NoneType"),
        ("mnist", "got str"),
        (csr_matrix(X), "got csr_matrix|cannot be converted|of real numbers"),
        (Batch([[1.0], [1.0, 2.0]]), "x cannot be converted to an array"),
        (
            Batch(X, target=np.array(["a"] * 4)),
            "target must be an array of real numbers, got ndarr",
        ),
        (pd.DataFrame({"name": ["a", "b"]}), "x must be an array of real numbers, got DataFrame"),
        (np.ma.masked_greater(X, 5), "x is a masked array with missing values"),
        (np.array(["2020-01-01"], "datetime64[D]"), "x must be an array of real numbers"),
    ],
)
def test_other_inputs_are_refused_with_advice(data, message):
    with pytest.raises(ValueError, match=message):
        as_batch(data)


def test_arrays_of_different_lengths_are_refused():
    check_lengths(Batch(jnp.asarray(X), weight=jnp.ones(4)))
    with pytest.raises(ValueError, match=r"one entry per example, got lengths \[3, 4\]"):
        check_lengths(Batch(jnp.asarray(X), weight=jnp.ones(3)))
    with pytest.raises(ValueError, match=r"weight must be \[examples, …\], got the scalar"):
        check_lengths(Batch(jnp.asarray(X), weight=jnp.asarray(1.0)))
