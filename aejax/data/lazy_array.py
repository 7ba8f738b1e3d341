"""Arrays of examples that are read on access, with NumPy's indexing along the first axis."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Integer, Shaped

from aejax.data.dtypes import check_dtype, format_bounds

Rows = Any
"""Index of examples, as in NumPy: an integer, a slice, integers, or a boolean mask."""


class LazyArray:
    """Array [examples, *features] whose rows are read on access.

    Indexing along the examples follows NumPy; any other index raises IndexError.

    Args:
        name: name of the array in error messages.
        read: row indices in [0, examples) -> rows [rows, *features]; must be thread-safe.
        shape: shape of the array.
        dtype: dtype of the values, real.
        bounds: range (low, high) of raw values (default: `format_bounds` of the dtype).

    Raises:
        ValueError: for a dtype that is not real.

    Example:
        >>> import numpy as np
        >>> from aejax import data
        >>> x = data.LazyArray("squares", lambda rows: rows[:, None] ** 2, (1000, 1), np.int64)
        >>> x[-2:].ravel().tolist(), len(x)
        ([996004, 998001], 1000)
    """

    def __init__(
        self,
        name: str,
        read: Callable[[np.ndarray], np.ndarray],
        shape: tuple[int, ...],
        dtype: Any,
        *,
        bounds: tuple[float | None, float | None] | None = None,
    ):
        self.name, self.read, self.shape = name, read, shape
        self.dtype = np.dtype(dtype).newbyteorder("=")
        self.bounds = format_bounds(dtype) if bounds is None else bounds
        check_dtype(self.dtype, name)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Rows) -> Shaped[np.ndarray, "*rows_and_features"]:
        rows = row_indices(index, len(self), self.name)
        if not rows.size:
            return np.empty((*rows.shape, *self.shape[1:]), self.dtype)
        found = np.asarray(self.read(rows.ravel()))
        expected = (rows.size, *self.shape[1:])
        if found.shape != expected or not np.can_cast(found.dtype, self.dtype, "equiv"):
            raise ValueError(
                f"{self.name} returned {found.dtype}{list(found.shape)}; "
                f"expected {self.dtype}{list(expected)}"
            )
        return found.astype(self.dtype, copy=False).reshape(*rows.shape, *self.shape[1:])

    def select(self, count: int, which: Callable[[np.ndarray], np.ndarray]) -> "LazyArray":
        """Select examples: row i of the result is row which(i) of this array.

        Args:
            count: number of selected examples.
            which: row indices of the result -> row indices of this array.

        Returns:
            The lazy array [count, *features].
        """
        shape = (count, *self.shape[1:])
        return LazyArray(
            self.name, lambda rows: self[which(rows)], shape, self.dtype, bounds=self.bounds
        )

    def map(
        self,
        function: Callable[[np.ndarray], np.ndarray],
        *,
        features: tuple[int, ...],
        dtype: Any,
    ) -> "LazyArray":
        """Apply a function to every row when it is read.

        Args:
            function: rows of this array -> [rows, *features], applied to each row independently.
            features: shape of one result.
            dtype: dtype of the results.

        Returns:
            The lazy array [examples, *features].
        """
        shape = (len(self), *features)
        return LazyArray(self.name, lambda rows: function(self[rows]), shape, dtype)


def row_indices(index: Rows, count: int, name: str = "x") -> Integer[np.ndarray, "..."]:
    """Convert an index, with NumPy's meaning, to row indices in [0, count).

    Args:
        index: integer, slice, integer array of any shape, or boolean mask [count].
        count: number of examples.
        name: name of the array in error messages.

    Returns:
        The row indices: a scalar for an integer, an array of the index's shape for integers, flat
        for a slice or a mask.

    Raises:
        IndexError: for an index out of range, a mask of another length, another dtype, or an index
            of several axes.
    """
    if isinstance(index, slice):
        return np.arange(*index.indices(count))
    if isinstance(index, tuple) or index is None or index is Ellipsis:
        raise IndexError(
            f"{name} is indexed by examples only, got {index!r}; index the examples first, then "
            "the features: x[rows][:, feature]"
        )
    rows = np.asarray(index)
    if not rows.size and not isinstance(index, np.ndarray):
        rows = rows.astype(np.intp)  # like NumPy, [] is an empty integer index
    if rows.dtype == np.bool_:
        if rows.shape != (count,):
            raise IndexError(f"a mask of {name} has shape [{count}], got {list(rows.shape)}")
        return np.flatnonzero(rows)
    if rows.dtype.kind not in "iu":
        raise IndexError(f"{name} is indexed by integers or a mask, got {rows.dtype}")
    outside = (rows >= count) | (rows < -count)
    if outside.any():
        raise IndexError(f"index {rows[outside][0]} is out of range: {name} has {count} examples")
    rows = rows.astype(np.intp)
    return np.where(rows < 0, rows + count, rows)
