"""Explorer: PNG files that a user uploads."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aejax.cli.explorer.uploaded_image import read_png
from tests.properties import property_test

BOMB = b"\x89PNG\r\n\x1a\n" + bytes(8) + struct.pack(">II", 2**31 - 1, 2**31 - 1) + bytes(9)
GREY = np.random.default_rng(0).integers(0, 256, (6, 9), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (6, 9, 3), np.uint8)


def png(image, **settings) -> bytes:
    """PNG file of an array or of an image."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **settings)
    return buffer.getvalue()


def written_by_hand(pixels: np.ndarray, colour_type: int, bits: int = 8) -> bytes:
    """PNG file by its specification, without Pillow; rows are big-endian."""
    height, width = pixels.shape[:2]

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(f">u{bits // 8}").tobytes() for row in pixels)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("shape", [(6, 9), (6, 9, 1)])
def test_black_is_low_and_white_is_high(shape):
    content = written_by_hand(GREY, 0)
    found = read_png(content, shape, low=-1, high=3)
    np.testing.assert_allclose(found, GREY.reshape(shape) / 255.0 * 4 - 1, atol=1e-12)
    np.testing.assert_array_equal(read_png(png(GREY), shape, low=-1, high=3), found)


def test_colours_are_kept_or_become_luminance():
    content = written_by_hand(COLOUR, 2)
    np.testing.assert_array_equal(read_png(content, (6, 9, 3), low=0, high=255), COLOUR)
    luminance = COLOUR @ [0.299, 0.587, 0.114]  # ITU-R BT.601
    np.testing.assert_allclose(read_png(content, (6, 9), low=0, high=255), luminance, atol=1)
    grey = read_png(png(GREY), (6, 9, 3), low=0, high=255)
    np.testing.assert_array_equal(grey, np.repeat(GREY[..., None], 3, axis=2))
    palette = read_png(png(Image.fromarray(GREY).convert("P")), (6, 9), low=0, high=255)
    np.testing.assert_allclose(palette, GREY, atol=1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a PNG"),
        (b"GIF89a" + bytes(40), "not a PNG"),
        (png(GREY)[:20], "not a PNG"),
        (png(GREY)[:60], "cannot be read"),
        (png(GREY.T), "6 × 9 pixels (width × height), the examples of the run have 9 × 6: resize"),
        (written_by_hand(GREY.astype(int) * 257, 0, bits=16), "16 bits per channel: save it"),
        (png(np.dstack([COLOUR, GREY])), "transparent pixels"),
        (png(GREY, transparency=3), "transparent pixels"),
        (BOMB, "pixels"),
        (png(np.zeros((6, 9), np.uint8)).replace(b"IDAT", b"IDAX"), "cannot be read"),
    ],
    ids=[
        "nothing", "another format", "half a header", "half a file", "another size", "16 bits",
        "alpha channel", "transparent colour", "a bomb", "no pixels",
    ],
)  # fmt: skip
def test_other_files_are_refused(content, words):
    with pytest.raises(ValueError, match=r"^the (file|image|PNG)") as refusal:
        read_png(content, (6, 9), low=0, high=1)
    assert words in str(refusal.value)


@property_test(examples=100)
@given(
    content=st.sampled_from([png(GREY), png(COLOUR), png(Image.fromarray(GREY).convert("P"))]),
    place=st.floats(0, 1),
    size=st.integers(0, 6),
    put=st.binary(max_size=6),
)
def test_altered_files_give_values_in_range_or_an_error_message(content, place, size, put):
    start = 8 + round(place * (len(content) - 8))
    try:
        found = read_png(content[:start] + put + content[start + size :], (6, 9), low=2, high=3)
    except ValueError:
        return
    assert found.shape == (6, 9)
    assert ((found >= 2) & (found <= 3)).all()
