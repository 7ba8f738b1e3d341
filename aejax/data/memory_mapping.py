"""Memory-mapped `.npy` files, whose pages are released after every read."""

import mmap
from math import prod
from os import PathLike
from pathlib import Path

import numpy as np

from aejax.data.dtypes import check_dtype
from aejax.data.files import READ_ERRORS, npy_header
from aejax.data.lazy_array import LazyArray


def memory_mapped(path: str | PathLike[str]) -> LazyArray:
    """Memory-map a `.npy` file; its pages are released after every read.

    Args:
        path: the `.npy` file.

    Returns:
        Its examples, in native byte order.

    Raises:
        ValueError: for a file that is not an array of real numbers, or in Fortran order.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            shape, is_fortran, dtype = npy_header(file, path.stat().st_size)
            start = file.tell()
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if hasattr(memory, "madvise"):
            memory.madvise(mmap.MADV_RANDOM)  # no read-ahead
        check_dtype(dtype, "it")
        if is_fortran:
            raise ValueError(
                "it is in Fortran order, in which an example is not contiguous; save "
                "np.ascontiguousarray of the array"
            )
        if len(shape) < 2 or not prod(shape):
            raise ValueError(f"it is {dtype}{list(shape)}; a stream needs [examples, *features]")
        x = np.frombuffer(memory, dtype, prod(shape), start).reshape(shape)
    except READ_ERRORS as error:
        raise ValueError(f"{path} is not a readable .npy file of numbers: {error}") from error

    def read(rows: np.ndarray) -> np.ndarray:
        found = x[rows].astype(dtype.newbyteorder("="), copy=False)
        if hasattr(memory, "madvise"):
            memory.madvise(mmap.MADV_DONTNEED)  # release the pages, so that memory does not grow
        return found

    return LazyArray(str(path), read, shape, dtype.newbyteorder("="))
