"""Orders that take no memory are Grain's, to the bit, and lose no example where Grain's do."""

from itertools import pairwise

import numpy as np
import pytest
from grain.experimental import index_shuffle

from aejax.training.index_shuffle import permute_indices

SEEDS = (0, 1, 2**31, 2**32 - 1)


def of_grain(examples: int, seed: int, places: np.ndarray) -> np.ndarray:
    last = examples - 1
    return np.array([index_shuffle(int(i), max_index=last, seed=seed, rounds=4) for i in places])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("examples", [1, 2, 60, 16384, 2**16, 2**16 + 2, 2**17 + 1, 10**6])
def test_orders_are_those_of_grain(examples, seed):
    places = np.random.default_rng(seed).integers(examples, size=100)
    assert np.array_equal(permute_indices(examples, seed, places), of_grain(examples, seed, places))


@pytest.mark.parametrize("examples", [2**32, 2**32 + 2, 10**11, 2**60 - 1])
def test_orders_of_more_than_can_be_tabulated_are_too(examples):
    places = np.random.default_rng(0).integers(examples, size=50)
    assert np.array_equal(permute_indices(examples, 5, places), of_grain(examples, 5, places))


@pytest.mark.parametrize("examples", [1, 7, 1000, 2**16, 2**16 + 1, 2**18 + 1])
def test_every_example_has_one_place(examples):
    order = permute_indices(examples, 3, np.arange(examples))
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(examples))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("examples", [33_000, 40_000, 2**16 - 2, 2**16 - 1, 2**16 + 3])
def test_a_walk_ends_below_the_number_of_examples_for_every_seed(examples, seed):
    """The number of examples is itself outside: one of the places walks over it, or starts there.

    Of 2¹⁶ − 1 examples nearly every seed sends a place straight to it; of 40 000, where many places
    walk, every third seed sends one to it on the way.
    """
    order = permute_indices(examples, seed, np.arange(examples))
    assert np.array_equal(np.sort(order), np.arange(examples))


def test_grain_gives_two_places_to_one_of_65537_examples_and_none_to_another():
    """Why `permute_indices` counts bits as it does: for even k the index 2ᵏ needs one bit more."""
    order = of_grain(2**16 + 1, 3, np.arange(2**16 + 1))
    assert len(np.unique(order)) == 2**16


def test_orders_of_other_seeds_are_others():
    places = np.arange(1000)
    orders = [permute_indices(1000, seed, places) for seed in SEEDS]
    assert all((order != places).mean() > 0.98 for order in orders)
    assert all((a != b).mean() > 0.98 for a, b in pairwise(orders))
