"""Reconstructed images as image files, in the folders and with the names of their inputs."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np

from aejax.data.image_file import image_suffix, write_image
from aejax.runs.array_files import SUFFIXES, check_destination
from aejax.runs.atomic_files import check_not_directory, temporary_file
from aejax.runs.atomic_folders import can_be_created, new_folder


def check_image_destination(out: Path, data: Path) -> None:
    """Refuse a destination that neither `write_examples` nor `write_images` can write.

    Args:
        out: destination: `.npy`, `.npz`, `.csv`; or for one image another image, and for a folder
            of images a folder.
        data: image, or folder of images.

    Raises:
        ValueError: for another suffix.
        IsADirectoryError: the destination of a file is a folder.
        FileExistsError: the destination of images is not an empty folder.
    """
    if out.suffix in SUFFIXES:
        check_destination(out, data)
    elif data.is_dir() and not out.suffix:
        if not can_be_created(out):
            raise FileExistsError(f"{out} exists and is not an empty folder: choose another --out")
    elif not data.is_dir() and out.suffix in (".png", ".tif"):
        check_not_directory(out)
    else:
        images = "be a new folder" if data.is_dir() else "end in .png"
        raise ValueError(f"out must {images}, or end in {', '.join(SUFFIXES)}, got {out}")


def write_images(
    out: Path, names: Iterable[str], x_hat: Iterable[np.ndarray], dtype: np.dtype
) -> int:
    """Write images as files, atomically: the complete folder, or nothing.

    Args:
        out: destination: a folder that is new or empty; for one image also a `.png` or `.tif` file.
        names: paths of the images below the folder, whose suffix is replaced.
        x_hat: blocks of images [images, height, width] or [images, height, width, channels].
        dtype: dtype of the files. Values are rounded to it and clipped to its range.

    Returns:
        The number of images.

    Raises:
        ValueError: for values that are not images of this dtype.
    """
    images = (image for block in x_hat for image in _as_stored(block, dtype))
    suffix = image_suffix(dtype)
    if out.suffix:
        if out.suffix != suffix:
            raise ValueError(f"images of dtype {dtype} are written as {suffix}, got {out}")
        with temporary_file(out) as partial:
            write_image(partial, *images)
        return 1
    paths = _output_names(list(names), suffix)
    with new_folder(out) as folder:
        for path, image in zip(paths, images, strict=True):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            write_image(folder / path, image)
    return len(paths)


def _output_names(names: list[str], suffix: str) -> list[str]:
    """Names with another suffix; those that would coincide keep their own before it."""
    changed = [str(PurePosixPath(name).with_suffix(suffix)) for name in names]
    count = Counter(changed)
    return [
        new if count[new] == 1 else name + suffix for name, new in zip(names, changed, strict=True)
    ]


def _as_stored(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values rounded to a dtype and clipped to its range."""
    if dtype.kind == "b":
        return values >= 0.5
    if dtype.kind == "f":
        return values.astype(dtype)
    info = np.iinfo(dtype)
    return np.rint(values).clip(info.min, info.max).astype(dtype)
