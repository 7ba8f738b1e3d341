"""Every reader refuses dtypes that are not real."""

import io

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
from array_record.python.array_record_module import ArrayRecordWriter
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from aejax.data import (
    Dataset,
    LazyArray,
    check_array,
    check_dataset,
    covariance_scale,
    identity,
    load,
    load_array,
    normalise,
    open_stream,
    standardise,
    unit_range,
)
from tests.properties import property_test

NOT_REAL = [
    np.ones((10, 2)) * 1j,
    np.ones((10, 2), "c8"),
    np.full((10, 2), "word"),
    np.full((10, 2), b"word"),
    np.zeros((10, 2), "M8[ns]"),
    np.zeros((10, 2), "m8[s]"),
    np.zeros((10, 2), [("a", "f4"), ("b", "i4")]),
    np.zeros((10, 2), "V3"),
]
REAL = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]


def ids(x):
    return str(x.dtype)


def write_records(path, x):
    writer = ArrayRecordWriter(str(path), "group_size:1")
    for row in x:
        file = io.BytesIO()
        np.save(file, row)
        writer.write(file.getvalue())
    writer.close()


READERS = {
    "load npy": (np.save, "x.npy", load),
    "load npz": (np.savez, "x.npz", load),
    "load_array npy": (np.save, "x.npy", load_array),
    "load_array npz": (np.savez, "x.npz", load_array),
    "stream npy": (np.save, "x.npy", open_stream),
    "stream records": (write_records, "x.array_record", open_stream),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("x", NOT_REAL, ids=ids)
def test_every_reader_refuses_dtypes_that_are_not_real(tmp_path, reader, x):
    write, name, read = READERS[reader]
    write(tmp_path / name, x)
    with pytest.raises(ValueError, match=r"x\.(npy|npz|array_record).*(dtype|expected real)"):
        read(tmp_path / name)


@pytest.mark.parametrize("x", [*NOT_REAL, np.full((10, 2), {}, object)], ids=ids)
@pytest.mark.parametrize(
    "function",
    [
        check_array,
        standardise,
        unit_range,
        covariance_scale,
        lambda x: normalise(identity(), x),
        lambda x: LazyArray("x", x.__getitem__, x.shape, x.dtype),
        lambda x: check_dataset(Dataset("x", x, x)),
    ],
)
def test_every_function_refuses_dtypes_that_are_not_real(function, x):
    with pytest.raises(ValueError, match=r"x.* has dtype .*; expected real numbers: \w+"):
        function(x)


@pytest.mark.parametrize("reader", READERS)
@property_test(examples=10)
@given(
    dtype=st.sampled_from(REAL),
    order=st.sampled_from("<>"),
    fortran=st.booleans(),
    scale=st.integers(-300, 300),
)
def test_every_reader_returns_what_was_written(
    tmp_path_factory, reader, dtype, order, fortran, scale
):
    write, name, read = READERS[reader]
    x = np.arange(30).reshape(10, 3) * (10.0 ** min(scale, 3) if dtype == "f8" else 1)
    x = np.asarray(x, np.dtype(dtype).newbyteorder(order), order="F" if fortran else "C")
    path = tmp_path_factory.mktemp("readers") / name
    write(path, x)
    if reader == "stream npy" and fortran:
        with pytest.raises(ValueError, match=r"Fortran order.*np\.ascontiguousarray"):
            read(path)
        return
    found = read(path)
    train = found if isinstance(found, np.ndarray) else found[1][:]
    expected = x if isinstance(found, np.ndarray) else np.delete(x, [4, 9], axis=0)  # test split
    assert train.dtype == np.dtype(dtype)
    assert train.dtype.isnative
    np.testing.assert_array_equal(train, expected)


def test_records_of_another_dtype_or_shape_are_reported(tmp_path):
    rows = [np.arange(3.0)] * 6
    for other in (np.arange(3), np.arange(3.0) * 1j, np.arange(3.0, dtype="f4"), np.arange(4.0)):
        write_records(tmp_path / "x.array_record", [*rows[:4], other, *rows[4:]])
        with pytest.raises(ValueError, match=r"record 4 of .*x\.array_record is "):
            open_stream(tmp_path / "x.array_record").test[:]


def test_lists_and_data_frames_are_converted():
    x = [[1, 2.5], [3, 4]]
    check_array(x)
    check_array(pd.DataFrame(x))
    for given_as in (x, tuple(map(tuple, x)), pd.DataFrame(x)):
        for make in (standardise, unit_range, covariance_scale):
            for part, expected in zip(make(given_as), make(np.array(x)), strict=True):
                np.testing.assert_array_equal(part, expected)
        r = normalise(standardise(given_as), given_as)
        np.testing.assert_array_equal(r, normalise(standardise(np.array(x)), np.array(x)))
    dataset = check_dataset(Dataset("mine", x, pd.DataFrame(x), [0, 1], None))
    assert dataset.x_test.tolist() == x
    assert dataset.labels_train.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1, 2], [3]], "is not an array of examples"),
        (pd.DataFrame({"a": [1.0], "b": ["x"]}), "has dtype object; expected real numbers"),
        (np.ma.masked_array([[1.0, 2.0]], [[True, False]]), "masked values"),
        ([["1", "2"]], "has dtype <U1; expected real numbers: encode text"),
    ],
)
def test_other_inputs_are_refused(x, message):
    for function in (check_array, standardise, lambda x: normalise(identity(), x)):
        with pytest.raises(ValueError, match=message):
            function(x)


def test_nan_is_found_in_low_precision():
    for dtype in (np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn):
        x = np.ones((6, 2), dtype)
        check_array(x)
        x[3, 1] = np.nan
        with pytest.raises(ValueError, match=r"1 of 12, first nan at index \(3, 1\)"):
            check_array(x)
        with pytest.raises(ValueError, match="x has NaN or infinity"):
            standardise(x)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.coo_array])
def test_sparse_matrices_are_refused_with_advice(make):
    x = make(np.eye(3))
    for function in (standardise, unit_range, covariance_scale, check_array):
        with pytest.raises(ValueError, match=r"x is sparse, .*; use x\.toarray\(\)"):
            function(x)
