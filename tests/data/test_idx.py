import gzip
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aejax.data import read_idx

HEADER = bytes([0, 0, 0x08, 2]) + (3).to_bytes(4, "big") + (4).to_bytes(4, "big")
VALID = HEADER + bytes(range(12))
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 1, 2)])
def test_reads_what_was_written(tmp_path, write_idx, dtype, suffix, shape):
    array = np.random.default_rng(0).uniform(-100, 100, shape).astype(dtype)
    read = read_idx(write_idx(tmp_path / f"file{suffix}", array))
    assert read.dtype == np.dtype(dtype)
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file: it starts with bytes none"),
        (b"\0\0", "not an IDX file: it starts with bytes 00 00"),
        (b"PK\3\4" + bytes(20), "not an IDX file: it starts with bytes 50 4b 03 04"),
        (b"\0\0\x0a\1" + bytes(20), "expected 00 00, a dtype code"),
        (b"\0\0\x08\0\7", "IDX header has 0 axes; expected 1 to 32"),
        (b"\0\0\x08\x21" + bytes(200), "IDX header has 33 axes"),
        (HEADER[:9], "IDX header ends early, within the sizes of its 2 axes"),
        (HEADER[:8] + bytes(4), r"IDX header has the shape \(3, 0\): no values"),
        (VALID[:-1], "truncated: 11 bytes of values"),
        (VALID + b"\0", "trailing bytes after the 12"),
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_errors_name_the_file_and_the_fault(tmp_path, content, message, compress):
    path = tmp_path / "broken-idx"
    # An empty gzip stream is valid; the plain file consists of the content only.
    path.write_bytes(gzip.compress(content) if compress else content)
    if not compress and message.startswith("truncated"):
        message = "more than the file can contain|truncated"
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")


@pytest.mark.parametrize("cut", [1, 8, 20])
def test_truncated_gzip(tmp_path, cut):
    path = tmp_path / "broken.gz"
    path.write_bytes(gzip.compress(VALID)[:-cut])
    with pytest.raises(ValueError, match="damaged gzip file"):
        read_idx(path)


@pytest.mark.parametrize("compress", [False, True])
def test_a_huge_claim_is_refused_before_allocation(tmp_path, compress):
    claim = bytes([0, 0, 0x08, 2]) + (2**20).to_bytes(4, "big") * 2 + bytes(64)
    path = tmp_path / "claims-much"
    path.write_bytes(gzip.compress(claim) if compress else claim)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"{2**40} bytes: more than the file can contain"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def read_or_refuse(path, content):
    """Any content is either read, within its size, or refused with the name of the file."""
    path.write_bytes(content)
    try:
        array = read_idx(path)
    except ValueError as error:
        assert str(path) in str(error)  # noqa: PT017 -- no error is right too
    else:
        assert 0 < array.nbytes <= 1032 * len(content)


@one_folder
@given(content=st.binary(max_size=64))
def test_any_bytes(tmp_path, content):
    read_or_refuse(tmp_path / "fuzz", content)


@one_folder
@given(
    rest=st.binary(max_size=64),
    code=st.sampled_from([0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E]),
    rank=st.integers(0, 255),
    compress=st.booleans(),
)
def test_any_bytes_after_a_good_magic(tmp_path, rest, code, rank, compress):
    content = bytes([0, 0, code, rank]) + rest
    read_or_refuse(tmp_path / "fuzz", gzip.compress(content) if compress else content)


@one_folder
@given(position=st.integers(0, len(VALID) + 20), value=st.integers(0, 255), compress=st.booleans())
def test_any_one_byte_changed(tmp_path, position, value, compress):
    content = bytearray(gzip.compress(VALID) if compress else VALID)
    content[position % len(content)] = value
    read_or_refuse(tmp_path / "fuzz", bytes(content))
