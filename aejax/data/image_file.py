"""One image file as an array: in the stored mode and size, or converted to a common form."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Shaped

from aejax.data.image_size import check_crop, check_resize, crop_centre, resized

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
FORMATS = "PNG", "JPEG", "BMP", "DIB", "GIF", "TIFF", "WEBP"
"""Formats, by their names in Pillow, whose stored bit depth `_check_samples` verifies."""

ImageMode = Literal["L", "LA", "RGB", "RGBA"]
"""Modes that images can be converted to: 8-bit grey or colour, with or without alpha channel."""

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
"""Dtype and bounds of the modes that are read without conversion."""


class ImageForm(NamedTuple):
    """Form that images are converted to when they are read, in this order.

    mode:   mode of Pillow; None for the stored mode.
    resize: (height, width), or the length of the shorter side, which keeps the aspect ratio; None
            for the stored size.
    crop:   (height, width) of the centre that is kept; None for the whole image.
    """

    mode: ImageMode | None = None
    resize: tuple[int, int] | int | None = None
    crop: tuple[int, int] | None = None


CONVERTIBLE = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC = 258, 259, 262
SAMPLES_PER_PIXEL, SAMPLE_FORMAT = 277, 339
"""TIFF tag numbers."""


def read_image(path: Path, form: ImageForm = ImageForm()) -> tuple[str, np.ndarray]:
    """Read one image, with its EXIF orientation applied.

    Without a mode, the image must be 1 bit (bool, bounds 0 and 1), 8-bit grey or colour with or
    without alpha (uint8, 0 and 255), 16-bit grey (uint16, 0 and 65535), signed integers (int32) or
    floating point (float32) of any range. Pillow scales 2- and 4-bit grey to 8 bits. With a mode,
    images of up to 8 bits per sample (including palettes, CMYK and YCbCr) are converted to grey
    (luma of ITU-R BT.601) or colour, without colour management.

    Args:
        path: the image file.
        form: form that the image is converted to (default: mode and size as stored).

    Returns:
        The mode of the values (a key of `STORED_MODES`), and the values, [height, width] or
        [height, width, channels].

    Raises:
        ValueError: for an invalid form; for damaged files, animations, palettes and other modes
            that need a conversion, samples of more bits than Pillow reads, transparent pixels if
            the mode has no alpha channel, images that cannot be resized or cropped.
    """
    from PIL import Image, ImageOps

    check_form(form)
    try:
        with path.open("rb") as file:
            head = file.read(25)
            file.seek(0)
            with Image.open(file, formats=FORMATS) as image:
                _check_samples(image, head)
                kind = _stored_kind(image) if form.mode is None else form.mode
                upright = ImageOps.exif_transpose(image)
                shown = upright if form.mode is None else _converted(upright, form.mode)
                shown = crop_centre(resized(shown, form.resize), form.crop)
                return kind, np.asarray(shown).astype(STORED_MODES[kind][0], copy=False)
    except Exception as error:  # Pillow's readers have no common exception
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


def write_image(path: Path, values: Shaped[np.ndarray, "height width *channels"]) -> None:
    """Write an image without loss, in the mode that `read_image` reads as these values.

    Args:
        path: destination, in the format of `image_suffix` whatever its suffix.
        values: [height, width] or [height, width, channels], of a dtype of `STORED_MODES`.

    Raises:
        ValueError: for values that are no image.
    """
    from PIL import Image

    channels = values.shape[2] if values.ndim == 3 else 1
    modes = [mode for mode, (dtype, _) in STORED_MODES.items() if dtype == values.dtype]
    if values.ndim not in (2, 3) or channels > len(modes):
        raise ValueError(f"{path}: {values.dtype}{list(values.shape)} is not an image")
    image = Image.fromarray(values[..., 0] if values.shape[2:] == (1,) else values)
    image.save(path, {".png": "PNG", ".tif": "TIFF"}[image_suffix(values.dtype)])


def image_suffix(dtype: np.dtype) -> str:
    """Suffix of files that store images without loss.

    Args:
        dtype: dtype of the values.

    Returns:
        `.tif` for signed integers and floating point, else `.png`.
    """
    return ".tif" if dtype.kind in "if" else ".png"


def form_text(form: ImageForm) -> str:
    """Describe how images are converted, for messages.

    Args:
        form: form that images are converted to.

    Returns:
        The conversions in their order, such as "resized to 72x72, cropped to the centre 64x64"; ""
        if there are none.
    """
    size = form.resize
    shorter = f"a shorter side of {size}" if isinstance(size, int) else ""
    parts = {
        f"converted to {form.mode}": form.mode,
        f"resized to {shorter or _text(size)}": size,
        f"cropped to the centre {_text(form.crop)}": form.crop,
    }
    return ", ".join(text for text, value in parts.items() if value is not None)


def check_form(form: ImageForm) -> None:
    """Check the form that images are converted to.

    Args:
        form: mode and sizes.

    Raises:
        ValueError: as `check_mode`, or for sizes that are not positive.
    """
    check_mode(form.mode)
    check_resize(form.resize)
    check_crop(form.crop)


def check_mode(mode: object) -> None:
    """Check the target mode; other modes of Pillow would have wrong bounds.

    Args:
        mode: mode that images are converted to, or None.

    Raises:
        ValueError: for an unknown mode; the message lists the known ones.
    """
    if mode is not None and mode not in get_args(ImageMode):
        raise ValueError(
            f"image_mode must be one of {', '.join(get_args(ImageMode))}, or None, got {mode!r}"
        )


def _text(size: tuple[int, int] | int | None) -> str:
    return "x".join(map(str, size)) if isinstance(size, tuple) else ""


def _check_samples(image: "Image", head: bytes) -> None:
    """Reject images that Pillow would read with less precision or other values than stored.

    head: first 25 bytes of the file, the last of which is the bits per sample of a PNG file.
    """
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # JPEG readers show the first frame of MPO
        raise ValueError(f"it contains {frames} frames; expected one image")
    if image.format == "PNG":
        _check_png(image, head[-1])
    if image.format == "TIFF":
        _check_tiff(image, is_big_endian=head.startswith(b"MM"))


def _check_png(image: "Image", bits: int) -> None:
    """Reject 16-bit colour, which Pillow truncates, and a tRNS colour that it does not scale."""
    if bits == 16 and image.mode not in ("I;16", "I"):
        raise ValueError(
            "it has 16 bits per sample, of which Pillow reads 8; save it with 8 bits, or as 16-bit "
            "grey"
        )
    if bits < 8 and image.mode in ("1", "L") and "transparency" in image.info:
        raise ValueError(f"it has a transparent colour in {bits}-bit grey; save it with 8 bits")


def _check_tiff(image: "Image", *, is_big_endian: bool) -> None:
    """Reject samples that Pillow truncates, drops, or reads with wrong sign, order or polarity."""
    tags = getattr(image, "tag_v2", {})
    bits = max(tags.get(BITS_PER_SAMPLE, (1,)))
    formats, samples = set(tags.get(SAMPLE_FORMAT, (1,))), tags.get(SAMPLES_PER_PIXEL, 1)
    white_is_zero = tags.get(PHOTOMETRIC) == 0
    is_compressed = tags.get(COMPRESSION, 1) != 1
    # libtiff swaps the bytes of these samples, and Pillow swaps them again.
    swapped_twice = is_big_endian and is_compressed
    is_supported = {
        "I;16": bits == 16 and formats == {1} and not white_is_zero,
        "I": formats == {2} and not swapped_twice,
        "F": not white_is_zero and not swapped_twice,
    }
    kind = "I;16" if image.mode.startswith("I;16") else image.mode
    usual = bits <= 8 and formats == {1}
    if not is_supported.get(kind, usual) or samples != len(image.getbands()):
        others = {", white is 0": white_is_zero, ", big-endian and compressed": swapped_twice}
        more = "".join(words for words, found in others.items() if found)
        raise ValueError(
            f"it has {samples} samples per pixel, of {bits} bits and sample format "
            f"{sorted(formats)}{more}, which Pillow reads as mode {image.mode}; save it with 8 "
            "bits per sample, or as grey of 16 bits or float32"
        )


def _stored_kind(image: "Image") -> str:
    """Key of an image in `STORED_MODES`; ValueError if it needs a conversion."""
    # Pillow reads 16-bit grey in several modes: of either byte order, and of 32 bits.
    is_deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")
    kind = "I;16" if is_deep else image.mode
    if kind not in STORED_MODES:
        can_convert = image.mode in CONVERTIBLE
        convert = "image_mode='RGB' (--image-mode RGB) converts it"
        advice = convert if can_convert else "save it as RGB"
        raise ValueError(f"its mode {image.mode} is neither grey nor RGB; {advice}")
    if "transparency" in image.info:
        raise ValueError(
            "it has a transparent colour; image_mode='RGBA' (--image-mode RGBA) converts it to an "
            "alpha channel"
        )
    return kind


def _converted(image: "Image", mode: ImageMode) -> "Image":
    """Convert an image of up to 8 bits per sample to a mode, by way of RGBA, which is lossless."""
    if image.mode not in CONVERTIBLE:
        raise ValueError(f"its mode {image.mode} cannot be converted to 8 bits per sample")
    rgba = image.convert("RGBA")
    if "A" not in mode and (np.asarray(rgba)[..., 3] < 255).any():
        raise ValueError(
            f"it has transparent pixels, which {mode} cannot store; use image_mode='RGBA'"
        )
    return rgba if mode == "RGBA" else rgba.convert(mode)
