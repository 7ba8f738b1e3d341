"""Application of row-wise jitted functions to any number of rows, with at most 13 compilations.

JAX compiles a function for each shape. Rows are therefore split into blocks, and the last block is
padded to a power of two.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

ROWS_PER_BLOCK = 4096
"""Maximum number of rows per call; a power of two."""


def map_rows(
    function: Callable[[np.ndarray], Any], x: Float[np.ndarray, "rows *features"]
) -> Float[np.ndarray, "rows *others"]:
    """Apply a function of rows block by block.

    Args:
        function: row-wise function [rows, *features] -> [rows, *others].
        x: one or more rows.

    Returns:
        function(x), up to rounding.
    """
    starts = range(0, len(x), ROWS_PER_BLOCK)
    return np.concatenate([_padded(function, x[i : i + ROWS_PER_BLOCK]) for i in starts])


def _padded(function: Callable[[np.ndarray], Any], block: np.ndarray) -> np.ndarray:
    """Pad with copies of the last row, because zeros may lie outside the function's domain."""
    rows = len(block)
    copies = np.repeat(block[-1:], (1 << (rows - 1).bit_length()) - rows, axis=0)
    return np.asarray(function(np.concatenate([block, copies])))[:rows]
