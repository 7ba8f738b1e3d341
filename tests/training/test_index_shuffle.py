"""Feistel permutations equal Grain's, and are permutations where Grain's are not."""

from itertools import pairwise

import numpy as np
import pytest
from grain.experimental import index_shuffle

from aejax.training.index_shuffle import permute_indices

SEEDS = (0, 1, 2**31, 2**32 - 1)


def grains(examples: int, seed: int, positions: np.ndarray) -> np.ndarray:
    last = examples - 1
    return np.array([index_shuffle(int(i), max_index=last, seed=seed, rounds=4) for i in positions])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("examples", [1, 2, 60, 16384, 2**16, 2**16 + 2, 2**17 + 1, 10**6])
def test_permutations_equal_grains(examples, seed):
    positions = np.random.default_rng(seed).integers(examples, size=100)
    assert np.array_equal(
        permute_indices(examples, seed, positions), grains(examples, seed, positions)
    )


@pytest.mark.parametrize("examples", [2**32, 2**32 + 2, 10**11, 2**60 - 1])
def test_permutations_too_large_for_tables_equal_grains(examples):
    positions = np.random.default_rng(0).integers(examples, size=50)
    assert np.array_equal(permute_indices(examples, 5, positions), grains(examples, 5, positions))


@pytest.mark.parametrize("examples", [1, 7, 1000, 2**16, 2**16 + 1, 2**18 + 1])
def test_every_index_occurs_once(examples):
    order = permute_indices(examples, 3, np.arange(examples))
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(examples))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("examples", [33_000, 2**16 - 1, 2**16 + 3, 160_000, 2**18 - 1])
def test_cycle_walking_ends_inside_the_range_for_every_seed(examples, seed):
    """The first integer outside the range, `length` itself, is a boundary case of the walk.

    For lengths 2¹⁶ − 1 and 2¹⁸ − 1 nearly every seed maps a position to it directly; for 160 000,
    where many positions walk, most other seeds reach it on a walk.
    """
    order = permute_indices(examples, seed, np.arange(examples))
    assert np.array_equal(np.sort(order), np.arange(examples))


def test_grains_permutation_of_65537_repeats_an_index():
    """For even k the index 2ᵏ needs one bit more, as `permute_indices` counts bits."""
    order = grains(2**16 + 1, 3, np.arange(2**16 + 1))
    assert len(np.unique(order)) == 2**16


def test_different_seeds_give_different_permutations():
    positions = np.arange(1000)
    permutations = [permute_indices(1000, seed, positions) for seed in SEEDS]
    assert all((order != positions).mean() > 0.98 for order in permutations)
    assert all((a != b).mean() > 0.98 for a, b in pairwise(permutations))
