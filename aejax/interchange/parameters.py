"""Parameters as safetensors or NumPy archives, with a JSON description.

Arrays are named by their path, `encoder.layer_0.kernel`, in the layout of Flax: kernels are
[inputs, outputs]. The description has dtype and shape of each array, and a SHA-256 digest of itself
and the arrays, so that truncated or altered files, and those of other programs, are rejected. Files
of earlier versions have no digest and are accepted.
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
DESCRIPTION_KEY = "aejax"
"""Key of the description in safetensors metadata; name of the text array with it in .npz files."""

SAVEZ_ARGUMENTS = {"file", "allow_pickle"}
"""Argument names of `numpy.savez`, which cannot be names of arrays."""

SUFFIXES = (".safetensors", ".npz")
DTYPES = {"float16", "float32", "float64", "int32", "int64", "uint8", "bool"}
"""Dtypes that both formats support."""

RESERVED = {"format", "arrays", DIGEST}
"""Reserved keys of the description."""


def save_parameters(
    path: str | PathLike[str], params: Params, *, description: Mapping[str, Any] | None = None
) -> None:
    """Write parameters atomically.

    Args:
        path: destination file, with suffix .safetensors or .npz.
        params: nested dict of arrays.
        description: JSON-serialisable metadata for readers of the file.

    Raises:
        ValueError: if the suffix is unknown; there are no arrays; a name is not a string or
            contains a dot; an array has an unsupported dtype, NaN or infinity; the description is
            not JSON or uses a reserved key.
        OSError: if writing fails.

    Source: safetensors; NEP 1.

    Example:
        >>> import tempfile, aejax, jax
        >>> params = aejax.dense((4, 2)).init(jax.random.key(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = f"{folder}/params.safetensors"
        ...     aejax.interchange.save_parameters(path, params, description={"data": "digits"})
        ...     loaded, description = aejax.interchange.load_parameters(path)
        >>> loaded["encoder"]["layer_0"]["kernel"].shape, description["data"]
        ((4, 2), 'digits')
    """
    path = Path(path)
    _check_suffix(path)
    arrays = _flatten(params)
    _check_finite(arrays)
    reserved = RESERVED & (description or {}).keys()
    if reserved:
        raise ValueError(f"the description cannot have the reserved key {min(reserved)!r}")
    about = {"format": FORMAT, "arrays": _describe(arrays), **(description or {})}
    try:
        json.dumps(about, allow_nan=False)
        text = json.dumps(seal(about, salt=_digest(arrays)))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the description is not JSON: {error}") from error
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        if path.suffix == ".npz":
            np.savez(file, allow_pickle=False, **{DESCRIPTION_KEY: np.asarray(text)}, **arrays)
        else:
            from safetensors.numpy import save  # imported only if needed

            file.write(save(arrays, metadata={DESCRIPTION_KEY: text}))
    os.replace(partial, path)


def load_parameters(path: str | PathLike[str]) -> tuple[Params, dict[str, Any]]:
    """Read a file written by `save_parameters`.

    Args:
        path: path of the file, with suffix .safetensors or .npz.

    Returns:
        The parameters as nested dict of NumPy arrays, and the description.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file is unreadable, altered, written by another program, or has NaN or
            infinity.
    """
    path = Path(path)
    _check_suffix(path)
    try:
        text, arrays = _read_npz(path) if path.suffix == ".npz" else _read_safetensors(path)
        about = parse_object(text)
    except FileNotFoundError:
        raise
    except Exception as error:  # the libraries raise various errors
        raise ValueError(f"{path} is no readable {path.suffix} file of aejax: {error}") from error
    if about.get("format") != FORMAT:
        raise ValueError(f"{path} does not have the format {FORMAT!r}")
    if about.get("arrays") != _describe(arrays):
        raise ValueError(f"{path} does not contain the arrays of its description")
    try:
        if DIGEST in about:
            about = unseal(text, salt=_digest(arrays))
        _check_finite(arrays)
        return _unflatten(arrays), about
    except ValueError as error:
        raise ValueError(f"{path} is not a file of `save_parameters`: {error}") from error


def _read_npz(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):  # np.load would try other formats
            raise ValueError("it is not a zip archive")
        with np.load(file, allow_pickle=False) as archive:
            if len({*archive.files}) < len(archive.files):
                raise ValueError("two of its arrays have the same name")
            arrays = {name: archive[name] for name in archive.files}
    return str(arrays.pop(DESCRIPTION_KEY)), arrays


def _read_safetensors(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    from safetensors import safe_open

    path.open("rb").close()  # raises Python's FileNotFoundError
    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return (file.metadata() or {})[DESCRIPTION_KEY], arrays


def _flatten(params: Params) -> dict[str, np.ndarray]:
    arrays = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        names = [getattr(key, "key", None) for key in path]
        if not all(isinstance(name, str) and name and "." not in name for name in names):
            raise ValueError(f"parameters must be nested dicts with names without dots, got {path}")
        array = np.asarray(leaf, order="C")  # ascontiguousarray would add an axis to scalars
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        if array.dtype.name not in DTYPES:
            raise ValueError(f"{'.'.join(map(str, names))} is {array.dtype}; cast it to float32")
        arrays[".".join(map(str, names))] = array
    reserved = ({DESCRIPTION_KEY} | SAVEZ_ARGUMENTS) & arrays.keys()
    if not arrays or reserved:
        raise ValueError(
            "parameters must be one array or more, none called "
            f"{' or '.join(map(repr, reserved)) or repr(DESCRIPTION_KEY)}"
        )
    return arrays


def _unflatten(arrays: Mapping[str, np.ndarray]) -> Params:
    params: Params = {}
    for name, array in arrays.items():
        *parents, last = name.split(".")
        inner = params
        for parent in parents:
            inner = inner.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise ValueError(f"{name} conflicts with an array whose name is a prefix of it")
        if not all((*parents, last)) or last in inner:
            raise ValueError(f"{name} conflicts with another name, or has an empty part")
        inner[last] = array
    return params


def _check_finite(arrays: Mapping[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        finite = np.isfinite(array)
        if not finite.all():
            count = array.size - np.count_nonzero(finite)
            raise ValueError(f"{name} has NaN or infinity: {count} of {array.size} values")


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of all values, in the order of the names."""
    digest = hashlib.sha256()
    for _, array in sorted(arrays.items()):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _describe(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {name: f"{array.dtype}{list(array.shape)}" for name, array in sorted(arrays.items())}


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path} must end in {' or '.join(SUFFIXES)}")
