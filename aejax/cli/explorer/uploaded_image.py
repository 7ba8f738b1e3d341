"""PNG files that a user uploads, as examples of the size and range of the data."""

import io
import struct
from collections.abc import Sequence

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""First bytes of a PNG file."""

HEADER = struct.Struct(">8sI4sIIB")
"""Signature, length and name of the first chunk, width, height, and bits per channel."""


def read_png(content: bytes, shape: Sequence[int], *, low: float, high: float) -> np.ndarray:
    """Read a PNG file as an example.

    The size is compared before anything is decompressed.

    Args:
        content: PNG file with up to 8 bits per channel and without transparency. Colours are
            converted to luminance for examples of one channel.
        shape: shape of an example, [height, width] or [height, width, 1 or 3].
        low: value of black.
        high: value of white.

    Returns:
        The example, float64, of this shape.

    Raises:
        ValueError: the content is not such a file, or has another size.
    """
    if not content.startswith(SIGNATURE) or len(content) < HEADER.size:
        raise ValueError("the file is not a PNG image")
    *_, width, height, bits = HEADER.unpack_from(content)
    if (height, width) != tuple(shape[:2]):
        raise ValueError(
            f"the image has {width} × {height} pixels (width × height), the examples of the run "
            f"have {shape[1]} × {shape[0]}: resize it"
        )
    if bits > 8:
        raise ValueError(f"the image has {bits} bits per channel: save it with 8")
    mode = "RGB" if tuple(shape[2:]) == (3,) else "L"
    pixels = _pixels(content, mode).reshape(shape)
    return low + (high - low) * (pixels.astype(np.float64) / 255)


def _pixels(content: bytes, mode: str) -> np.ndarray:
    from PIL import Image  # slow to import

    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.has_transparency_data:
                raise ValueError("the image has transparent pixels: save it without transparency")
            return np.asarray(image.convert(mode))
    # Pillow raises these for files that are cut off or altered.
    except (OSError, SyntaxError, EOFError, struct.error) as error:
        raise ValueError(f"the PNG image cannot be read: {error}") from error
