"""Corruptions against their distributions, within bounds that follow from the sample size.

The fraction of N draws of probability q differs from q by more than z √(q(1−q)/N), z = 6.1, with
probability 10⁻⁹; likewise the mean and variance of N normal draws.
"""

from functools import partial
from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError
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


def test_gaussian_noise_of_sigma_0_is_the_identity():
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


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_block_is_masked_whole_inside_each_image_and_equally_often_everywhere(channels):
    images = jnp.ones((DRAWS // 100, 5, 6, *channels))
    masked = np.asarray(corruptions.block_masking(size=(2, 3))(KEY, images) == 0)
    if channels:
        assert np.all(masked == masked[..., :1])
        masked = masked[..., 0]
    corners = [
        (rows.min(), columns.min())
        for rows, columns in (np.nonzero(mask) for mask in masked)
        if len(rows) == 6 and np.ptp(rows) == 1 and np.ptp(columns) == 2
    ]
    assert len(corners) == len(images)  # every mask is one block of 2 by 3
    _, counts = np.unique(corners, axis=0, return_counts=True)
    assert len(counts) == 4 * 4
    assert stats.chisquare(counts).pvalue > 1e-9


@pytest.mark.parametrize(("rate", "share"), [(0.0, 0), (0.25, 2), (0.5, 3), (1.0, 6)])
def test_whole_patches_are_masked_in_an_exact_fraction(rate, share):
    images = jnp.ones((500, 4, 9))
    masked = np.asarray(corruptions.patch_masking(size=(2, 3), rate=rate)(KEY, images) == 0)
    patches = masked.reshape(500, 2, 2, 3, 3).swapaxes(2, 3).reshape(500, 6, 6)
    assert np.all(patches == patches[..., :1])
    np.testing.assert_array_equal(patches[..., 0].sum(axis=1), np.full(500, share))
    if 0 < share < 6:
        assert stats.chisquare(patches[..., 0].sum(axis=0)).pvalue > 1e-9
        assert len(np.unique(patches[..., 0], axis=0)) == comb(6, share)


def test_unmasked_pixels_are_unchanged():
    images = jax.random.uniform(jax.random.key(1), (20, 4, 4, 2), minval=0.5)
    for corruption in (
        corruptions.block_masking(size=(2, 2)),
        corruptions.patch_masking(size=(2, 2), rate=0.5),
    ):
        found = np.asarray(corruption(KEY, images))
        np.testing.assert_array_equal(found[found != 0], np.asarray(images)[found != 0])


def test_on_images_applies_a_mask_to_flat_examples():
    flat = jax.random.uniform(jax.random.key(1), (20, 24))
    block = corruptions.block_masking(size=(2, 2))
    found = corruptions.on_images(block, image_shape=(4, 6))(KEY, flat)
    np.testing.assert_array_equal(found.reshape(20, 4, 6), block(KEY, flat.reshape(20, 4, 6)))


@pytest.mark.parametrize(
    ("corruption", "shape", "message"),
    [
        (corruptions.block_masking(size=(2, 2)), (3, 16), r"wrap the corruption in on_images"),
        (corruptions.block_masking(size=(2, 5)), (3, 4, 4), r"\(2, 5\) does not fit into images"),
        (corruptions.patch_masking(size=(2, 3), rate=0.5), (3, 4, 4), "do not tile"),
        (corruptions.patch_masking(size=(2, 2), rate=0.5), (3, 4), "wrap the corruption"),
        (
            corruptions.on_images(corruptions.masking(rate=0.5), image_shape=(3, 3)),
            (3, 8),
            "8 values against 9",
        ),
    ],
)
def test_images_of_an_unsuitable_shape_are_refused(corruption, shape, message):
    with pytest.raises(ValueError, match=message):
        corruption(KEY, jnp.ones(shape))


def test_empty_masks_are_refused():
    for make in (corruptions.block_masking, partial(corruptions.patch_masking, rate=0.5)):
        with pytest.raises(ValueError, match=r"at least one pixel high and wide, got \(0, 2\)"):
            make(size=(0, 2))


def test_random_levels_are_uniform_and_one_per_example():
    x = jnp.zeros((2000, 500))
    between = corruptions.random_level(
        lambda sigma: corruptions.gaussian(sigma=sigma), low=0.5, high=2.0
    )
    noise = np.asarray(between(KEY, x), np.float64)
    levels = noise.std(axis=1)
    # A deviation estimated from 500 values has the standard error σ/√1000.
    assert stats.kstest(levels, "uniform", args=(0.5, 1.5)).statistic < 0.06
    standard = (noise / levels[:, None])[:, :100]
    assert stats.kstest(standard.ravel(), "norm").pvalue > 1e-9


def test_a_random_level_works_for_every_corruption_with_a_level():
    images = jnp.full((2, 2000, 4), 0.5)
    for make in (
        lambda rate: corruptions.masking(rate=rate),
        lambda rate: corruptions.salt_and_pepper(rate=rate),
        lambda rate: corruptions.patch_masking(size=(2, 2), rate=rate),
    ):
        corrupted = corruptions.random_level(make, low=0.2, high=0.4)(KEY, images) != 0.5
        shares = np.mean(corrupted, axis=(1, 2))
        assert np.all((shares > 0.15) & (shares < 0.45))
        assert abs(shares[0] - shares[1]) > 1e-3


def test_an_invalid_range_of_levels_is_refused():
    with pytest.raises(ValueError, match="range of levels"):
        corruptions.random_level(lambda q: corruptions.masking(rate=q), low=0.5, high=0.4)
    with pytest.raises(ValueError, match="masking rate must lie in"):
        corruptions.random_level(lambda q: corruptions.masking(rate=q), low=0.5, high=1.4)


@pytest.mark.parametrize(
    "make",
    [
        corruptions.masking,
        corruptions.salt_and_pepper,
        partial(corruptions.patch_masking, size=(2, 2)),
    ],
)
@pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan, np.inf])
def test_invalid_rates_are_refused(make, rate):
    with pytest.raises(ValueError, match=r"rate must lie in \[0, 1\]"):
        make(rate=rate)


@pytest.mark.parametrize("sigma", [-0.1, np.nan, np.inf])
def test_an_invalid_sigma_is_refused(sigma):
    with pytest.raises(ValueError, match="sigma must lie in"):
        corruptions.gaussian(sigma=sigma)


def test_levels_may_be_vmapped():
    x, rates = jnp.ones((50, 4)), jnp.asarray([0.1, 0.9])
    together = jax.vmap(lambda rate: corruptions.masking(rate=rate)(KEY, x))(rates)
    for rate, x_corrupted in zip(rates, together, strict=True):
        np.testing.assert_array_equal(x_corrupted, corruptions.masking(rate=rate)(KEY, x))


@pytest.mark.parametrize(
    "noise",
    [
        corruptions.masking(rate=0.3),
        corruptions.gaussian(sigma=0.1),
        corruptions.salt_and_pepper(rate=0.3),
    ],
)
def test_a_code_of_several_arrays_is_refused(noise):
    with pytest.raises((ValueError, TypeCheckError), match="mean"):
        noise(KEY, {"mean": jnp.ones((4, 2))})
