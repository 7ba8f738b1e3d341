"""Examples that lie elsewhere and are read when they are asked for."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

Rows = Sequence[int] | np.ndarray
"""Numbers of examples, in the order in which they are wanted."""


class Lazy:
    """An array [examples, *features] that is read by rows, with what `blocks` needs of an array.

    Args:
        name: what messages call it.
        read: numbers of rows -> these rows, [rows, *features]; called by several threads at once.
        shape: of the whole array.
        dtype: of its values.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[np.ndarray], np.ndarray],
        shape: tuple[int, ...],
        dtype: Any,
    ):
        self.name, self.read, self.shape, self.dtype = name, read, shape, np.dtype(dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Rows) -> Shaped[np.ndarray, "rows *features"]:
        numbers = range(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        return self.read(np.asarray(numbers))

    def select(self, count: int, which: Callable[[np.ndarray], np.ndarray]) -> "Lazy":
        """Some of the examples, in an order: the i-th is this array's which(i)-th.

        Args:
            count: how many.
            which: numbers below count -> numbers of rows here.

        Returns:
            An array [count, *features] that is read by rows too.
        """
        shape = (count, *self.shape[1:])
        return Lazy(self.name, lambda rows: self.read(which(rows)), shape, self.dtype)

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> "Lazy":
        """The same examples through a function.

        Args:
            function: [rows, *features] -> [rows, *others], row by row.

        Returns:
            An array [examples, *others] that is read by rows too.
        """
        like = function(np.zeros((1, *self.shape[1:]), self.dtype))
        shape = (len(self), *like.shape[1:])
        return Lazy(self.name, lambda rows: function(self.read(rows)), shape, like.dtype)
