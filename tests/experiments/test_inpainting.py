"""Holes and inpainting: closed forms, and exactly solvable cases."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.decomposition import PCA

from experiments import inpainting as experiment
from experiments.harness import inpainting, records

SIDE = 6


@pytest.fixture
def images():
    """Images that vary in five directions, in [0, 1]."""
    rng = np.random.default_rng(0)
    scores, basis = rng.uniform(size=(80, 5)), rng.uniform(size=(5, SIDE * SIDE))
    return (scores @ basis / 5).reshape(-1, SIDE, SIDE)


@pytest.fixture
def holes(images):
    return inpainting.block_holes(jax.random.key(0), images.shape, 2)


def test_each_image_has_one_square_hole(holes):
    rows, columns = holes.any(axis=2), holes.any(axis=1)
    np.testing.assert_array_equal(rows.sum(axis=1), 2)
    np.testing.assert_array_equal(columns.sum(axis=1), 2)
    np.testing.assert_array_equal(holes.sum(axis=(1, 2)), 4)
    assert len({tuple(row) for row in rows}) == SIDE - 1


def test_images_of_few_components_are_filled_exactly_by_least_squares(images, holes):
    pca = PCA(5).fit(images.reshape(80, -1))
    found = inpainting.filled_by_pca(np.where(holes, 9, images), holes, pca=pca, ridge=0.0)
    np.testing.assert_allclose(found, images, atol=1e-4)


def test_with_the_noise_variance_a_hole_is_filled_by_its_conditional_mean(images, holes):
    rng = np.random.default_rng(1)
    noisy = np.clip(images + 0.05 * rng.normal(size=images.shape), 0, 1)
    pca, variance = PCA(5).fit(noisy.reshape(80, -1)), 0.01
    cov = pca.components_.T * pca.explained_variance_ @ pca.components_
    cov = cov + variance * np.eye(SIDE * SIDE)
    found = inpainting.filled_by_pca(noisy, holes, pca=pca, ridge=variance)
    for image, filled, hole in zip(noisy[:20], found, holes, strict=False):
        x, hole = image.ravel(), hole.ravel()
        gain = np.linalg.solve(cov[np.ix_(~hole, ~hole)], cov[np.ix_(~hole, hole)]).T
        mean = pca.mean_[hole] + gain @ (x - pca.mean_)[~hole]
        np.testing.assert_allclose(filled.ravel()[hole], np.clip(mean, 0, 1), atol=2e-4)
        np.testing.assert_array_equal(filled.ravel()[~hole], x[~hole])


def test_a_plane_is_continued_exactly_by_biharmonic_inpainting():
    rows, columns = np.mgrid[:8, :8] / 20
    plane = np.stack([rows + columns, 0.5 + rows - columns])
    holes = np.zeros(plane.shape, bool)
    holes[:, 3:5, 3:5] = True
    found = inpainting.filled_by_biharmonic(np.where(holes, 0.9, plane), holes)
    np.testing.assert_allclose(found, plane, atol=1e-10)


def test_similarity_is_computed_over_all_images():
    x = np.random.default_rng(0).uniform(size=(3, 8, 8))
    filled = x.copy()
    filled[0, :2] += 0.1
    found = inpainting.similarity(x, filled)
    assert found["PSNR"] == pytest.approx(-10 * np.log10(np.square(filled - x).mean()))
    assert 2 / 3 < found["SSIM"] < 1


def test_sides_of_blocks_are_resampled_for_each_batch():
    corrupt = jax.jit(experiment.blocks((1, 3)))
    masked = [
        int(jnp.sum(corrupt(jax.random.key(seed), jnp.ones((4, SIDE, SIDE))) == 0)) // 4
        for seed in range(40)
    ]
    assert set(masked) == {1, 9}
    assert 10 < masked.count(1) < 30


def test_the_committed_results_agree_with_the_docstring():
    file = records.summary_file("inpainting")
    metrics = json.loads(file.read_text(encoding="utf-8"))["metrics"]
    expected = {
        "autoencoder": (27.3, 21.5, 17.7),
        "biharmonic": (25.9, 18.9, 14.8),
        "PCA": (28.1, 21.8, 17.6),
    }
    for way, values in expected.items():
        found = [np.mean(by_way[way]["PSNR"]) for by_way in metrics.values()]
        np.testing.assert_allclose(found, values, atol=0.1)
    verdict = experiment.observations(metrics)
    fails = [claim for claim, comparison in verdict.items() if not comparison.holds]
    assert all("holes of 6" in claim or "less PCA" in claim for claim in fails)
