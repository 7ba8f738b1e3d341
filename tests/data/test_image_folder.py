"""Image folders against the arrays that the images were written from, without Pillow.

PNG files are written here from the specification, TIFF files by tifffile.
"""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aejax.data import UnreadableExampleError, image_folder, load, open_stream
from aejax.data.image_file import STORED_MODES, read_image, write_image
from tests.properties import property_test

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16)}
DEPTHS[RGBA] = DEPTHS[GREY_ALPHA]
BOUNDS = {np.bool_: (0, 1), np.uint8: (0, 255), np.uint16: (0, 65535)}
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(256, size=(6, 4, 5), dtype=np.uint8)


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(pixels: np.ndarray, colour: int, bits: int, **chunks: bytes) -> bytes:
    """PNG file of pixels [height, width, channels] with the given bits per sample."""
    height, width, _ = pixels.shape
    if bits < 8:
        values = np.unpackbits(pixels.astype(np.uint8)[..., None], axis=-1)[..., -bits:]
        rows = np.packbits(values.reshape(height, -1), axis=1)
    else:
        rows = pixels.astype(f">u{bits // 8}").reshape(height, -1).view(np.uint8)
    filtered = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    middle = b"".join(chunk(name.encode(), content) for name, content in chunks.items())
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + middle
        + chunk(b"IDAT", zlib.compress(filtered))
        + chunk(b"IEND", b"")
    )


@st.composite
def png_images(draw):
    """PNG image: file, pixels, RGBA colours, colour type, bits, and whether it is transparent."""
    colour = draw(st.sampled_from(sorted(CHANNELS)))
    bits = draw(st.sampled_from(DEPTHS[colour]))
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 9)), CHANNELS[colour])
    pixels = np.random.default_rng(draw(st.integers(0, 99))).integers(2**bits, size=shape)
    transparent, chunks = colour in (GREY, RGB, PALETTE) and draw(st.booleans()), {}
    if colour == PALETTE:
        palette = np.random.default_rng(3).integers(256, size=(2**bits, 3), dtype=np.uint8)
        alpha = np.full(2**bits, 255, np.uint8)
        alpha[: 2 ** (bits - 1)] = 77 if transparent else 255
        chunks["PLTE"] = palette.tobytes()
        colours = np.concatenate([palette[pixels[..., 0]], alpha[pixels]], axis=-1)
        if transparent:
            chunks["tRNS"] = alpha.tobytes()
    else:
        scaled = pixels * 255 // (2**bits - 1)  # exact for every accepted depth
        key = pixels[0, 0]
        has_alpha = colour in (GREY_ALPHA, RGBA)
        opaque = np.full((*shape[:2], 1), 255)
        if transparent:
            chunks["tRNS"] = key.astype(">u2").tobytes()
            opaque[(pixels == key).all(axis=-1)] = 0
        values, alpha = (scaled[..., :-1], scaled[..., -1:]) if has_alpha else (scaled, opaque)
        grey = np.broadcast_to(values, (*shape[:2], 3))
        colours = np.concatenate([grey, alpha], axis=-1)
    return png(pixels, colour, bits, **chunks), pixels, colours, colour, bits, transparent


@property_test(examples=40)
@given(image=png_images())
def test_png_of_every_depth_and_colour_is_read_exactly_or_refused(tmp_path, image):
    content, pixels, _, colour, bits, transparent = image
    (tmp_path / "0.png").write_bytes(content)
    if colour == PALETTE or transparent or (bits == 16 and colour != GREY):
        words = {PALETTE: "its mode P"}.get(colour, "16 bits per sample|transparent colour")
        with pytest.raises(ValueError, match=rf"0\.png cannot be read as an image: .*({words})"):
            image_folder(tmp_path)
        return
    x = image_folder(tmp_path)
    # 1 and 16 bits are read unscaled; 2 and 4 bits are scaled to 8.
    expected = pixels if bits in (1, 16) else pixels * 255 // (2**bits - 1)
    np.testing.assert_array_equal(x[0], expected[..., 0] if colour == GREY else expected)
    assert x.dtype == {1: np.bool_, 16: np.uint16}.get(bits, np.uint8)
    assert x.bounds == BOUNDS[x.dtype.type]


@property_test(examples=40)
@given(image=png_images(), mode=st.sampled_from(["L", "LA", "RGB", "RGBA"]))
def test_png_is_converted_exactly_or_refused(tmp_path, image, mode):
    content, _, colours, colour, bits, transparent = image
    (tmp_path / "0.png").write_bytes(content)
    hides = "A" not in mode and (colours[..., 3] < 255).any()
    misread = transparent and colour == GREY and bits < 8
    if bits == 16 or hides or misread:
        with pytest.raises(ValueError, match=r"16 bits per sample|converted to 8|transparent"):
            image_folder(tmp_path, mode)
        return
    x = image_folder(tmp_path, mode)
    assert (x.dtype, x.bounds) == (np.uint8, (0, 255))
    found = x[0] if x[0].ndim == 3 else x[0][..., None]
    if mode.endswith("A"):
        np.testing.assert_array_equal(found[..., -1], colours[..., 3])
        found = found[..., :-1]
    if mode.startswith("RGB"):
        np.testing.assert_array_equal(found, colours[..., :3])
    else:
        luma = colours[..., :3] @ [0.299, 0.587, 0.114]
        np.testing.assert_allclose(found[..., 0], luma, rtol=0, atol=0.51)


ACCEPTED = ["u1", "u2", "i2", "i4", "f4"]


@property_test(examples=60)
@given(
    dtype=st.sampled_from([*ACCEPTED, "i1", "u4", "f2", "f8", "u8"]),
    channels=st.integers(1, 5),
    byteorder=st.sampled_from("<>"),
    white_is_zero=st.booleans(),
    compression=st.sampled_from([None, "zlib"]),
    seed=st.integers(0, 99),
)
def test_tiff_of_every_sample_format_is_read_exactly_or_refused(
    tmp_path, dtype, channels, byteorder, white_is_zero, compression, seed
):
    info = np.iinfo(dtype) if dtype[0] != "f" else None
    rng, shape = np.random.default_rng(seed), (3, 4, *([channels] if channels > 1 else []))
    x = rng.normal(size=shape) if info is None else rng.integers(info.min, info.max, shape, dtype)
    x = x.astype(dtype)
    photometric = "rgb" if channels > 2 else "miniswhite" if white_is_zero else "minisblack"
    extra = {"extrasamples": ["unassalpha"]} if channels in (2, 4) else {}
    tifffile.imwrite(
        tmp_path / "0.tif",
        x,
        photometric=photometric,
        byteorder=byteorder,
        compression=compression,
        planarconfig="contig",
        **extra,
    )
    inverted = white_is_zero and channels <= 2
    try:
        found = image_folder(tmp_path)
    except ValueError as refusal:
        assert "0.tif cannot be read as an image" in str(refusal)  # noqa: PT017 -- reading is right
        misread = byteorder == ">" and compression and dtype not in ("u1", "u2")
        assert dtype not in ACCEPTED or channels > 1 or inverted or misread
    else:
        expected = 255 - x if inverted else x
        np.testing.assert_array_equal(found[0], expected)
        assert found.bounds == BOUNDS.get(found.dtype.type, (None, None))


ORIENTATIONS = {
    1: "top left",
    2: "top right",
    3: "bottom right",
    4: "bottom left",
    5: "left top",
    6: "right top",
    7: "right bottom",
    8: "left bottom",
}
"""Position of the first row and the first column of the stored image, in the terms of EXIF."""


def stored_as(upright: np.ndarray, orientation: int) -> np.ndarray:
    """Stored pixels of an upright image in a file with this orientation."""
    first_row, first_column = ORIENTATIONS[orientation].split()
    is_transposed = first_row in ("left", "right")
    height, width = upright.shape[:2]
    stored = np.empty((width, height) if is_transposed else (height, width), upright.dtype)
    for i, j in np.ndindex(stored.shape):
        down, right = (j, i) if is_transposed else (i, j)
        down = height - 1 - down if "bottom" in (first_row, first_column) else down
        right = width - 1 - right if "right" in (first_row, first_column) else right
        stored[i, j] = upright[down, right]
    return stored


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_exif_orientation_is_applied_once(tmp_path, orientation, dtype, suffix):
    upright = RNG.integers(np.iinfo(dtype).max, size=(3, 5), dtype=dtype)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored_as(upright, orientation)).save(tmp_path / f"0.{suffix}", exif=exif)
    np.testing.assert_array_equal(image_folder(tmp_path)[0], upright)
    if dtype == np.uint8:
        np.testing.assert_array_equal(image_folder(tmp_path, "RGB")[0][..., 1], upright)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
@pytest.mark.parametrize("mode", [None, "RGBA"])
def test_animations_are_refused(tmp_path, suffix, mode):
    frames = [Image.fromarray(x).convert("RGB") for x in PIXELS[:3]]
    frames[0].save(tmp_path / f"0.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=rf"0\.{suffix} cannot .*it contains 3 frames"):
        image_folder(tmp_path, mode)


def test_cmyk_and_ycbcr_are_converted_on_request(tmp_path):
    x = RNG.integers(256, size=(4, 5, 4), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "0.tif", x, photometric="separated")
    with pytest.raises(ValueError, match="its mode CMYK is neither grey nor RGB; image_mode='RGB'"):
        image_folder(tmp_path)
    white = 255.0 - x
    np.testing.assert_allclose(
        image_folder(tmp_path, "RGB")[0], white[..., :3] * white[..., 3:] / 255, rtol=0, atol=1
    )
    Image.fromarray(x[..., :3], "YCbCr").save(tmp_path / "0.tif")
    y, blue, red = np.moveaxis(x[..., :3].astype(float), -1, 0)
    green = y - 0.344136 * (blue - 128) - 0.714136 * (red - 128)
    np.testing.assert_allclose(
        image_folder(tmp_path, "RGB")[0][..., 1], green.clip(0, 255), rtol=0, atol=1.5
    )
    Image.fromarray(x[..., :3], "LAB").save(tmp_path / "0.tif")
    for mode in (None, "RGB"):
        with pytest.raises(ValueError, match="its mode LAB"):
            image_folder(tmp_path, mode)


OTHER_KINDS = {
    "palette": lambda x: Image.fromarray(x).quantize(4),
    "16 bits": lambda x: Image.fromarray(x.astype(np.uint16) * 257),
    "1 bit": lambda x: Image.fromarray(x > 99),
    "colour": lambda x: Image.fromarray(x).convert("RGB"),
    "alpha": lambda x: Image.fromarray(x).convert("LA"),
    "size": lambda x: Image.fromarray(x[:2]),
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
@pytest.mark.parametrize("position", [0, 3, 5])
def test_an_image_of_another_mode_or_size_is_found_at_any_position(tmp_path, kind, position):
    for i, x in enumerate(PIXELS):
        image = OTHER_KINDS[kind](x) if i == position else Image.fromarray(x)
        image.save(tmp_path / f"{i}.png")
    with pytest.raises(ValueError, match=rf"{position}\.png"):
        np.asarray(open_stream(tmp_path).train[:]), open_stream(tmp_path).test[:]


def test_images_of_different_modes_are_converted_to_one(tmp_path):
    makers = [Image.fromarray, *(make for name, make in OTHER_KINDS.items() if name != "size")]
    for i, make in enumerate(makers):
        if make is not OTHER_KINDS["16 bits"]:
            make(np.where(PIXELS[0] > 99, 255, 0).astype(np.uint8)).save(tmp_path / f"{i}.png")
    x = open_stream(tmp_path, image_mode="L")
    assert (x.low, x.high) == (0, 255)
    for image in [*x.train[:], *x.test[:]]:
        np.testing.assert_array_equal(image, np.where(PIXELS[0] > 99, 255, 0))


def test_bounds_follow_the_stored_mode(tmp_path):
    x = np.arange(40, dtype=np.uint16).reshape(5, 2, 4) * 1000
    for i, image in enumerate(x):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    stream = open_stream(str(tmp_path))
    np.testing.assert_array_equal(stream.train[:], x[:4])
    assert (stream.low, stream.high) == (0, 65535)
    for i, image in enumerate(x):
        Image.fromarray(image > 20_000).save(tmp_path / f"{i}.png")
    stream = open_stream(tmp_path)
    assert (stream.train.dtype, stream.low, stream.high) == (np.bool_, 0, 1)


def test_unsupported_image_formats_are_refused_and_other_files_ignored(tmp_path):
    Image.fromarray(PIXELS[0]).save(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("ignored")
    assert len(image_folder(tmp_path)) == 1
    Image.fromarray(PIXELS[0]).save(tmp_path / "b.ppm")
    with pytest.raises(ValueError, match=r"1 images of unsupported formats, first b\.ppm"):
        image_folder(tmp_path)
    (tmp_path / "b.ppm").rename(tmp_path / "0.png")  # a PPM file with the suffix of PNG
    with pytest.raises(ValueError, match=r"0\.png cannot be read as an image"):
        image_folder(tmp_path)


def write(path, x):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(x).save(path)


@pytest.fixture
def classes(tmp_path):
    """Images of the classes ape and bee, and hidden files as macOS leaves them."""
    images = RNG.integers(256, size=(11, 4, 5), dtype=np.uint8)
    names = [f"{'ape' if i < 4 else 'bee'}/{i:02}.png" for i in range(11)]
    for name, x in zip(names, images, strict=True):
        write(tmp_path / "in" / name, x)
    for hidden in (".DS_Store", "ape/.DS_Store", "ape/._00.png", ".cache/x.png"):
        (tmp_path / "in" / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / hidden).write_bytes(b"no image")
    (tmp_path / "in" / "ape" / "notes.txt").write_text("ignored")
    return tmp_path / "in", images


def test_subfolders_are_classes_in_memory_and_as_a_stream(classes):
    folder, images = classes
    found, streamed, test = load(folder), open_stream(folder), [4, 9]
    np.testing.assert_array_equal(found.x_train, np.delete(images, test, axis=0))
    np.testing.assert_array_equal(found.x_test, images[test])
    np.testing.assert_array_equal(found.labels_train, np.delete([0] * 4 + [1] * 7, test))
    np.testing.assert_array_equal(found.labels_test, [1, 1])
    assert (found.classes, found.low, found.high, found.name) == (("ape", "bee"), 0, 255, "in")
    np.testing.assert_array_equal(streamed.train[:], found.x_train)
    np.testing.assert_array_equal(streamed.test[:], found.x_test)
    np.testing.assert_array_equal(streamed.labels_train, found.labels_train)
    np.testing.assert_array_equal(streamed.labels_test, found.labels_test)
    assert streamed.classes == found.classes


def test_a_folder_of_images_is_loaded_as_the_array_of_its_images(tmp_path):
    for i, x in enumerate(PIXELS):
        write(tmp_path / f"{i}.png", x)
    write(tmp_path / "masks" / "0.png", PIXELS[0] > 9)  # subfolders beside images are not searched
    found = load(tmp_path)
    np.testing.assert_array_equal(found.x_train, np.delete(PIXELS, 4, axis=0))
    assert (found.labels_train, found.classes) == (None, None)
    with pytest.raises(ValueError, match=r"0\.png is not a .*a data set is a folder of images"):
        load(tmp_path / "0.png")


def test_train_and_test_are_splits(tmp_path):
    for i, x in enumerate(PIXELS):
        write(tmp_path / ("train" if i < 2 else "test") / "cd"[i % 2] / f"{i}.png", x)
    for found in (load(tmp_path), open_stream(tmp_path)):
        x_train, x_test = found[1:3]
        np.testing.assert_array_equal(x_train[:], PIXELS[:2])
        np.testing.assert_array_equal(x_test[:], PIXELS[[2, 4, 3, 5]])
        np.testing.assert_array_equal(found.labels_test, [0, 0, 1, 1])
        assert found.classes == ("c", "d")
    (tmp_path / "test" / "d").rename(tmp_path / "test" / "e")
    with pytest.raises(ValueError, match="train has the classes c, d, test c, e"):
        load(tmp_path)


@pytest.mark.parametrize("open_", [load, open_stream])
def test_splits_of_different_images_are_refused(tmp_path, open_):
    for part, x in {"train": PIXELS, "test": PIXELS[:, :3]}.items():
        for i, image in enumerate(x):
            write(tmp_path / part / f"{i}.png", image)
    with pytest.raises(ValueError, match=r"train has images uint8\[4, 5\], test uint8\[3, 5\]; re"):
        open_(tmp_path)
    assert open_(tmp_path, resize=(2, 2))[1].shape == (6, 2, 2)


@pytest.mark.parametrize("open_", [load, open_stream])
def test_folders_without_images_where_they_are_expected_are_refused(classes, open_):
    folder, _ = classes
    (folder / "cat").mkdir()
    with pytest.raises(ValueError, match="the subfolder cat contains no images"):
        open_(folder)
    with pytest.raises(ValueError, match=r"no subfolders with images.*ape/00\.png is too deep"):
        open_(folder.parent)


def test_sizes_are_harmonised_on_request(tmp_path):
    for i, size in enumerate([(40, 30), (30, 40), (50, 50), (31, 90), (40, 30)]):
        write(tmp_path / f"{i}.png", np.full(size, 10 * i, np.uint8))
    with pytest.raises(ValueError, match=r"1\.png has mode L, shape \[30, 40\].*resize or crop"):
        load(tmp_path)
    expected = np.broadcast_to(np.arange(0, 50, 10)[:, None, None], (5, 20, 24))
    for options in ({"resize": (20, 24)}, {"crop": (20, 24)}, {"resize": 24, "crop": (20, 24)}):
        found = load(tmp_path, **options)
        np.testing.assert_array_equal(found.x_train, expected[:4])
        np.testing.assert_array_equal(open_stream(tmp_path, **options).train[:], expected[:4])
    with pytest.raises(
        ValueError, match="resize and crop are for a folder of images, which digits"
    ):
        load("digits", crop=(4, 4))


def test_a_damaged_image_is_named(classes):
    folder, _ = classes
    content = (folder / "bee" / "05.png").read_bytes()
    (folder / "bee" / "05.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"bee/05\.png cannot be read as an image"):
        load(folder)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "I;16", "I", "F"])
def test_written_images_are_read_again_exactly(tmp_path, mode):
    dtype, channels = STORED_MODES[mode][0], {"LA": 2, "RGB": 3, "RGBA": 4}.get(mode)
    x = RNG.integers(2 if dtype == np.bool_ else 200, size=(5, 4, channels or 1)).astype(dtype)
    write_image(tmp_path / "0.x", x)
    kind, found = read_image(tmp_path / "0.x")
    assert (kind, found.dtype) == (mode, dtype)
    np.testing.assert_array_equal(found, x if channels else x[..., 0])
    with pytest.raises(ValueError, match=r"uint8\[5, 4, 5\] is not an image"):
        write_image(tmp_path / "1.x", np.zeros((5, 4, 5), np.uint8))


def test_image_mode_is_refused_for_other_formats(tmp_path):
    np.save(tmp_path / "x.npy", PIXELS)
    with pytest.raises(
        ValueError, match=r"image_mode, .* are for a folder of images, which .*x\.npy is not"
    ):
        open_stream(tmp_path / "x.npy", image_mode="RGB")


def test_an_image_of_another_mode_is_named(tmp_path):
    for i, x in enumerate(PIXELS):
        Image.fromarray(x).convert("RGB" if i == 2 else "L").save(tmp_path / f"{i}.png")
    with pytest.raises(UnreadableExampleError, match=r"example 2 of .*2\.png has mode RGB"):
        open_stream(tmp_path).train[:]


@pytest.mark.parametrize("mode", ["P", "I;16", "F", "1", "CMYK", "rgb", "", 1, ("RGB",)])
def test_an_unknown_mode_is_refused(tmp_path, mode):
    """Pillow converts 8 bits to I;16 without scaling, so the bounds 0 and 65535 would be wrong."""
    Image.fromarray(PIXELS[0]).save(tmp_path / "a.png")
    unchecked = image_folder.__wrapped__  # without the type check of tests
    with pytest.raises(ValueError, match="image_mode must be one of L, LA, RGB, RGBA, or None"):
        unchecked(tmp_path, mode)
