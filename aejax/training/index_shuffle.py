"""Random orders that take no memory: of billions of examples, any numbers at once.

Grain's, to the bit, where they are orders; in NumPy for many places at once, where Grain goes from
Python into C++ for each. A block cipher permutes the numbers of so many bits: four rounds of a
Feistel network with Simon's round function (Beaulieu et al. 2013, "The SIMON and SPECK families of
lightweight block ciphers"). Where it leads out of the examples it is followed on until it leads
back (cycle walking: Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
"""

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from jaxtyping import Integer

ROUNDS = 4
LEAST_WIDTH, TABULATED = 8, 16
"""Bits of half a number: at least; and up to which all values of the round function are kept."""
WORD = 2**32 - 1


def permute_indices(
    examples: int, seed: int, places: Integer[np.ndarray, " places"]
) -> Integer[np.ndarray, " places"]:
    """Numbers of the examples at some places of a random order, which takes no memory.

    Args:
        examples: how many are ordered.
        seed: of the order, in [0, 2³²).
        places: in it, each from 0 to examples − 1.

    Returns:
        As many numbers as there are places, int64.
    """
    width = max(LEAST_WIDTH, -(-(examples - 1).bit_length() // 2))
    keys = [key & (1 << width) - 1 for key in _keys(seed)]
    found = _encrypted(np.asarray(places, np.uint64), width, keys)
    outside = np.flatnonzero(found >= examples)
    while len(outside):
        again = _encrypted(found[outside], width, keys)
        found[outside] = again
        outside = outside[again >= examples]
    return found.astype(np.int64)


def _encrypted(numbers: np.ndarray, width: int, keys: list[int]) -> np.ndarray:
    """Other numbers of 2 · width bits, uint64."""
    half = np.uint32 if width > TABULATED else np.uint16
    left = (numbers >> np.uint64(width)).astype(half)
    right = (numbers & np.uint64((1 << width) - 1)).astype(half)
    mix = _mixing(width)
    for one, two in zip(keys[::2], keys[1::2], strict=True):
        left ^= mix(right) ^ half(one)
        right ^= mix(left) ^ half(two)
    return left.astype(np.uint64) << np.uint64(width) | right


@lru_cache
def _mixing(width: int) -> Callable[[np.ndarray], np.ndarray]:
    """Simon's round function."""
    if width > TABULATED:
        return partial(_mixed, width=width)
    values = np.arange(1 << width, dtype=np.uint32)
    return _mixed(values, width).astype(np.uint16).take


def _mixed(x: np.ndarray, width: int) -> np.ndarray:
    def turned(bits: int) -> np.ndarray:
        return (x << bits | x >> width - bits) & np.uint32((1 << width) - 1)

    return turned(1) & turned(8) ^ turned(2)


@lru_cache
def _keys(seed: int) -> list[int]:
    """One key a round, as C++'s `std::seed_seq` makes them of a seed ([rand.util.seedseq])."""
    x = [0x8B8B8B8B] * ROUNDS
    for k in range(2 * ROUNDS):
        now, near, far, before = (i % ROUNDS for i in (k, k + 1, k + 2, k - 1))
        if k < ROUNDS:
            one = 1664525 * _folded(x[now] ^ x[near] ^ x[before]) & WORD
            two = one + (k or 1) + (seed if k == 1 else 0) & WORD
            x[near], x[far] = x[near] + one & WORD, x[far] + two & WORD
        else:
            one = 1566083941 * _folded(x[now] + x[near] + x[before] & WORD) & WORD
            two = one - now & WORD
            x[near], x[far] = x[near] ^ one, x[far] ^ two
        x[now] = two
    return x


def _folded(word: int) -> int:
    return word ^ word >> 27
