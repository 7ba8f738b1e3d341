"""Tensors of a file of `torch.save`, read without PyTorch and without executing its pickle.

Such a file is a zip archive of a pickle, which names the tensors, and of their storages. A pickle
is a program that may call any function; here its instructions only build values, and the three
functions with which PyTorch describes a dictionary of tensors are recognised by their names.
"""

import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from aejax.interchange.stored_tensors import (
    Shape,
    StoredTensor,
    archive_members,
    damage_refused,
)

STORAGES = {
    "HalfStorage": np.dtype(np.float16),
    "BFloat16Storage": np.dtype(jnp.bfloat16),
    "FloatStorage": np.dtype(np.float32),
    "DoubleStorage": np.dtype(np.float64),
    "IntStorage": np.dtype(np.int32),
    "LongStorage": np.dtype(np.int64),
}
MAX_PICKLE_BYTES = 1 << 20
MAX_DIMENSIONS = 8
MAX_COUNT = 1 << 48
CONVERSION = (
    "convert it where you trust it: torch.save(torch.load(path, weights_only=True), path), with a "
    "PyTorch from 1.6 on"
)
CONSTANTS = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "EMPTY_TUPLE": (),
}
LITERALS = {"BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Global(NamedTuple):
    """Name of a Python object in a pickle, which is not imported."""

    name: str


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    size: int


class _View(NamedTuple):
    """A tensor as a view of a storage; offset and strides count elements."""

    storage: _Storage
    offset: int
    shape: Shape
    strides: Shape


MARK = object()
"""Start of the items of a tuple or dict on the stack."""


def torch_file(path: Path) -> dict[str, StoredTensor]:
    """Tensors of a file that `torch.save` wrote from a dict of tensors.

    Args:
        path: path of the file.

    Returns:
        The tensors by name.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file has another format or byte order; contains anything except a dict of
            tensors; or describes tensors outside its storages.

    Source: PyTorch serialization.
    """
    path.open("rb").close()  # raises Python's FileNotFoundError
    advice = f"{path} is not a zip archive of PyTorch; {CONVERSION}"
    with damage_refused(advice), zipfile.ZipFile(path) as archive:
        members = archive_members(path, archive)
        prefix = _prefix(path, members)
        names = {name.removeprefix(prefix): member for name, member in members.items()}
        pickle = names["data.pkl"]
        if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
            raise ValueError(f"{path} is compressed, which PyTorch's files are not")
        if pickle.file_size > MAX_PICKLE_BYTES:
            raise ValueError(f"{path} has a pickle of {pickle.file_size} bytes; {CONVERSION}")
        if "byteorder" in names and archive.read(names["byteorder"]) != b"little":
            raise ValueError(f"{path} is not little-endian; {CONVERSION}")
        found = _built(path, archive.read(pickle))
    if not isinstance(found, dict):
        raise ValueError(f"{path} contains no dict of tensors; {CONVERSION}")
    return {name: _tensor(path, names, name, view) for name, view in found.items()}


def _prefix(path: Path, members: Mapping[str, Any]) -> str:
    """Name of the folder of the archive, with its slash."""
    (*found,) = (name for name in members if name.endswith("/data.pkl"))
    if len(found) != 1:
        raise ValueError(f"{path} has no data.pkl as a file of PyTorch; {CONVERSION}")
    return found[0].removesuffix("data.pkl")


def _tensor(path: Path, names: Mapping[str, zipfile.ZipInfo], name: str, view: Any) -> StoredTensor:
    if not isinstance(view, _View):
        raise ValueError(f"{path}: {name} is not a tensor; {CONVERSION}")
    storage, member = view.storage, names.get(f"data/{view.storage.key}")
    itemsize = storage.dtype.itemsize
    if member is None or member.file_size != storage.size * itemsize:
        length = 0 if member is None else member.file_size
        raise ValueError(
            f"{path}: {name} has a storage of {storage.size} × {itemsize} bytes, the file has "
            f"{length} bytes of it"
        )
    extents = [
        (size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True) if size
    ]
    if 0 not in view.shape and view.offset + sum(extents) >= storage.size:
        raise ValueError(f"{path}: {name} is partly outside its storage")
    if np.prod(view.shape, dtype=float) > storage.size:
        raise ValueError(f"{path}: {name} repeats the elements of its storage; {CONVERSION}")

    def read() -> np.ndarray:
        damaged = f"{path}: the storage of {name} cannot be read"
        with damage_refused(damaged), zipfile.ZipFile(path) as archive:
            values = np.frombuffer(archive.read(member), storage.dtype)
        if len(values) != storage.size:
            raise ValueError(f"{path}: the storage of {name} is incomplete")
        used = [size > 1 and 0 not in view.shape for size in view.shape]
        strides = [itemsize * stride * use for stride, use in zip(view.strides, used, strict=True)]
        return np.lib.stride_tricks.as_strided(
            values[view.offset :], view.shape, strides, writeable=False
        )

    return StoredTensor(view.shape, storage.dtype, read)


def _built(path: Path, data: bytes) -> Any:
    """Value that a pickle describes, by the instructions that `torch.save` writes."""
    try:
        return _run(data)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} contains more than a dict of tensors: {error}") from error


def _run(data: bytes) -> Any:
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    for opcode, argument, _ in pickletools.genops(data):
        name = opcode.name
        if name in LITERALS:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(_Global(str(argument)))
        elif name == "MARK":
            stack.append(MARK)
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "TUPLE":
            stack.append(tuple(_popped_items(stack)))
        elif name in TUPLES:
            stack[-TUPLES[name] :] = [tuple(stack[-TUPLES[name] :])]
        elif name in ("SETITEM", "SETITEMS"):
            items = _popped_items(stack) if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            _add_items(stack[-1], items)
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
        elif name == "REDUCE":
            arguments = stack.pop()
            stack.append(_called(stack.pop(), arguments))
        elif name == "BUILD":  # attributes of the dict, such as versions of modules
            stack.pop()
            _add_items(stack[-1], [])
        elif name == "STOP":
            return stack.pop()
        elif name != "PROTO":
            raise ValueError(f"the instruction {name}")
    raise ValueError("it ends early")


def _popped_items(stack: list[Any]) -> list[Any]:
    """Items above the last mark, which are removed with it."""
    start = next((i for i in reversed(range(len(stack))) if stack[i] is MARK), None)
    if start is None:
        raise ValueError("items without a start")
    items = stack[start + 1 :]
    del stack[start:]
    return items


def _add_items(found: Any, items: list[Any]) -> None:
    """Add keys and values, which alternate, to a dict.

    Only names are keys, and no value is printed: hash and text of nested tuples can take an
    exponential time, or more of the stack than there is.
    """
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in items[::2]):
        raise ValueError("a dict with other keys than names, or entries of something else")
    found.update(zip(items[::2], items[1::2], strict=True))


def _storage(description: Any) -> _Storage:
    kind, type_of_storage, key, _, size = description
    name = type_of_storage.name.removeprefix("torch ")
    if kind != "storage" or name not in STORAGES:
        raise ValueError(f"a storage of {name}")
    if not isinstance(key, str) or not _is_count(size):
        raise ValueError(f"a storage of {name} without name and size")
    return _Storage(key, STORAGES[name], size)


def _called(function: Any, arguments: Any) -> Any:
    """Result of a call, if it is one of those that describe a dict of tensors."""
    if function == _Global("collections OrderedDict") and arguments == ():
        return {}
    if function == _Global("torch._utils _rebuild_parameter"):
        return arguments[0]
    if function != _Global("torch._utils _rebuild_tensor_v2"):
        raise ValueError(f"a call of {getattr(function, 'name', type(function).__name__)}")
    storage, offset, shape, strides = arguments[:4]
    counts = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or not all(map(_is_count, counts)):
        raise ValueError("a tensor without storage, offset, shape and strides")
    if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"a tensor of shape {shape} and strides {strides}")
    return _View(storage, offset, tuple(shape), tuple(strides))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_COUNT
