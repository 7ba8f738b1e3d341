"""Row-wise compiled functions on any number of rows, from a bounded number of programs.

JAX compiles a function for every shape and keeps the program. Rows are therefore cut into blocks
and the last block is padded to a power of two: thirteen programs serve any number of rows.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

ROWS_PER_BLOCK = 4096
"""Rows that a function gets at most; a power of two."""


def map_rows(
    function: Callable[[np.ndarray], Any], x: Float[np.ndarray, "rows *features"]
) -> Float[np.ndarray, "rows *others"]:
    """A function of rows, applied block by block.

    Args:
        function: row by row: [rows, *features] -> [rows, *others], for any number of rows.
        x: one row or more.

    Returns:
        What the function returns for x, up to rounding.
    """
    starts = range(0, len(x), ROWS_PER_BLOCK)
    return np.concatenate([_padded(function, x[i : i + ROWS_PER_BLOCK]) for i in starts])


def _padded(function: Callable[[np.ndarray], Any], block: np.ndarray) -> np.ndarray:
    """Copies of the last row fill the block: zeros might lie out of the function's range."""
    rows = len(block)
    copies = np.repeat(block[-1:], (1 << (rows - 1).bit_length()) - rows, axis=0)
    return np.asarray(function(np.concatenate([block, copies])))[:rows]
