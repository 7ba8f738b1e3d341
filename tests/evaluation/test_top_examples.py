"""Top examples of each latent equal a stable sort by NumPy, for any division into batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax import evaluation


def sparse_code(rng, examples, units, *, levels=None):
    code = rng.normal(size=(examples, units)) * (rng.random((examples, units)) < 0.3)
    return (code if levels is None else np.round(levels * code) / levels).astype(np.float32)


def expected(code, count):
    order = np.argsort(-np.abs(code), axis=0, kind="stable")[:count].T
    values = np.take_along_axis(code.T, order, axis=1)
    return values, np.where(values == 0, -1, order)


@pytest.mark.parametrize("sizes", [[60], [1] * 60, [7, 30, 23], [50, 10]])
@pytest.mark.parametrize("levels", [None, 2])  # 2: most activations have equals
def test_streamed_examples_match_argsort(sizes, levels):
    code = sparse_code(np.random.default_rng(0), 60, 9, levels=levels)
    code[:, 4] = 0
    batches = np.split(code, np.cumsum(sizes)[:-1])
    for count in (1, 5, 25):
        found = evaluation.top_examples(iter(batches), count=count)
        values, order = expected(code, count)
        np.testing.assert_array_equal(found.activations, values)
        np.testing.assert_array_equal(found.examples, order)
        assert (np.asarray(found.examples)[4] == -1).all()


def test_a_scan_over_blocks_on_the_device_gives_the_same(x64):
    code = jnp.asarray(np.random.default_rng(1).normal(size=(8, 16, 5)))

    def merge(top, block):
        start, rows = block
        return evaluation.merge_top_examples(top, rows, start), None

    @jax.jit
    def scanned(code):
        start = evaluation.initial_top_examples(5, 3, code.dtype)
        return jax.lax.scan(merge, start, (16 * jnp.arange(8), code))[0]

    found = scanned(code)
    values, order = expected(np.asarray(code).reshape(-1, 5), 3)
    assert found.activations.dtype == np.float64
    np.testing.assert_array_equal(found.activations, values)
    np.testing.assert_array_equal(found.examples, order)


def test_fewer_examples_than_the_count_leave_places_empty():
    found = evaluation.top_examples([np.array([[2.0], [-3.0]])], count=4)
    assert found.examples.tolist() == [[1, 0, -1, -1]]
    assert found.activations.tolist() == [[-3.0, 2.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("codes", "count", "message"),
    [
        ([], 3, "no examples"),
        ([np.ones((2, 3))], 0, "count must be at least 1, got 0"),
        ([np.ones((2, 3)), np.ones((2, 4))], 3, r"batch 1: expected a code \[batch, 3\], got"),
        ([np.ones((2, 3)), np.full((2, 3), np.nan)], 3, "batch 1: the code has a value"),
    ],
)
def test_bad_codes_are_refused(codes, count, message):
    with pytest.raises(ValueError, match=message):
        evaluation.top_examples(codes, count=count)
