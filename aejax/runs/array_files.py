"""Arrays of examples as `.npy`, `.npz` and `.csv` files."""

import csv
from collections.abc import Mapping
from math import ceil, log10
from pathlib import Path
from typing import BinaryIO
from zipfile import ZipFile

import numpy as np

from aejax.data.files import read_npz
from aejax.runs.atomic_files import check_not_directory, temporary_file

SUFFIXES = (".npy", ".npz", ".csv")


def check_destination(path: Path, data: Path) -> None:
    """Refuse a destination that `write_examples` cannot write, or that would replace the data.

    Args:
        path: destination file.
        data: file of the data that are read.

    Raises:
        ValueError: a suffix other than `.npy`, `.npz` and `.csv`, or the file of the data.
        IsADirectoryError: the destination is a directory.
    """
    check_not_directory(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"out must end in {', '.join(SUFFIXES)}, got {path}")
    if path.exists() and data.exists() and path.samefile(data):
        raise ValueError(f"{path} is the file of the data: choose another --out")


def other_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays that a file contains besides the examples, such as labels.

    Args:
        path: file that `aejax.data.load_array` can read.

    Returns:
        Arrays by name; empty if the file is not an `.npz` with an `x`.
    """
    arrays = read_npz(path) if path.suffix == ".npz" else {}
    return {name: array for name, array in arrays.items() if name != "x"} if "x" in arrays else {}


def write_examples(
    path: Path, name: str, array: np.ndarray, others: Mapping[str, np.ndarray]
) -> list[str]:
    """Write one array of examples in the format that the suffix names, atomically.

    - `.npy`: the array alone.
    - `.npz`: the array as `x`, and the other arrays that have one entry per example.
    - `.csv`: a header `name_0`, `name_1`, …, then one row per example, features in C order, with
      enough digits to restore the values exactly.

    Args:
        path: destination file that `check_destination` accepts.
        name: prefix of the column names of a `.csv` file.
        array: [examples, *features].
        others: other arrays by name.

    Returns:
        Names of the other arrays that are not stored.

    Raises:
        ValueError: for an `.npz` file, if another array is named `x`.
    """
    if path.suffix == ".npz":
        join_columns(path, others, {"x": array})
    fitting = {key: found for key, found in others.items() if found.shape[:1] == array.shape[:1]}
    kept = fitting if path.suffix == ".npz" else {}
    with temporary_file(path) as partial, partial.open("wb") as file:
        match path.suffix:
            case ".npy":
                np.save(file, array, allow_pickle=False)
            case ".npz":
                _write_npz(file, {"x": array, **kept})
            case _:
                _write_csv(file, name, array.reshape(len(array), -1))
    return [key for key in others if key not in kept]


def write_columns(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write named columns as a `.csv` file with a header, atomically.

    Args:
        path: destination file.
        columns: name -> numbers or text, [rows]. Numbers have enough digits to restore the values
            exactly.
    """
    with temporary_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*map(_texts, columns.values()), strict=True))


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name as an `.npz` file, atomically.

    Args:
        path: destination file.
        arrays: name -> array of numbers or text.
    """
    with temporary_file(path) as partial, partial.open("wb") as file:
        _write_npz(file, arrays)


def join_columns(
    path: Path, first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Join columns of a data file and results; ValueError if a name is in both.

    Args:
        path: data file, for the error message.
        first: columns of the data file.
        second: columns of results.

    Returns:
        The columns of both.
    """
    if both := sorted(first.keys() & second.keys()):
        raise ValueError(
            f"{path} has the column {both[0]!r}, which is also a column of the output; rename it"
        )
    return {**first, **second}


def _write_npz(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an `.npz` file; `np.savez` cannot store an array named `file`."""
    with ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _write_csv(file: BinaryIO, name: str, rows: np.ndarray) -> None:
    header = ",".join(f"{name}_{i}" for i in range(rows.shape[1]))
    form = f"%.{_digits(rows.dtype)}g"
    np.savetxt(file, rows, form, delimiter=",", header=header, comments="")


def _texts(column: np.ndarray) -> list[str]:
    """Values of a column as text."""
    values = column.tolist()
    if column.dtype.kind != "f":
        return list(map(str, values))
    form = f"%.{_digits(column.dtype)}g"
    return [form % value for value in values]


def _digits(dtype: np.dtype) -> int:
    """Decimal digits that restore values exactly: 9 of float32, 17 of float64."""
    return ceil(1 + (np.finfo(dtype).nmant + 1) * log10(2))
