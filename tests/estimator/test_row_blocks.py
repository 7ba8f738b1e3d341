"""`map_rows` splits and pads rows to few shapes and returns results in order."""

import numpy as np
import pytest

from aejax.estimator import row_blocks
from aejax.estimator.row_blocks import map_rows


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 8, 9, 16, 21])
def test_rows_keep_their_order_in_blocks_of_power_of_two_size(rows, monkeypatch):
    monkeypatch.setattr(row_blocks, "ROWS_PER_BLOCK", 8)
    shapes = []

    def double(x):
        shapes.append(len(x))
        return 2 * x

    x = np.random.default_rng(0).normal(size=(rows, 3))
    np.testing.assert_array_equal(map_rows(double, x), 2 * x)
    assert set(shapes) <= {1, 2, 4, 8}
    assert sum(shapes) < 2 * rows or rows == 1


def test_padding_rows_lie_in_the_functions_domain():
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(map_rows(np.log, np.full((3, 1), 2.0)), np.log([[2.0]] * 3))
