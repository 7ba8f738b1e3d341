"""Folders of images: all of one kind, read as they are stored or converted as asked."""

import mimetypes
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from aejax.data.lazy_array import LazyArray

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
FORMATS = "PNG", "JPEG", "BMP", "DIB", "GIF", "TIFF", "WEBP"
"""Pillow's names of the formats whose stored depth `_check_samples` knows."""

ImageMode = Literal["L", "LA", "RGB", "RGBA"]
"""What images can be converted to: grey or colour of 8 bits, with an alpha channel or without."""

STORED_MODES = {
    "1": (np.bool_, (0.0, 1.0)),
    "L": (np.uint8, (0.0, 255.0)),
    "LA": (np.uint8, (0.0, 255.0)),
    "RGB": (np.uint8, (0.0, 255.0)),
    "RGBA": (np.uint8, (0.0, 255.0)),
    "I;16": (np.uint16, (0.0, 65535.0)),
    "I": (np.int32, (None, None)),
    "F": (np.float32, (None, None)),
}
"""Dtype and bounds of the modes whose values are brightness; of others one must ask."""

CONVERTIBLE = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC = 258, 259, 262
SAMPLES_PER_PIXEL, SAMPLE_FORMAT = 277, 339
"""TIFF's tags."""


def image_folder(folder: str | PathLike[str], mode: ImageMode | None = None) -> LazyArray:
    """The images of a folder, in the order of their names.

    Each file holds one image. EXIF's orientation is applied. Without a mode all images are of one
    kind: 1 bit (bool, bounds 0 and 1), grey or colour of 8 bits, with alpha or without (uint8, 0
    and 255), grey of 16 bits (uint16, 0 and 65535), signed integers (int32) or floating point
    (float32) of any range. Grey of 2 and 4 bits has the bounds of 8, as Pillow scales it.

    With a mode, images of up to 8 bits a sample (palettes, CMYK and YCbCr among them) become grey
    by the luma of ITU-R BT.601, or colour, without colour management.

    Args:
        folder: with image files, whose subfolders are not searched.
        mode: what every image is converted to; None reads them as they are stored.

    Returns:
        Examples [images, height, width] or [images, height, width, channels].

    Raises:
        ValueError: another mode, a folder without images, or with some of kinds that are not read;
            and as they are read, images of another kind or size than the first, damaged files,
            animations, palettes and other modes of which a conversion was not asked, samples of
            more bits than Pillow reads, pixels whose transparency a conversion would drop.
    """
    check_mode(mode)
    files = sorted(Path(folder).iterdir())
    paths = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not paths:
        raise ValueError(
            f"{folder} holds no images, no .npy and no .array_record files "
            "(its subfolders are not searched)"
        )
    others = [path.name for path in files if path not in paths and _is_image(path)]
    if others:
        raise ValueError(
            f"{folder} holds {len(others)} images of a kind that is not read, first {others[0]}; "
            f"expected {' '.join(sorted(SUFFIXES))}"
        )
    kind, first = read_image(paths[0], mode)

    def read(rows: np.ndarray) -> np.ndarray:
        return np.stack([_like_first(paths[row]) for row in rows])

    def _like_first(path: Path) -> np.ndarray:
        found, image = read_image(path, mode)
        if (found, image.shape) != (kind, first.shape):
            advice = "" if found == kind else "; image_mode converts all to one mode"
            raise ValueError(
                f"{path.name} has mode {found}, shape {list(image.shape)}, but {paths[0].name} has "
                f"mode {kind}, shape {list(first.shape)}{advice}"
            )
        return image

    dtype, bounds = STORED_MODES[kind]
    return LazyArray(str(folder), read, (len(paths), *first.shape), dtype, bounds=bounds)


def read_image(path: Path, mode: ImageMode | None = None) -> tuple[str, np.ndarray]:
    """Read one image, upright.

    Args:
        path: of the file.
        mode: what it is converted to; None reads it as it is stored.

    Returns:
        The mode of the values (a key of `STORED_MODES`), and the values, [height, width] or
        [height, width, channels].

    Raises:
        ValueError: as `image_folder`.
    """
    from PIL import Image, ImageOps

    check_mode(mode)
    try:
        with path.open("rb") as file:
            head = file.read(25)
            file.seek(0)
            with Image.open(file, formats=FORMATS) as image:
                _check_samples(image, head)
                kind = _stored_kind(image) if mode is None else mode
                upright = ImageOps.exif_transpose(image)
                shown = upright if mode is None else _converted(upright, mode)
                return kind, np.asarray(shown).astype(STORED_MODES[kind][0], copy=False)
    except Exception as error:  # Pillow's readers have no exception in common
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


def check_mode(mode: object) -> None:
    """Refuse another mode than can be asked for: of others, Pillow's bounds would be wrong.

    Args:
        mode: what images are to be converted to, or None.

    Raises:
        ValueError: with the modes that there are.
    """
    if mode is not None and mode not in get_args(ImageMode):
        raise ValueError(
            f"image_mode must be one of {', '.join(get_args(ImageMode))}, or None, got {mode!r}"
        )


def _is_image(path: Path) -> bool:
    return (mimetypes.guess_type(path.name)[0] or "").startswith("image/")


def _check_samples(image: "Image", head: bytes) -> None:
    """Refuse what Pillow would read as less than, or other than, the file says.

    head is that of the file: 25 bytes, the last of them PNG's bits a sample.
    """
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # there the first is what every JPEG reader shows
        raise ValueError(f"it holds {frames} frames; expected one image")
    if image.format == "PNG":
        _check_png(image, head[-1])
    if image.format == "TIFF":
        _check_tiff(image, is_big_endian=head.startswith(b"MM"))


def _check_png(image: "Image", bits: int) -> None:
    """Refuse colours of 16 bits, which Pillow cuts, and keys that it compares unscaled."""
    if bits == 16 and image.mode not in ("I;16", "I"):
        raise ValueError("it has 16 bits a sample, of which Pillow reads 8; store 8, or grey of 16")
    if bits < 8 and image.mode in ("1", "L") and "transparency" in image.info:
        raise ValueError(f"it has a transparent colour in grey of {bits} bits; store 8 bits")


def _check_tiff(image: "Image", *, is_big_endian: bool) -> None:
    """Refuse samples that Pillow cuts, drops, or reads with another sign, order or polarity."""
    tags = getattr(image, "tag_v2", {})
    bits = max(tags.get(BITS_PER_SAMPLE, (1,)))
    formats, samples = set(tags.get(SAMPLE_FORMAT, (1,))), tags.get(SAMPLES_PER_PIXEL, 1)
    white_is_zero = tags.get(PHOTOMETRIC) == 0
    is_compressed = tags.get(COMPRESSION, 1) != 1
    # Of these Pillow swaps bytes that libtiff has swapped already.
    swapped_twice = is_big_endian and is_compressed
    right = {
        "I;16": bits == 16 and formats == {1} and not white_is_zero,
        "I": formats == {2} and not swapped_twice,
        "F": not white_is_zero and not swapped_twice,
    }
    kind = "I;16" if image.mode.startswith("I;16") else image.mode
    if not right.get(kind, bits <= 8 and formats == {1}) or samples != len(image.getbands()):
        others = {", white is 0": white_is_zero, ", big-endian and compressed": swapped_twice}
        more = "".join(words for words, found in others.items() if found)
        raise ValueError(
            f"it has {samples} samples a pixel, of {bits} bits and sample format "
            f"{sorted(formats)}{more}, of which Pillow makes mode {image.mode}; store 8 "
            "bits a sample, or grey of 16 bits or float32"
        )


def _stored_kind(image: "Image") -> str:
    """The key in `STORED_MODES` of an image whose values are brightness; ValueError for others."""
    # Pillow gives grey of 16 bits in several modes: of either byte order, and in 32 bits.
    is_deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")
    kind = "I;16" if is_deep else image.mode
    if kind not in STORED_MODES:
        can = image.mode in CONVERTIBLE
        advice = "image_mode='RGB' converts it" if can else "store it as RGB"
        raise ValueError(f"its mode {image.mode} is neither grey nor RGB; {advice}")
    if "transparency" in image.info:
        raise ValueError(
            "it has a transparent colour; image_mode='RGBA' makes that an alpha channel"
        )
    return kind


def _converted(image: "Image", mode: ImageMode) -> "Image":
    """An image of up to 8 bits a sample in a mode; by RGBA, which holds every one of them."""
    if image.mode not in CONVERTIBLE:
        raise ValueError(f"its mode {image.mode} cannot be converted to 8 bits a sample")
    rgba = image.convert("RGBA")
    if "A" not in mode and (np.asarray(rgba)[..., 3] < 255).any():
        raise ValueError(
            f"it has transparent pixels, which {mode} cannot show; image_mode='RGBA' keeps them"
        )
    return rgba if mode == "RGBA" else rgba.convert(mode)
