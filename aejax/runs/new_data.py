"""New data for a trained run: files, tables and folders of images."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from aejax.data import LazyArray, Schema, load_array
from aejax.data.array_checks import check_array
from aejax.data.image_folder import SUFFIXES as IMAGE_SUFFIXES
from aejax.data.image_folder import image_folder
from aejax.data.table_files import is_table, read_rows, read_table
from aejax.runs.array_files import other_arrays
from aejax.runs.inference import TrainedRun
from aejax.runs.run import Run


class NewData(NamedTuple):
    """Raw examples, and everything else that their file contains.

    x:       [examples, *features], in memory or lazy.
    others:  other arrays or columns by name, such as labels.
    schema:  columns of the features of a table, else None.
    columns: names of all columns of a table in the order of the file, else empty.
    """

    x: np.ndarray | LazyArray
    others: dict[str, np.ndarray]
    schema: Schema | None = None
    columns: tuple[str, ...] = ()


def load_new_data(run: TrainedRun, path: Path) -> NewData:
    """Load new data for a run, or open a folder of images, which are read in blocks.

    Args:
        run: trained run.
        path: file that `aejax.data.load_array` can read, or folder of images. A table must have
            the columns that the run was trained on; its other columns are kept as text.

    Returns:
        The data; whether their shape is that of the train examples is not checked.

    Raises:
        FileNotFoundError: if the file does not exist.
        ImportError: for a table, if pandas, or pyarrow for Parquet, is missing.
        ValueError: as `load_array` and `read_rows`.
    """
    if path.is_dir() and any(file.suffix.lower() in IMAGE_SUFFIXES for file in path.iterdir()):
        images = image_folder(path, run.configuration.image_mode if isinstance(run, Run) else None)

        def finite(block: np.ndarray) -> np.ndarray:
            check_array(block, str(path))
            return block

        return NewData(images.map(finite, features=images.shape[1:], dtype=images.dtype), {})
    if is_table(path) and not path.is_dir():
        schema = run.about.schema or read_table(path).schema
        x, others, order = read_rows(path, schema)
        check_array(x, str(path))
        return NewData(x, others, schema, tuple(order))
    return NewData(load_array(path), other_arrays(path))
