"""Corruptions against the laws they draw from, within bounds that follow from the sample size.

A share of N draws with probability q lies within z √(q(1−q)/N) of q but for once in 10⁹ where
z = 6.1; the mean and variance of N normal draws likewise.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from aejax import corruptions

Z = stats.norm.isf(0.5e-9)
DRAWS = 200_000
KEY = jax.random.key(3)


def within(measured: float, expected: float, variance: float) -> bool:
    return abs(measured - expected) <= Z * np.sqrt(variance / DRAWS)


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_masking_zeroes_its_share_and_leaves_the_rest(rate):
    x = jax.random.uniform(jax.random.key(0), (DRAWS // 10, 10), minval=0.1)
    x_corrupted = np.asarray(corruptions.masking(rate=rate)(KEY, x))
    masked = x_corrupted == 0
    assert within(masked.mean(), rate, rate * (1 - rate))
    np.testing.assert_array_equal(x_corrupted[~masked], np.asarray(x)[~masked])


def test_masking_is_independent_between_elements_and_examples():
    x_corrupted = np.asarray(corruptions.masking(rate=0.5)(KEY, jnp.ones((DRAWS // 2, 2))))
    both = np.mean(x_corrupted[:, 0] * x_corrupted[:, 1])
    following = np.mean(x_corrupted[1:, 0] * x_corrupted[:-1, 0])
    for share in (both, following):
        assert abs(share - 0.25) <= Z * np.sqrt(0.25 * 0.75 / (DRAWS // 2 - 1))


@pytest.mark.parametrize("sigma", [0.1, 2.0])
def test_gaussian_noise_is_normal_with_its_deviation(sigma):
    x = jnp.linspace(-1, 1, DRAWS).reshape(-1, 8)
    noise = np.asarray(corruptions.gaussian(sigma=sigma)(KEY, x) - x, np.float64).ravel() / sigma
    assert within(noise.mean(), 0.0, 1.0)
    assert within(np.mean(noise**2), 1.0, 2.0)
    assert stats.kstest(noise, "norm").pvalue > 1e-9


def test_no_gaussian_noise_changes_nothing():
    x = jnp.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(corruptions.gaussian(sigma=0.0)(KEY, x), x)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 3.0)])
def test_salt_and_pepper_takes_both_extremes_by_a_fair_coin(low, high):
    x = jnp.full((DRAWS // 10, 10), 0.5)
    corruption = corruptions.salt_and_pepper(rate=0.3, low=low, high=high)
    x_corrupted = np.asarray(corruption(KEY, x))
    assert within(np.mean(x_corrupted == low), 0.15, 0.15 * 0.85)
    assert within(np.mean(x_corrupted == high), 0.15, 0.15 * 0.85)
    assert set(np.unique(x_corrupted)) == {low, 0.5, high}


@pytest.mark.parametrize("make", [corruptions.masking, corruptions.salt_and_pepper])
@pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan, np.inf])
def test_rates_outside_their_range_are_refused(make, rate):
    with pytest.raises(ValueError, match=r"rate must lie in \[0, 1\]"):
        make(rate=rate)


@pytest.mark.parametrize("sigma", [-0.1, np.nan, np.inf])
def test_a_deviation_outside_its_range_is_refused(sigma):
    with pytest.raises(ValueError, match="sigma must lie in"):
        corruptions.gaussian(sigma=sigma)


def test_levels_may_be_vmapped():
    x, rates = jnp.ones((50, 4)), jnp.asarray([0.1, 0.9])
    together = jax.vmap(lambda rate: corruptions.masking(rate=rate)(KEY, x))(rates)
    for rate, x_corrupted in zip(rates, together, strict=True):
        np.testing.assert_array_equal(x_corrupted, corruptions.masking(rate=rate)(KEY, x))
