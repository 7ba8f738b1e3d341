"""Image sizes: parsing, resizing with antialiasing, and cropping the centre."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

Size = tuple[int, int]
"""(height, width) in pixels."""


def is_image_shape(shape: Sequence[int]) -> bool:
    """Whether examples of a shape can be shown as images, in grey or in colour.

    Args:
        shape: shape of one example.

    Returns:
        True for [height, width], and [height, width, channels] with 1 or 3 channels.
    """
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))


def parse_size(text: str, option: str) -> Size | int:
    """Parse a size on the command line.

    Args:
        text: HEIGHTxWIDTH, or one length.
        option: name of the option in error messages.

    Returns:
        (height, width), or the length.

    Raises:
        ValueError: for any other text.

    Example:
        >>> from aejax.data.image_size import parse_size
        >>> parse_size("48x64", "resize"), parse_size("64", "resize")
        ((48, 64), 64)
    """
    parts = text.split("x")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"{option} must be HEIGHTxWIDTH in pixels, such as 48x64, got {text!r}")
    lengths = [int(part) for part in parts]
    return lengths[0] if len(lengths) == 1 else (lengths[0], lengths[1])


def check_resize(size: object) -> None:
    """Check the size that images are resized to.

    Args:
        size: (height, width), the length of the shorter side, or None.

    Raises:
        ValueError: for anything else than positive integers.
    """
    if size is not None and not (_is_length(size) or _is_size(size)):
        raise ValueError(
            "resize must be (height, width), or the length of the shorter side, in pixels, got "
            f"{size!r}"
        )


def check_crop(size: object) -> None:
    """Check the size that images are cropped to.

    Args:
        size: (height, width), or None.

    Raises:
        ValueError: for anything else than positive integers.
    """
    if size is not None and not _is_size(size):
        raise ValueError(f"crop must be (height, width) in pixels, such as (64, 64), got {size!r}")


def resized(image: "Image", size: Size | int | None) -> "Image":
    """Resize an image by bilinear interpolation, with antialiasing where it shrinks.

    Args:
        image: image of Pillow.
        size: (height, width), which may change the aspect ratio, or the length of the shorter side,
            which keeps it; None leaves the image as it is.

    Returns:
        The image.

    Raises:
        ValueError: for an image of 1 bit per pixel, which has no intermediate values.
    """
    from PIL.Image import Resampling

    if size is None:
        return image
    width, height = image.size
    if isinstance(size, int):
        shorter = min(width, height)
        size = max(1, round(size * height / shorter)), max(1, round(size * width / shorter))
    if size == (height, width):
        return image
    if image.mode == "1":
        raise ValueError(
            "it has 1 bit per pixel, which cannot be resized; image_mode='L' (--image-mode L) "
            "converts it to grey"
        )
    return image.resize((size[1], size[0]), Resampling.BILINEAR)


def crop_centre(image: "Image", size: Size | None) -> "Image":
    """Crop the centre of an image; of an odd margin, the larger part is below and to the right.

    Args:
        image: image of Pillow.
        size: (height, width) that is kept; None keeps the whole image.

    Returns:
        The image.

    Raises:
        ValueError: for an image that is smaller.
    """
    if size is None:
        return image
    (width, height), (rows, columns) = image.size, size
    if rows > height or columns > width:
        raise ValueError(
            f"its size {height}x{width} is smaller than the crop {rows}x{columns}; resize it first "
            f"(--resize {max(size)} with --crop {rows}x{columns})"
        )
    top, left = (height - rows) // 2, (width - columns) // 2
    return image.crop((left, top, left + columns, top + rows))


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_size(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_length, value))
