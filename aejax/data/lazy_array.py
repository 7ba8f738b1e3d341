"""Examples that lie elsewhere and are read when they are asked for."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Integer, Shaped

from aejax.data.dtypes import check_dtype, format_bounds

Rows = Any
"""Which examples are wanted, in NumPy's terms: an index, a slice, indices, or a boolean mask."""


class LazyArray:
    """An array [examples, *features] that is read by rows, with what `blocks` needs of an array.

    An index along the examples means what it means to NumPy, or is refused.

    Args:
        name: what messages call it.
        read: indices of rows, all in [0, examples) -> these rows, [rows, *features]; called by
            several threads at once.
        shape: of the whole array.
        dtype: of its values, real.
        bounds: (low, high) that raw values have by their format (default: `format_bounds`).

    Raises:
        ValueError: a dtype that is not real.
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
                f"{self.name} gave {found.dtype}{list(found.shape)}; "
                f"expected {self.dtype}{list(expected)}"
            )
        return found.astype(self.dtype, copy=False).reshape(*rows.shape, *self.shape[1:])

    def select(self, count: int, which: Callable[[np.ndarray], np.ndarray]) -> "LazyArray":
        """Some of the examples, in an order: the i-th is this array's which(i)-th.

        Args:
            count: how many.
            which: indices below count -> indices of rows here.

        Returns:
            An array [count, *features] that is read by rows too.
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
        """The same examples through a function.

        Args:
            function: [rows, *features of these] -> [rows, *features], row by row.
            features: shape of one example that the function returns.
            dtype: of what it returns.

        Returns:
            An array [examples, *features] that is read by rows too.
        """
        shape = (len(self), *features)
        return LazyArray(self.name, lambda rows: function(self[rows]), shape, dtype)


def row_indices(index: Rows, count: int, name: str = "x") -> Integer[np.ndarray, "..."]:
    """Indices in [0, count) of the examples that an index means to NumPy.

    Args:
        index: an integer, a slice, integers in an array of any shape, or a mask [count].
        count: how many examples there are.
        name: what the messages call them.

    Returns:
        Of the index's own shape: a scalar for an integer, flat for a slice or a mask.

    Raises:
        IndexError: out of range, a mask of another length, anything but integers, or more than
            the one axis.
    """
    if isinstance(index, slice):
        return np.arange(*index.indices(count))
    if isinstance(index, tuple) or index is None or index is Ellipsis:
        raise IndexError(
            f"{name} is indexed by examples alone, got {index!r}; take examples first, and of "
            "them features: x[rows][:, feature]"
        )
    rows = np.asarray(index)
    if not rows.size and not isinstance(index, np.ndarray):
        rows = rows.astype(np.intp)  # NumPy too reads [] as no indices
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
