"""Usage of codewords, compared with NumPy and SciPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import entropy

from aejax import evaluation

INDICES = np.random.default_rng(0).geometric(0.3, size=(60, 2, 3)) % 9


def check(usage, indices, codewords):
    counts = np.bincount(indices.ravel(), minlength=codewords)
    np.testing.assert_array_equal(usage.counts, counts)
    bits = entropy(counts, base=2)
    np.testing.assert_allclose(usage.bits, bits, rtol=1e-5)
    np.testing.assert_allclose(usage.perplexity, 2**bits, rtol=1e-5)
    np.testing.assert_allclose(usage.used, (counts > 0).mean(), rtol=1e-6)


def test_usage_is_numpys_and_scipys():
    usage = evaluation.codebook_usage(jnp.asarray(INDICES), codewords=12)
    check(usage, INDICES, 12)
    assert usage.capacity == pytest.approx(np.log2(12))
    assert 0 < usage.used < 1


def test_usage_of_each_position_is_that_of_its_indices_alone():
    usage = evaluation.codebook_usage(jnp.asarray(INDICES), codewords=9, per_position=True)
    assert usage.counts.shape == (2, 3, 9)
    for row in range(2):
        for column in range(3):
            alone = evaluation.CodebookUsage(*(each[row, column] for each in usage[:4]), 0.0)
            check(alone, INDICES[:, row, column], 9)


def test_one_codeword_alone_has_no_information_and_all_equally_have_the_most():
    one = evaluation.codebook_usage(jnp.full((7,), 3), codewords=8)
    assert (float(one.bits), float(one.perplexity), float(one.used)) == (0, 1, 1 / 8)
    every = evaluation.codebook_usage(jnp.arange(8), codewords=8)
    assert (float(every.bits), float(every.perplexity), float(every.used)) == (3, 8, 1)


def test_counts_of_batches_add_up():
    parts = [
        evaluation.codebook_usage(jnp.asarray(part), codewords=9).counts
        for part in np.split(INDICES, 3)
    ]
    check(evaluation.usage_of_counts(sum(parts[1:], parts[0])), INDICES, 9)


def test_indices_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"each index must lie in \[0, 3\]"):
        evaluation.codebook_usage(jnp.array([0, 4]), codewords=4)
    with pytest.raises(ValueError, match="at least one index"):
        evaluation.codebook_usage(jnp.zeros(0, int), codewords=4)
