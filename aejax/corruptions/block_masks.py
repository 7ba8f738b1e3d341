"""Block and patch masking of images."""

import math

import jax
import jax.numpy as jnp

from aejax.hyperparameters import check_range
from aejax.types import Array, Corruption, Key


def block_masking(*, size: tuple[int, int]) -> Corruption:
    """Block masking (Cutout): in each image, one block at a uniformly random position becomes 0.

    Args:
        size: (height, width) of the block in pixels. The block is entirely inside the image.

    Returns:
        The corruption of images [batch, height, width] or [batch, height, width, channels]; all
        channels of a pixel are masked together. For flat examples, see `on_images`.

    Raises:
        ValueError: for an empty block; from the corruption, if x has another rank or is smaller
            than the block.

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
    """Patch masking (as in MAE): an exact fraction of the patches that tile an image becomes 0.

    Args:
        size: (height, width) of a patch in pixels; the patches tile the image without overlap.
        rate: fraction q in [0, 1] of masked patches: round(q n) of n, drawn without replacement.

    Returns:
        The corruption of images [batch, height, width] or [batch, height, width, channels]; all
        channels of a pixel are masked together. For flat examples, see `on_images`.

    Raises:
        ValueError: for an empty patch or a concrete rate outside [0, 1]; from the corruption, if x
            has another rank or a size that the patches do not tile.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from aejax import corruptions
        >>> corrupt = corruptions.patch_masking(size=(7, 7), rate=0.75)
        >>> float(corrupt(jax.random.key(0), jnp.ones((2, 28, 28))).mean())
        0.25

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
    """Apply a corruption of images to examples of another shape, such as flat vectors.

    Args:
        corruption: corruption of images [batch, *image_shape].
        image_shape: (height, width) or (height, width, channels).

    Returns:
        The corruption of x [batch, *input]; an input has as many elements as an image.

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
        raise ValueError(f"a {name} must be at least one pixel high and wide, got {size}")


def _image_size(x: Array) -> tuple[int, int]:
    if x.ndim not in (3, 4):
        raise ValueError(
            "expected images [batch, height, width] or [batch, height, width, channels], got "
            f"shape {list(x.shape)}; wrap the corruption in on_images(…, image_shape=…)"
        )
    return x.shape[1], x.shape[2]


def _interval(key: Key, count: int, side: int, part: int) -> Array:
    """Masks [count, side], each true on `part` consecutive positions from a random start."""
    start = jax.random.randint(key, (count, 1), 0, side - part + 1)
    position = jnp.arange(side)
    return (position >= start) & (position < start + part)


def _masked(x: Array, mask: Array) -> Array:
    """x with 0 where the mask [batch, height, width] is true."""
    return jnp.where(mask.reshape(mask.shape + (1,) * (x.ndim - 3)), jnp.zeros_like(x), x)
