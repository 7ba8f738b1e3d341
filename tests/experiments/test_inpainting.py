"""Holes and inpainting: closed forms, and exactly solvable cases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.decomposition import PCA

from experiments.harness import hole_training, image_sources, inpainting

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


def total_variation(image):
    """Σ |∇x| with forward differences, 0 across the last row and column."""
    rows = np.diff(image, axis=0, append=image[-1:])
    columns = np.diff(image, axis=1, append=image[:, -1:])
    return np.sqrt(rows**2 + columns**2 + 1e-12).sum()


def test_holes_are_filled_with_the_least_total_variation():
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal(0.5, 0.2, (1, 10, 10)).cumsum(axis=2) / 6, 0, 1)
    hole = np.zeros(image.shape, bool)
    hole[:, 3:7, 2:6] = True
    found = inpainting.filled_by_total_variation(np.where(hole, 7, image), hole, iterations=3000)
    np.testing.assert_array_equal(found[~hole], image[~hole])

    def objective(values):
        filled = image[0].copy()
        filled[hole[0]] = values
        return total_variation(filled)

    best = minimize(objective, np.full(16, 0.5), method="SLSQP", options={"maxiter": 1000})
    assert total_variation(found[0]) <= best.fun + 1e-3


def test_a_step_edge_is_continued_by_total_variation():
    image = np.zeros((1, 9, 9))
    image[:, :, 4:] = 1
    hole = np.zeros(image.shape, bool)
    hole[:, 3:5, 3:6] = True
    found = inpainting.filled_by_total_variation(image, hole, iterations=3000)
    assert total_variation(found[0]) == pytest.approx(total_variation(image[0]), abs=1e-3)


def test_psnr_is_that_of_the_pixels_in_holes(images, holes):
    filled = np.where(holes, images + 0.1, 9)
    assert inpainting.hole_psnr(images, filled, holes) == pytest.approx(20)


def test_each_method_fills_the_same_holes_and_is_shown(images):
    fills = {"mean": lambda x, holes: np.where(holes, 0.5, x)}
    found = inpainting.compare_fills(images, fills, jax.random.key(0), 2)
    shown = found.arrays["filled"]
    assert shown.shape == (3, inpainting.NUM_SHOWN, SIDE, SIDE)
    missing = shown[0] == hole_training.HOLE
    np.testing.assert_array_equal(missing.sum(axis=(1, 2)), 4)
    np.testing.assert_array_equal(shown[1][missing], 0.5)
    np.testing.assert_array_equal(shown[1][~missing], shown[2][~missing])
    assert set(found.metrics) == {"mean"}


def test_sides_of_blocks_are_resampled_for_each_batch():
    corrupt = jax.jit(hole_training.marked(hole_training.block_sides((1, 3))))
    masked = [
        int(jnp.sum(corrupt(jax.random.key(seed), jnp.zeros((4, SIDE, SIDE))) == -1)) // 4
        for seed in range(40)
    ]
    assert set(masked) == {1, 9}
    assert 10 < masked.count(1) < 30


def test_a_network_sees_the_hole_and_not_its_value():
    model = hole_training.convolutional_inpainter((8, 8), (4,), 6)
    params = model.init(jax.random.key(0))
    x = jax.random.uniform(jax.random.key(1), (2, 8, 8, 1))
    hole, black = (x.at[:, 2:4, 2:4].set(value) for value in (hole_training.HOLE, 0.0))
    kernel = params["encoder"]["layer_0"]["kernel"]
    assert kernel.shape[2] == 2
    blind = jax.tree.map(lambda leaf: leaf, params)
    blind["encoder"]["layer_0"]["kernel"] = kernel.at[:, :, 1].set(0)
    np.testing.assert_array_equal(model.encode(blind, hole), model.encode(blind, black))
    assert not np.allclose(model.encode(params, hole), model.encode(params, black))
    assert model.decode(params, model.encode(params, hole)).shape == x.shape


def test_photographs_are_restored_from_whitened_ones():
    rng = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(64, 1 / 64)] * 2))
    spectrum = np.fft.fft2(rng.normal(size=(2, 64, 64))) / np.maximum(frequency, 1) ** 1.5
    photographs = np.fft.ifft2(spectrum).real
    whitened = np.fft.ifft2(
        np.fft.fft2(photographs) * frequency * np.exp(-((frequency / 200) ** 4))
    )
    found = image_sources.unwhitened(whitened.real)
    assert found.min() == 0
    assert found.max() == 1
    for image, expected in zip(found, photographs, strict=True):
        low, high = np.quantile(expected, (0.01, 0.99))
        np.testing.assert_allclose(image, np.clip((expected - low) / (high - low), 0, 1), atol=0.05)


def test_faces_are_crops_and_test_faces_are_of_other_people():
    source = image_sources.face_images("noise", 30, held_out=False)
    assert source.x.shape == (30, 16, 16)
    assert source.x_test.shape[1:] == (16, 16)
    known = {image.tobytes() for image in source.x}
    assert not known & {image.tobytes() for image in source.x_test}
