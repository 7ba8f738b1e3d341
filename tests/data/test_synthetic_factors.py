"""Images of known factors, against polygons of Matplotlib."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.path import Path

from aejax import data

SUBPIXELS = 8
ANGLES = np.linspace(0, np.pi, 200)
OUTLINES = {
    "triangle": [(-0.6, -0.5), (0.6, -0.5), (0.0, 0.75)],
    "half disc": [(0.8 * np.cos(angle), 0.8 * np.sin(angle)) for angle in ANGLES],
    "letter L": [
        (-0.45, -0.65),
        (0.5, -0.65),
        (0.5, -0.25),
        (-0.1, -0.25),
        (-0.1, 0.65),
        (-0.45, 0.65),
    ],
}


def coverage(shape: float, scale: float, angle: float, x: float, y: float, side: int) -> np.ndarray:
    """Share of each pixel inside the polygon, from subpixels."""
    points = np.asarray(OUTLINES[data.FACTOR_SHAPES[int(shape)]]) * scale / 2
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    outline = Path(points @ rotation.T + np.array([x, y]) / 2)
    count = side * SUBPIXELS
    centres = (2 * np.arange(count) + 1) / count - 1
    grid = np.stack(np.meshgrid(centres, -centres), axis=-1).reshape(-1, 2)
    inside = outline.contains_points(grid).reshape(side, SUBPIXELS, side, SUBPIXELS)
    return inside.mean(axis=(1, 3))


def test_images_are_matplotlibs_polygons():
    rng = np.random.default_rng(0)
    values = np.column_stack(
        [
            np.arange(12) % 3,
            rng.uniform(0.5, 1, 12),
            rng.uniform(0, 2 * np.pi, 12),
            rng.uniform(-1, 1, (12, 2)),
        ]
    )
    found = np.asarray(data.factor_images(jnp.asarray(values, jnp.float32), side=48))[..., 0]
    expected = np.stack([coverage(*row, side=48) for row in values])
    np.testing.assert_allclose(found.sum((1, 2)), expected.sum((1, 2)), rtol=0.03)
    assert np.abs(found - expected).max() < 0.4  # at corners, where a pixel is cut twice
    assert np.abs(found - expected).mean() < 0.004
    outside = np.roll(expected, 1, axis=1)
    assert np.abs(found - outside).mean() > 0.01  # one pixel off would be found


def test_every_shape_is_inside_the_image_and_rotates_into_no_other():
    corners = np.array(
        [[s, 1, a, x, y] for s in range(3) for a in ANGLES[::25] for x in (-1, 1) for y in (-1, 1)]
    )
    images = np.asarray(data.factor_images(jnp.asarray(corners, jnp.float32)))
    border = [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]]
    assert max(edge.max() for edge in border) == 0
    turned = data.factor_values(
        jnp.array([[s, 5, a, 8, 8] for s in range(3) for a in range(24)], jnp.int32)
    )
    flat = np.asarray(data.factor_images(turned)).reshape(72, -1)
    distances = ((flat[:, None] - flat) ** 2).sum(axis=-1) + 100 * np.eye(72)
    assert distances.min() > 0.5


def test_levels_are_uniform_and_their_values_span_the_ranges(x64):
    levels = (3, 4, 8, 5, 1)
    factors = data.sample_factors(jax.random.key(0), examples=4000, levels=levels)
    for column, count in enumerate(levels):
        frequency = np.bincount(factors[:, column], minlength=count) / 4000
        assert len(frequency) == count
        np.testing.assert_allclose(frequency, 1 / count, atol=5 * np.sqrt(1 / count / 4000))
    correlation = np.corrcoef(np.asarray(factors[:, :4]).T) - np.eye(4)
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)
    values = data.factor_values(factors, levels=levels)
    expected = [
        np.arange(3),
        np.linspace(0.5, 1, 4),
        np.linspace(0, 2 * np.pi, 9)[:-1],
        np.linspace(-1, 1, 5),
        [-1],
    ]
    for column, array in enumerate(expected):
        np.testing.assert_allclose(np.unique(values[:, column]), array, atol=1e-12)


def test_wrong_arguments_are_refused():
    key = jax.random.key(0)
    for levels in ((4, 6, 24, 16, 16), (3, 6, 24, 16), (3, 0, 24, 16, 16)):
        with pytest.raises(ValueError, match="expected 5 numbers of levels"):
            data.sample_factors(key, examples=2, levels=levels)
        with pytest.raises(ValueError, match="expected 5 numbers of levels"):
            data.factor_values(jnp.zeros((2, 5), int), levels=levels)
    with pytest.raises(ValueError, match="a side of at least 8"):
        data.factor_images(jnp.zeros((2, 5)), side=7)
    with pytest.raises(ValueError, match=r"shape \[2, 4\]"):
        data.factor_images(jnp.zeros((2, 4)))
