"""Tensors of a file by name, with shapes and dtypes from its header; values are read on request.

Shapes, dtypes and names can so be checked before memory is allocated for a value. Nothing in a file
is executed.
"""

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from aejax.data.files import READ_ERRORS

FLOATING = tuple(np.dtype(dtype) for dtype in (np.float16, np.float32, np.float64, jnp.bfloat16))
"""Dtypes of weights."""

SAFETENSORS_DTYPES = {
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(jnp.bfloat16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
    "I32": np.dtype(np.int32),
    "I64": np.dtype(np.int64),
}
MAX_NPY_HEADER_BYTES = 10_000
MAX_DEFLATE_RATIO = 1032
"""Largest ratio of sizes before and after compression that the deflate format allows."""

DAMAGE = EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error
"""Exceptions of a zip archive that is damaged, encrypted, or compressed by an unknown method."""

Shape = tuple[int, ...]


class StoredTensor(NamedTuple):
    """A tensor of a file.

    shape: its shape.
    dtype: its dtype.
    read:  () -> its values.
    """

    shape: Shape
    dtype: np.dtype
    read: Callable[[], np.ndarray]


Tensors = Mapping[str, StoredTensor]


def safetensors_file(path: Path) -> dict[str, StoredTensor]:
    """Tensors of a safetensors file.

    Args:
        path: path of the file.

    Returns:
        The tensors by name.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if its header is invalid, or does not describe a file of this length.

    Source: safetensors.
    """
    from safetensors import SafetensorError, safe_open

    path.open("rb").close()  # raises Python's FileNotFoundError
    try:
        file = safe_open(path, framework="numpy")
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is not a complete safetensors file: {error}") from error

    def tensor(name: str) -> StoredTensor:
        dtype = SAFETENSORS_DTYPES.get(slices[name].get_dtype())
        if dtype is None:
            raise ValueError(f"{path}: {name} has the dtype {slices[name].get_dtype()}")
        shape = tuple(slices[name].get_shape())
        return StoredTensor(shape, dtype, lambda: file.get_tensor(name))

    return {name: tensor(name) for name in slices}


def npz_file(path: Path) -> dict[str, StoredTensor]:
    """Arrays of a NumPy archive.

    Args:
        path: path of the file.

    Returns:
        The arrays by name.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file is not an archive of arrays, if a header is invalid or does not
            describe an array of its length, or if an array contains Python objects.

    Source: NEP 1.
    """
    path.open("rb").close()  # raises Python's FileNotFoundError
    with damage_refused(f"{path} is not a NumPy archive"), zipfile.ZipFile(path) as archive:
        return {
            name.removesuffix(".npy"): _npy_member(path, archive, member)
            for name, member in archive_members(path, archive).items()
        }


@contextmanager
def damage_refused(description: str) -> Iterator[None]:
    """Context in which exceptions of a damaged zip archive become a ValueError.

    Args:
        description: start of the message.

    Yields:
        Nothing.

    Raises:
        ValueError: if the archive is damaged, encrypted, or compressed by an unknown method.
    """
    try:
        yield
    except DAMAGE as error:
        raise ValueError(f"{description}: {error or type(error).__name__}") from error


def archive_members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Members of a zip archive, whose sizes are possible for a file of its length.

    Args:
        path: path of the archive.
        archive: the open archive.

    Returns:
        The members by name.

    Raises:
        ValueError: if two have the same name, or one is larger than the file can contain.
    """
    length = path.stat().st_size
    members = {member.filename: member for member in archive.infolist()}
    if len(members) < len(archive.infolist()):
        raise ValueError(f"{path} has two members of the same name")
    for name, member in members.items():
        stored = member.compress_type == zipfile.ZIP_STORED
        limit = member.compress_size * (1 if stored else MAX_DEFLATE_RATIO)
        if member.header_offset + member.compress_size > length or member.file_size > limit:
            raise ValueError(
                f"{path}: {name} has {member.file_size} bytes according to its header, which a "
                f"file of {length} bytes cannot contain"
            )
    return members


def _npy_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> StoredTensor:
    where = f"{path}: {member.filename}"
    try:
        with archive.open(member) as file:
            shape, fortran_order, dtype = _npy_header(file)
            start = file.tell()
    except READ_ERRORS as error:
        raise ValueError(f"{where} is not an array: {error}") from error
    if dtype.hasobject:
        raise ValueError(f"{where} contains Python objects, which are not read")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or start + size != member.file_size:
        raise ValueError(
            f"{where} has a header for {dtype}{list(shape)}, {size} bytes, but "
            f"{member.file_size - start} bytes of values"
        )

    def read() -> np.ndarray:
        with damage_refused(f"{where} cannot be read"), zipfile.ZipFile(path) as archive:
            data = archive.read(member)
        if len(data) != start + size:
            raise ValueError(f"{where} has {len(data)} bytes of {start + size}")
        order = "F" if fortran_order else "C"
        return np.frombuffer(data, dtype, offset=start).reshape(shape, order=order)

    return StoredTensor(shape, dtype.newbyteorder("="), read)


def _npy_header(file: Any) -> tuple[Shape, bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"it has version {version} of the format")
    return readers[version](file, max_header_size=MAX_NPY_HEADER_BYTES)


def checked_values(
    path: Path,
    tensors: Tensors,
    shapes: Mapping[str, Shape],
    *,
    optional: Mapping[str, Shape] | None = None,
) -> dict[str, np.ndarray]:
    """Values of the tensors of a file, after all names, shapes and dtypes have been checked.

    Args:
        path: path of the file, for messages.
        tensors: tensors of the file.
        shapes: shape of each tensor that the file must have.
        optional: shape of each tensor that it may have.

    Returns:
        The values by name.

    Raises:
        ValueError: if a tensor is missing, unknown, or has another shape, a dtype that is not
            floating, NaN or infinity.
    """
    known = {**shapes, **(optional or {})}
    missing, unknown = shapes.keys() - tensors.keys(), tensors.keys() - known.keys()
    if missing or unknown:
        listed = {"lacks": sorted(missing), "has the unknown": sorted(unknown)}
        texts = [f"{verb} {', '.join(names)}" for verb, names in listed.items() if names]
        raise ValueError(
            f"{path} {' and '.join(texts)}; expected the tensors {', '.join(sorted(shapes))}"
        )
    for name, tensor in tensors.items():
        if tensor.shape != known[name]:
            raise ValueError(
                f"{path}: {name} must have the shape {list(known[name])}, got {list(tensor.shape)}"
            )
        if tensor.dtype not in FLOATING:
            raise ValueError(f"{path}: {name} must be floating, got {tensor.dtype}")
    return {name: _finite(path, name, tensor) for name, tensor in tensors.items()}


def matrix_shape(path: Path, tensors: Tensors, name: str) -> tuple[int, int]:
    """Shape of a matrix of a file.

    Args:
        path: path of the file, for messages.
        tensors: tensors of the file.
        name: name of the matrix.

    Returns:
        Its two sizes.

    Raises:
        ValueError: if it is missing, or not a matrix with rows and columns.
    """
    if name not in tensors:
        raise ValueError(f"{path} lacks {name}; it has {', '.join(sorted(tensors)) or 'nothing'}")
    shape = tensors[name].shape
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{path}: {name} must be a matrix, got the shape {list(shape)}")
    return shape[0], shape[1]


def _finite(path: Path, name: str, tensor: StoredTensor) -> np.ndarray:
    values: Any = tensor.read()
    values = values.astype(tensor.dtype, copy=False)
    if not np.isfinite(values).all():
        raise ValueError(f"{path}: {name} has NaN or infinity")
    return values
