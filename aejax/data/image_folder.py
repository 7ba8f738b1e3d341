"""Folders of images as lazy arrays; subfolders are classes, or the splits train and test."""

import mimetypes
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Integer

from aejax.data.dataset import Dataset
from aejax.data.image_file import STORED_MODES, SUFFIXES, ImageForm, ImageMode, read_image
from aejax.data.lazy_array import LazyArray
from aejax.data.split import every_fifth

SPLITS = ("train", "test")
"""Subfolders of a folder whose images are split."""

HIDDEN = "."
"""Start of the names of files and folders that are not read, such as `.DS_Store`."""


class ImageFiles(NamedTuple):
    """Image files of a folder.

    folder:  the folder.
    paths:   the files, sorted by class and name.
    labels:  class of each file as an index, or None.
    classes: names of the classes, or None.
    """

    folder: Path
    paths: list[Path]
    labels: Integer[np.ndarray, " images"] | None = None
    classes: tuple[str, ...] | None = None


def image_folder(
    folder: str | PathLike[str],
    mode: ImageMode | None = None,
    *,
    resize: tuple[int, int] | int | None = None,
    crop: tuple[int, int] | None = None,
) -> LazyArray:
    """Open the images of a folder, or of its subfolders, as a lazy array.

    Each file contains one image, and all have the same mode and size, or are converted to it
    (`ImageForm`); `read_image` describes the modes.

    Args:
        folder: folder of image files, or of one subfolder for each class (`find_images`).
        mode: mode that every image is converted to (default: the stored mode).
        resize: (height, width) that every image is resized to, or the length of the shorter side,
            which keeps the aspect ratio (default: the stored size).
        crop: (height, width) of the centre that is kept, after resizing (default: everything).

    Returns:
        Examples [images, height, width] or [images, height, width, channels].

    Raises:
        ValueError: for an unknown mode or size, and as `find_images`. On reading: for an image
            whose mode or size differs from the first, and as `read_image`.
    """
    return open_images(find_images(Path(folder)), ImageForm(mode, resize, crop))


def find_images(folder: Path) -> ImageFiles:
    """Find the images of a folder; if it has none, its subfolders are classes.

    Hidden files and folders are left out. Files are sorted by name, classes too. Beside images,
    subfolders are not searched, and neither are those of a class.

    Args:
        folder: folder of image files, or of one subfolder for each class.

    Returns:
        The files, with labels if there are classes.

    Raises:
        ValueError: for a folder without images, images of unsupported formats, or a class without
            images.
    """
    if paths := _images_in(folder):
        return ImageFiles(folder, paths)
    subfolders = [path for path in _visible(folder) if path.is_dir()]
    found = {path.name: _images_in(path) for path in subfolders}
    if not any(found.values()):
        deeper = [
            path for sub in subfolders for path in sorted(sub.glob("[!.]*/*")) if _is_read(path)
        ]
        advice = f"; {deeper[0].relative_to(folder)} is too deep" if deeper else ""
        raise ValueError(
            f"{folder} contains no images, .npy or .array_record files, and no subfolders with "
            f"images, one for each class{advice}"
        )
    empty = [name for name, paths in found.items() if not paths]
    if empty:
        raise ValueError(
            f"{folder}: the subfolder {empty[0]} contains no images, but the other subfolders are "
            "classes; remove it, or put its images directly into it"
        )
    paths = [path for group in found.values() for path in group]
    labels = np.repeat(np.arange(len(found)), [*map(len, found.values())])
    return ImageFiles(folder, paths, labels.astype(np.int64), tuple(found))


def find_splits(folder: Path) -> tuple[ImageFiles, ...]:
    """Find the images of a folder, with their split if there is one.

    Args:
        folder: folder that `find_images` accepts, or whose only subfolders are `train` and `test`,
            which `find_images` accepts.

    Returns:
        All files, or those of `train` and those of `test`.

    Raises:
        ValueError: as `find_images`, or if the classes of the splits differ.
    """
    subfolders = {path.name for path in _visible(folder) if path.is_dir()}
    if subfolders != set(SPLITS) or _images_in(folder):
        return (find_images(folder),)
    train, test = (find_images(folder / name) for name in SPLITS)
    if train.classes != test.classes:
        names = (", ".join(split.classes or ("none",)) for split in (train, test))
        raise ValueError("{}: train has the classes {}, test {}".format(folder, *names))
    return train, test


def has_images(folder: Path) -> bool:
    """Whether a folder contains an image, at most two levels deep.

    Args:
        folder: the folder.

    Returns:
        True for an image whose name is not hidden and has a supported suffix.
    """
    return any(_is_read(path) for level in ("*", "*/*", "*/*/*") for path in folder.glob(level))


def open_images(files: ImageFiles, form: ImageForm) -> LazyArray:
    """Open image files as a lazy array.

    Args:
        files: the files.
        form: form that every image is converted to.

    Returns:
        Examples [images, height, width] or [images, height, width, channels].

    Raises:
        ValueError: as `image_folder`.
    """
    paths = files.paths
    kind, first = read_image(paths[0], form)
    names = [str(path.relative_to(files.folder)) for path in paths]

    def read(rows: np.ndarray) -> np.ndarray:
        found = np.empty((len(rows), *first.shape), first.dtype)
        for i, row in enumerate(rows.tolist()):
            found[i] = _like_first(row)
        return found

    def _like_first(row: int) -> np.ndarray:
        found, image = read_image(paths[row], form)
        if (found, image.shape) != (kind, first.shape):
            raise ValueError(
                f"{names[row]} has mode {found}, shape {list(image.shape)}, but {names[0]} has "
                f"mode {kind}, shape {list(first.shape)}"
                + (_size_advice(first.shape) if found == kind else _MODE_ADVICE)
            )
        return image

    dtype, bounds = STORED_MODES[kind]
    return LazyArray(str(files.folder), read, (len(paths), *first.shape), dtype, bounds=bounds)


def open_splits(folder: Path, form: ImageForm) -> list[tuple[ImageFiles, LazyArray]]:
    """Open the images of a folder, or those of its splits train and test.

    Args:
        folder: folder that `find_splits` accepts.
        form: form that every image is converted to.

    Returns:
        The files and the images of each split.

    Raises:
        ValueError: as `find_splits` and `open_images`, or if mode or size of the splits differ.
    """
    opened = [(files, open_images(files, form)) for files in find_splits(folder)]
    kinds = [(x.dtype, x.shape[1:]) for _, x in opened]
    if kinds[0] != kinds[-1]:
        (train, shape), (test, other) = kinds
        raise ValueError(
            f"{folder}: train has images {train}{list(shape)}, test {test}{list(other)}"
            + (_size_advice(shape) if train == test else _MODE_ADVICE)
        )
    return opened


def load_images(folder: Path, form: ImageForm) -> Dataset:
    """Load a data set from a folder of images into memory.

    Args:
        folder: folder that `find_splits` accepts. Without a split, every fifth image becomes test.
        form: form that every image is converted to.

    Returns:
        The data set, with labels if there are classes.

    Raises:
        ValueError: as `open_splits`; for a damaged image, or one of another mode or size than the
            first; for fewer than 5 images without a split.
    """
    opened = open_splits(folder, form)
    read = [(x[:], files.labels) for files, x in opened]
    if len(read) == 1:
        x, labels = read[0]
        parts = every_fifth(x), (None, None) if labels is None else every_fifth(labels)
        read = list(zip(*parts, strict=True))
    (x_train, labels_train), (x_test, labels_test) = read
    files, x = opened[0]
    return Dataset(
        folder.resolve().name,
        x_train,
        x_test,
        labels_train,
        labels_test,
        *x.bounds,
        classes=files.classes,
    )


_MODE_ADVICE = "; image_mode converts all to one mode"


def _size_advice(shape: Sequence[int]) -> str:
    size = f"{shape[0]}x{shape[1]}"
    return f"; resize or crop gives all one size, such as --resize {size} or --crop {size}"


def _images_in(folder: Path) -> list[Path]:
    """Images of a folder, without its subfolders; ValueError for unsupported formats."""
    files = [path for path in _visible(folder) if not path.is_dir()]
    paths = [path for path in files if _is_read(path)]
    others = [path.name for path in files if not _is_read(path) and _is_image(path)]
    if others:
        raise ValueError(
            f"{folder} contains {len(others)} images of unsupported formats, first {others[0]}; "
            f"expected {' '.join(sorted(SUFFIXES))}"
        )
    return paths


def _visible(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(HIDDEN)]


def _is_read(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(HIDDEN)


def _is_image(path: Path) -> bool:
    return (mimetypes.guess_type(path.name)[0] or "").startswith("image/")
