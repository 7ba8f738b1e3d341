"""Parameters as a safetensors file or a NumPy archive, each with a description in JSON.

Arrays are named by their path, `encoder.layer_0.kernel`, and lie as Flax keeps them: kernels
[inputs, outputs]. The description says what each array must be, so that a file cut short, altered
or written by another program is refused, and carries a SHA-256 of itself and of the arrays, which
files of earlier versions lack.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aejax.interchange.sealed_json import DIGEST, parse_object, seal, unseal
from aejax.types import Params

FORMAT = "aejax parameters 1"
KEY = "aejax"  # of the description: safetensors' metadata, or the archive's one array of text
ARGUMENTS = {"file", "allow_pickle"}  # of `numpy.savez`, which no array can be called
SUFFIXES = (".safetensors", ".npz")
DTYPES = {"float16", "float32", "float64", "int32", "int64", "uint8", "bool"}  # of both formats


RESERVED = {"format", "arrays", DIGEST}  # of the description's names


def save_parameters(
    path: str | PathLike[str], params: Params, *, description: Mapping[str, Any] | None = None
) -> None:
    """Write parameters, whole or not at all.

    Args:
        path: ends in .safetensors or .npz.
        params: a nested dict whose leaves are arrays.
        description: what the reader should know, JSON-able.

    Raises:
        ValueError: for another ending, names that are not text or hold a dot, no arrays, an array
            of a dtype that not both formats have, NaN or infinity, or a description that JSON does
            not have or that says "format", "arrays" or "digest" itself.
        OSError: where the disk refuses.

    Source: safetensors; NEP 1.
    """
    path = Path(path)
    _check_suffix(path)
    arrays = _flat(params)
    _check_finite(arrays)
    reserved = RESERVED & (description or {}).keys()
    if reserved:
        raise ValueError(f"the description cannot say {min(reserved)!r}: the format uses it")
    about = {"format": FORMAT, "arrays": _described(arrays), **(description or {})}
    try:
        json.dumps(about, allow_nan=False)
        text = json.dumps(seal(about, salt=_digest(arrays)))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the description is not JSON: {error}") from error
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        if path.suffix == ".npz":
            np.savez(file, allow_pickle=False, **{KEY: np.asarray(text)}, **arrays)
        else:
            from safetensors.numpy import save  # here: a program that saves none need not load it

            file.write(save(arrays, metadata={KEY: text}))
    os.replace(partial, path)


def load_parameters(path: str | PathLike[str]) -> tuple[Params, dict[str, Any]]:
    """Read what `save_parameters` wrote.

    Args:
        path: ends in .safetensors or .npz.

    Returns:
        The parameters, NumPy arrays in a nested dict, and the description.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: naming the file, where it cannot be read, another program wrote it, it was
            altered, or an array has NaN or infinity.
    """
    path = Path(path)
    _check_suffix(path)
    try:
        text, arrays = _read_npz(path) if path.suffix == ".npz" else _read_safetensors(path)
        about = parse_object(text)
    except FileNotFoundError:
        raise
    except Exception as error:  # each library has its own, and their ways to break are many
        raise ValueError(f"{path} is no readable {path.suffix} file of aejax: {error}") from error
    if about.get("format") != FORMAT:
        raise ValueError(f"{path} is not of the format {FORMAT!r}")
    if about.get("arrays") != _described(arrays):
        raise ValueError(f"{path} does not hold the arrays that its description names")
    try:
        if DIGEST in about:
            about = unseal(text, salt=_digest(arrays))
        _check_finite(arrays)
        return _nested(arrays), about
    except ValueError as error:
        raise ValueError(f"{path} is not what `save_parameters` writes: {error}") from error


def _read_npz(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):  # np.load would take it for something else
            raise ValueError("it is no zip archive")
        with np.load(file, allow_pickle=False) as archive:
            if len({*archive.files}) < len(archive.files):
                raise ValueError("two of its arrays have the same name")
            arrays = {name: archive[name] for name in archive.files}
    return str(arrays.pop(KEY)), arrays


def _read_safetensors(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    from safetensors import safe_open

    path.open("rb").close()  # FileNotFoundError in Python's words
    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return (file.metadata() or {})[KEY], arrays


def _flat(params: Params) -> dict[str, np.ndarray]:
    arrays = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        names = [getattr(key, "key", None) for key in path]
        if not all(isinstance(name, str) and name and "." not in name for name in names):
            raise ValueError(f"parameters must lie in dicts under names without dots, got {path}")
        array = np.asarray(leaf, order="C")  # a scalar stays one, unlike in ascontiguousarray
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        if array.dtype.name not in DTYPES:
            raise ValueError(f"{'.'.join(map(str, names))} is {array.dtype}; cast it to float32")
        arrays[".".join(map(str, names))] = array
    reserved = ({KEY} | ARGUMENTS) & arrays.keys()
    if not arrays or reserved:
        raise ValueError(
            "parameters must be one array or more, none called "
            f"{' or '.join(map(repr, reserved)) or repr(KEY)}"
        )
    return arrays


def _nested(arrays: Mapping[str, np.ndarray]) -> Params:
    params: Params = {}
    for name, array in arrays.items():
        *folders, last = name.split(".")
        inner = params
        for folder in folders:
            inner = inner.setdefault(folder, {})
            if not isinstance(inner, dict):
                raise ValueError(f"{name} clashes with an array whose name it begins with")
        if not all((*folders, last)) or last in inner:
            raise ValueError(f"{name} clashes with another name, or has an empty part")
        inner[last] = array
    return params


def _check_finite(arrays: Mapping[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        finite = np.isfinite(array)
        if not finite.all():
            count = array.size - np.count_nonzero(finite)
            raise ValueError(f"{name} has NaN or infinity: {count} of {array.size} values")


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """The SHA-256 of all values, in the order of the names, which the description holds."""
    digest = hashlib.sha256()
    for _, array in sorted(arrays.items()):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _described(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {name: f"{array.dtype}{list(array.shape)}" for name, array in sorted(arrays.items())}


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path} must end in {' or '.join(SUFFIXES)}")
