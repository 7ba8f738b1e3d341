"""New data for a trained run: files, tables, images and folders of images."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from aejax.data import LazyArray, Schema, load_array
from aejax.data.activation_shards import has_shards, open_shards
from aejax.data.array_checks import check_array
from aejax.data.files import is_folder_of_images
from aejax.data.image_file import SUFFIXES as IMAGE_SUFFIXES
from aejax.data.image_file import ImageForm, form_text
from aejax.data.image_folder import ImageFiles, find_images, open_images
from aejax.data.table_files import is_table, read_rows, read_table
from aejax.runs.array_files import other_arrays
from aejax.runs.configuration import image_form
from aejax.runs.inference import TrainedRun
from aejax.runs.run import Run


class NewData(NamedTuple):
    """Raw examples, and everything else that their file contains.

    x:       [examples, *features], in memory or lazy.
    others:  other arrays or columns by name, such as labels; file and class of images.
    schema:  columns of the features of a table, else None.
    columns: names of all columns of a table in the order of the file, else empty.
    files:   files of images, else None.
    note:    description of the conversion for the user, or "".
    weight:  weights of the elements of x, zero for missing values that the run leaves out of its
             loss, or None.
    """

    x: np.ndarray | LazyArray
    others: dict[str, np.ndarray]
    schema: Schema | None = None
    columns: tuple[str, ...] = ()
    files: ImageFiles | None = None
    note: str = ""
    weight: np.ndarray | None = None


def load_new_data(run: TrainedRun, path: Path) -> NewData:
    """Load new data for a run, or open images, which are read in blocks.

    Args:
        run: trained run.
        path: file that `aejax.data.load_array` can read, folder of `.npy` shards, image, or
            folder of images, which are converted as the training images. A table must have the
            columns that the run was trained on; its other columns are kept as text.

    Returns:
        The data; whether their shape is that of the train examples is not checked.

    Raises:
        FileNotFoundError: if the file does not exist.
        ImportError: for a table, if pandas, or pyarrow for Parquet, is missing.
        ValueError: as `load_array`, `read_rows` and `image_folder`.
    """
    if are_images(path):
        return _open_images(run, path)
    if is_table(path) and not path.is_dir():
        schema = run.about.schema or read_table(path).schema
        rows = read_rows(path, schema)
        check_array(rows.x, str(path))
        is_weighted = isinstance(run, Run) and run.configuration.missing == "weight-zero"
        weight = rows.observed.astype(np.float32) if is_weighted else None
        return NewData(rows.x, rows.others, schema, tuple(rows.order), weight=weight)
    if has_shards(path):
        return NewData(open_shards(path), {})
    return NewData(load_array(path), other_arrays(path))


def are_images(path: Path) -> bool:
    """Whether new data are images.

    Args:
        path: path of the data.

    Returns:
        True for a file with the suffix of an image, and for a folder of images.
    """
    return path.suffix.lower() in IMAGE_SUFFIXES or is_folder_of_images(path)


def _check_bounds(run: TrainedRun, path: Path, low: float | None, high: float | None) -> None:
    """Refuse images of another range of values than the one that the run maps to [0, 1]."""
    if not isinstance(run, Run) or run.configuration.normalise != "unit-range":
        return
    shift, scale = map(np.unique, run.normalisation)
    if low is None or high is None or len(shift) * len(scale) > 1:  # a range for each feature
        return
    start, end = shift.item(), (shift + scale).item()
    if (low, high) != (start, end):
        raise ValueError(
            f"{path} has values from {low:g} to {high:g}, but the run was trained on values from "
            f"{start:g} to {end:g}; convert the images to that range, or train with --image-mode, "
            "which converts all images alike"
        )


def _open_images(run: TrainedRun, path: Path) -> NewData:
    form = image_form(run.configuration) if isinstance(run, Run) else ImageForm()
    files = find_images(path) if path.is_dir() else ImageFiles(path.parent, [path])
    images = open_images(files, form)
    _check_bounds(run, path, *images.bounds)

    def finite(block: np.ndarray) -> np.ndarray:
        check_array(block, str(path))
        return block

    x = images.map(finite, features=images.shape[1:], dtype=images.dtype)
    others = {"file": np.array([file.relative_to(files.folder).as_posix() for file in files.paths])}
    if files.labels is not None:
        others["class"] = np.array(files.classes)[files.labels]
    note = f"{len(x)} images {form_text(form)}, as for training" if form != ImageForm() else ""
    return NewData(x, others, files=files, note=note)
