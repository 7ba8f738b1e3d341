"""Arrays of examples as `.npy`, `.npz` and `.csv` files."""

from collections.abc import Mapping
from math import ceil, log10
from pathlib import Path
from typing import BinaryIO
from zipfile import ZipFile

import numpy as np

from aejax.data.files import read_npz
from aejax.runs.atomic_files import check_file, replaced

SUFFIXES = (".npy", ".npz", ".csv")


def check_destination(path: Path) -> None:
    """Refuse a destination that `write_examples` cannot write.

    Args:
        path: destination file.

    Raises:
        ValueError: a suffix other than `.npy`, `.npz` and `.csv`.
        IsADirectoryError: the destination is a directory.
    """
    check_file(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"out must end in {', '.join(SUFFIXES)}, got {path}")


def companions(path: Path) -> dict[str, np.ndarray]:
    """The arrays that a file holds beside its examples, such as labels.

    Args:
        path: a file that `aejax.data.load_array` reads.

    Returns:
        Name -> array; empty unless the file is an `.npz` with an `x`.
    """
    arrays = read_npz(path) if path.suffix == ".npz" else {}
    return {name: array for name, array in arrays.items() if name != "x"} if "x" in arrays else {}


def write_examples(
    path: Path, name: str, array: np.ndarray, beside: Mapping[str, np.ndarray]
) -> list[str]:
    """Write one array of examples in the format that the suffix names, atomically.

    - `.npy`: the array alone.
    - `.npz`: the array as `x`, and beside it, under their names, the arrays with one entry per
      example.
    - `.csv`: a header of `name_0`, `name_1`, …, then one row per example, features in C order,
      with as many digits as give the same numbers back.

    Args:
        path: destination file, as `check_destination` accepts it.
        name: what the columns of a `.csv` file are called.
        array: [examples, *features].
        beside: arrays to be stored with it.

    Returns:
        Names of the arrays beside it that are left out.
    """
    fitting = {key: found for key, found in beside.items() if found.shape[:1] == array.shape[:1]}
    kept = fitting if path.suffix == ".npz" else {}
    with replaced(path) as partial, partial.open("wb") as file:
        match path.suffix:
            case ".npy":
                np.save(file, array, allow_pickle=False)
            case ".npz":
                _write_npz(file, {"x": array, **kept})
            case _:
                _write_csv(file, name, array.reshape(len(array), -1))
    return [key for key in beside if key not in kept]


def _write_npz(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """As `np.savez`, which takes no array called `file`."""
    with ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _write_csv(file: BinaryIO, name: str, rows: np.ndarray) -> None:
    header = ",".join(f"{name}_{i}" for i in range(rows.shape[1]))
    digits = ceil(1 + (np.finfo(rows.dtype).nmant + 1) * log10(2))  # 9 of float32, 17 of float64
    np.savetxt(file, rows, f"%.{digits}g", delimiter=",", header=header, comments="")
