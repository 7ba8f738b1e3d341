"""Reader of IDX files, the format of MNIST: a header with dtype and shape, then the values.

Source: LeCun, Cortes & Burges 1998.
"""

import gzip
import zlib
from io import BufferedIOBase
from math import prod
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAXIMUM_RANK = 32
# Maximum compression ratio of deflate (zlib's documentation), which limits the size of an array.
MAXIMUM_COMPRESSION = 1032


def read_idx(path: str | PathLike[str]) -> Shaped[np.ndarray, "..."]:
    """Read one IDX file, optionally compressed with gzip.

    The header is two zero bytes, a dtype code, the number of axes, and each axis as a big-endian
    uint32; the values follow in C order, big-endian. The header is checked against the size of the
    file before the array is allocated.

    Args:
        path: the file; gzip is recognised by its content, not by its name.

    Returns:
        The array in native byte order: uint8, int8, int16, int32, float32 or float64.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: for another format, a damaged gzip stream, no axes or more than 32, no values,
            or more or fewer values than the header states. The message names the file.
    """
    path = Path(path)
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    limit = path.stat().st_size * (MAXIMUM_COMPRESSION if compressed else 1)
    try:
        with gzip.open(path) if compressed else path.open("rb") as stream:
            return _read(stream, limit)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: damaged gzip file ({error}); get a fresh copy") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def first_bytes(path: Path) -> bytes | None:
    """First two bytes of a file, after gzip decompression; None for a damaged gzip file."""
    try:
        with path.open("rb") as file:
            found = file.read(2)
        if found != b"\x1f\x8b":
            return found
        with gzip.open(path) as stream:
            return stream.read(2)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return None


def _read(stream: BufferedIOBase, limit: int) -> np.ndarray:
    """Read an uncompressed IDX stream of at most `limit` bytes."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES:
        raise ValueError(
            f"not an IDX file: it starts with bytes {magic.hex(' ') or 'none'}; expected 00 00, "
            "a dtype code (08, 09, 0b, 0c, 0d or 0e) and the number of axes"
        )
    dtype, rank = np.dtype(DTYPES[magic[2]]), magic[3]
    if not 1 <= rank <= MAXIMUM_RANK:
        raise ValueError(f"IDX header has {rank} axes; expected 1 to {MAXIMUM_RANK}")
    header = stream.read(4 * rank)
    if len(header) < 4 * rank:
        raise ValueError(f"IDX header ends early, within the sizes of its {rank} axes")
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
    expected = prod(shape) * dtype.itemsize
    if expected == 0:
        raise ValueError(f"IDX header has the shape {shape}: no values")
    if expected > limit:
        raise ValueError(
            f"IDX header has the shape {shape}, {expected} bytes: more than the file can contain"
        )
    values = stream.read(expected)
    if len(values) < expected:
        raise ValueError(
            f"truncated: {len(values)} bytes of values, but the IDX header has the shape {shape}, "
            f"{expected} bytes"
        )
    if stream.read(1):
        raise ValueError(f"trailing bytes after the {expected} bytes of the IDX header's shape")
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="))
