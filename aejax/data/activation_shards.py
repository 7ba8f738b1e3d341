"""Folders of `.npy` shards, read on access as one array; activations have a manifest as well."""

import json
import re
from collections.abc import Mapping
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.data.files import MNIST_FILES
from aejax.data.image_folder import has_images
from aejax.data.lazy_array import LazyArray
from aejax.data.memory_mapping import memory_mapped

MANIFEST = "activations.json"
"""Name of the manifest in the folder of the shards."""

UNFINISHED = "unfinished.json"
"""Name of the description of a harvest that has not written all shards yet."""

FORMAT = "aejax activations 1"


class Activations(NamedTuple):
    """Activations on disk, one row for each example and position.

    rows:      [rows, features], read on access; row r is that of example r // prod(positions).
    positions: shape of the positions of an example, such as (tokens,) or (height, width); () if
               each example has one row.
    examples:  number of examples.
    mean_norm: mean of ‖row‖ over all rows.
    source:    digests of the parameters and the inputs, and shape and dtype of the inputs.
    """

    rows: LazyArray
    positions: tuple[int, ...]
    examples: int
    mean_norm: float
    source: Mapping[str, Any]


def open_activations(path: str | PathLike[str]) -> Activations:
    """Open a folder that `runs.harvest` has written, without reading the rows.

    Args:
        path: the folder.

    Returns:
        The activations.

    Raises:
        FileNotFoundError: if a file of the folder is missing, as for an unfinished harvest.
        ValueError: if the manifest is not that of activations, or a shard has another shape or
            dtype than the manifest states.
    """
    folder = Path(path).expanduser()
    manifest = folder / MANIFEST
    if not manifest.exists():
        raise FileNotFoundError(
            f"{folder} has no {MANIFEST}: name a folder of `runs.harvest`, which writes it when "
            "all shards are complete"
        )
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']!r}, expected {FORMAT!r}")
        sizes = {str(name): int(rows) for name, rows in found["shards"].items()}
        positions = tuple(int(size) for size in found["positions"])
        features, dtype = int(found["features"]), np.dtype(found["dtype"])
        examples, mean_norm = int(found["examples"]), float(found["mean_norm"])
        source = dict(found["source"])
        if not sizes or sum(sizes.values()) != examples * prod(positions):
            raise ValueError(
                f"its shards have {sum(sizes.values())} rows, expected those of {examples} "
                f"examples with {prod(positions)} positions"
            )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{manifest} is not a manifest of `runs.harvest`: {error!r}") from error
    shards = [open_shard(folder / name, (rows, features), dtype) for name, rows in sizes.items()]
    return Activations(_joined(str(folder), shards), positions, examples, mean_norm, source)


def has_shards(folder: Path) -> bool:
    """Whether a path is a folder of shards.

    Args:
        folder: any path.

    Returns:
        True for a folder of `runs.harvest`, and for one with `.npy` files that are not the parts
        of a split, such as `x_train.npy`, and without images.
    """
    if not folder.is_dir():
        return False
    if folder.joinpath(MANIFEST).exists():
        return True
    names = {path.stem for path in _npy_files(folder)}
    return bool(names) and not names & set(MNIST_FILES) and not has_images(folder)


def open_shards(folder: Path) -> LazyArray:
    """Open a folder of shards as one array, in the order of their names, without reading the rows.

    Numbers in names ascend by value: `shard_2.npy` is before `shard_10.npy`.

    Args:
        folder: folder that `has_shards` accepts.

    Returns:
        The examples of all shards.

    Raises:
        FileNotFoundError: as `open_activations`, or if the harvest in the folder is unfinished.
        ValueError: as `open_activations` and `memory_mapped`, or if shards differ in the shape of
            an example or in their dtype.
    """
    if folder.joinpath(MANIFEST).exists() or folder.joinpath(UNFINISHED).exists():
        return open_activations(folder).rows
    shards = [memory_mapped(path) for path in _npy_files(folder)]
    first = shards[0]
    for shard in shards:
        if (shard.shape[1:], shard.dtype) != (first.shape[1:], first.dtype):
            kinds = [f"{each.name} has {each.dtype}{list(each.shape)}" for each in (first, shard)]
            raise ValueError(
                f"shards need examples of one shape and dtype, but {' and '.join(kinds)}; move "
                "files that are not shards to another folder"
            )
    return _joined(str(folder), shards)


def _npy_files(folder: Path) -> list[Path]:
    """Visible `.npy` files, by name; numbers in names ascend by value."""

    def order(path: Path) -> list[Any]:
        parts = re.split(r"(\d+)", path.name)  # text and numbers alternate
        return [int(part) if index % 2 else part for index, part in enumerate(parts)]

    files = [path for path in folder.glob("*.npy") if not path.name.startswith(".")]
    return sorted(files, key=order)


def open_shard(path: Path, shape: tuple[int, int], dtype: np.dtype) -> LazyArray:
    """Open a shard, and compare its header with the manifest.

    Args:
        path: `.npy` file.
        shape: expected shape.
        dtype: expected dtype.

    Returns:
        The rows.

    Raises:
        FileNotFoundError: if the file is missing.
        ValueError: for another shape or dtype, or a file that cannot be read.
    """
    if not path.exists():
        raise FileNotFoundError(f"the shard {path} is missing; run the harvest again")
    shard = memory_mapped(path)
    if shard.shape != shape or shard.dtype != dtype:
        raise ValueError(
            f"{path} has {shard.dtype}{list(shard.shape)}, but its manifest states "
            f"{dtype}{list(shape)}; run the harvest again in an empty folder"
        )
    return shard


def _joined(name: str, shards: list[LazyArray]) -> LazyArray:
    """Concatenation of shards, each of which reads its own rows of a batch."""
    ends = np.cumsum([len(shard) for shard in shards])
    shape, dtype = (int(ends[-1]), *shards[0].shape[1:]), shards[0].dtype

    def read(rows: np.ndarray) -> np.ndarray:
        found = np.empty((len(rows), *shape[1:]), dtype)
        owners = np.searchsorted(ends, rows, side="right")
        for owner in np.unique(owners):
            mine = owners == owner
            found[mine] = shards[owner][rows[mine] - (ends[owner] - len(shards[owner]))]
        return found

    return LazyArray(name, read, shape, dtype)
