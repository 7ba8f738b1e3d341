"""Masks with a shape, for images: a block, or patches."""

import math

import jax
import jax.numpy as jnp

from aejax.hyperparameters import check_range
from aejax.types import Array, Corruption, Key


def block_masking(*, size: tuple[int, int]) -> Corruption:
    """Block masking: in each image, one block at a uniformly drawn place becomes 0.

    Args:
        size: (height, width) of the block, in pixels. It lies wholly inside the image.

    Returns:
        The corruption of images [batch, height, width] or [batch, height, width, channels]; all
        channels of a pixel go together. `on_images` takes it to flat examples.

    Raises:
        ValueError: for a block without pixels; from the corruption, for x of another rank or
            smaller than the block.

    Source: Pathak et al. 2016, §3.3 (one block, where they mask several).
    """
    _check_size("block", size)

    def corrupt(key: Key, x: Array) -> Array:
        shape = _image_size(x)
        if any(side < part for side, part in zip(shape, size, strict=True)):
            raise ValueError(f"a block of {size} does not fit into images of {shape}")
        keys = jax.random.split(key)
        rows, columns = (
            _interval(key, x.shape[0], side, part)
            for key, side, part in zip(keys, shape, size, strict=True)
        )
        return _masked(x, rows[:, :, None] & columns[:, None, :])

    return corrupt


def patch_masking(*, size: tuple[int, int], rate: float | Array) -> Corruption:
    """Patch masking: of the patches that tile an image, an exact share, drawn anew, becomes 0.

    Args:
        size: (height, width) of a patch, in pixels; the patches tile the image without overlap.
        rate: q in [0, 1]. Of n patches round(q n) are masked, drawn without replacement.

    Returns:
        The corruption of images [batch, height, width] or [batch, height, width, channels]; all
        channels of a pixel go together. `on_images` takes it to flat examples.

    Raises:
        ValueError: for a patch without pixels or a concrete rate outside [0, 1]; from the
            corruption, for x of another rank or that the patches do not tile.

    Source: He et al. 2022, §3.
    """
    _check_size("patch", size)
    check_range("patch-masking rate", rate, 0, 1)

    def corrupt(key: Key, x: Array) -> Array:
        shape = _image_size(x)
        if any(side % part for side, part in zip(shape, size, strict=True)):
            raise ValueError(f"patches of {size} do not tile images of {shape}; pad or crop them")
        grid = tuple(side // part for side, part in zip(shape, size, strict=True))
        patches = math.prod(grid)
        order = jnp.tile(jnp.arange(patches), (x.shape[0], 1))
        order = jax.random.permutation(key, order, axis=1, independent=True)
        masked = (order < jnp.round(rate * patches).astype(order.dtype)).reshape(-1, *grid)
        return _masked(x, jnp.repeat(jnp.repeat(masked, size[0], axis=1), size[1], axis=2))

    return corrupt


def on_images(corruption: Corruption, *, image_shape: tuple[int, ...]) -> Corruption:
    """A corruption of images, for examples that are laid out otherwise, such as flat vectors.

    Args:
        corruption: of images [batch, *image_shape].
        image_shape: (height, width) or (height, width, channels).

    Returns:
        The corruption of x [batch, *input] whose input has as many elements as the image.

    Raises:
        ValueError: from the corruption, for x of another size.
    """

    def corrupt(key: Key, x: Array) -> Array:
        if math.prod(x.shape[1:]) != math.prod(image_shape):
            raise ValueError(
                f"examples of shape {x.shape[1:]} are not images of {image_shape}: "
                f"{math.prod(x.shape[1:])} values against {math.prod(image_shape)}"
            )
        return corruption(key, x.reshape(-1, *image_shape)).reshape(x.shape)

    return corrupt


def _check_size(name: str, size: tuple[int, int]) -> None:
    if min(size) < 1:
        raise ValueError(f"a {name} must be one pixel or more on each side, got {size}")


def _image_size(x: Array) -> tuple[int, int]:
    if x.ndim not in (3, 4):
        raise ValueError(
            "expected images [batch, height, width] or [batch, height, width, channels], got "
            f"shape {list(x.shape)}; wrap the corruption in on_images(…, image_shape=…)"
        )
    return x.shape[1], x.shape[2]


def _interval(key: Key, count: int, side: int, part: int) -> Array:
    """[count, side]: true on `part` neighbours at a uniformly drawn place."""
    start = jax.random.randint(key, (count, 1), 0, side - part + 1)
    place = jnp.arange(side)
    return (place >= start) & (place < start + part)


def _masked(x: Array, mask: Array) -> Array:
    """x, with 0 where the mask [batch, height, width] is true."""
    return jnp.where(mask.reshape(mask.shape + (1,) * (x.ndim - 3)), jnp.zeros_like(x), x)
