"""Reader of prepared TFDS data sets, without TensorFlow.

Builders are typed `Any`, because TFDS's annotations of features and sources are incomplete.
"""

from os import PathLike
from typing import Any

import numpy as np

from aejax.data.catalogue import find_builder, is_prepared
from aejax.data.dataset import Dataset
from aejax.data.dtypes import format_bounds
from aejax.data.split import every_fifth

EXAMPLES_PER_READ = 1024


def load_prepared(name: str, *, data_dir: str | PathLike[str] | None = None) -> Dataset:
    """Read a prepared TFDS data set through `as_data_source`.

    The input is the first of the builder's supervised keys, or its only image feature; the labels
    are the second key, if it is a class label. Test is the split `test`, else `validation`, else
    every fifth example of `train` (see `every_fifth`).

    Args:
        name: name of the data set, as in `find_builder`.
        data_dir: TFDS's data directory, as in `find_builder`.

    Returns:
        The data set in memory, in the order on disk, not yet checked (see `check_dataset`).

    Raises:
        FileNotFoundError: if it is not prepared; the message explains how to prepare it.
        ValueError: for an unknown data set, examples that are not arrays of one shape, a format
            without random access, or damaged files.
    """
    builder, splits = open_builder(name, data_dir)
    keys = input_of(name, builder.info)
    x_train, labels_train = _read_split(builder, "train", *keys)
    if len(splits) == 2:
        x_test, labels_test = _read_split(builder, splits[1], *keys)
    else:
        (x_train, x_test), labels = every_fifth(x_train), labels_train
        labels_train, labels_test = (None, None) if labels is None else every_fifth(labels)
    low, high = format_bounds(x_train.dtype)
    return Dataset(name, x_train, x_test, labels_train, labels_test, low, high)


def open_builder(name: str, data_dir: str | PathLike[str] | None) -> tuple[Any, list[str]]:
    """Builder of a prepared data set, and its train and test splits (only train without a test).

    Args:
        name: name of the data set, as in `find_builder`.
        data_dir: TFDS's data directory, as in `find_builder`.

    Raises:
        FileNotFoundError: if it is not prepared; the message explains how to prepare it.
        ValueError: for an unknown data set, or one without the split `train`.
    """
    builder: Any = find_builder(name, data_dir)
    if not is_prepared(builder):
        raise FileNotFoundError(
            f"data set {name!r} is not prepared in {builder.data_dir_root}; "
            f"run `aejax data prepare {name} [--manual-dir DIR]`"
        )
    splits = builder.info.splits
    if "train" not in splits:
        raise ValueError(f"data set {name!r} has the splits {', '.join(splits)}; expected train")
    return builder, ["train", *[part for part in ("test", "validation") if part in splits][:1]]


def input_of(name: str, info: Any) -> tuple[str, str | None]:
    """Find the features that are the input and its class label.

    Args:
        name: name of the data set in error messages.
        info: the builder's `DatasetInfo`.

    Returns:
        The names of the input and of the label, or None without a label.
    """
    from tensorflow_datasets import features

    known: dict[str, Any] = dict(info.features or {})
    images = [key for key, feature in known.items() if isinstance(feature, features.Image)]
    if info.supervised_keys:
        x_key, label_key, *_ = info.supervised_keys
    else:
        x_key, label_key = images[0] if len(images) == 1 else "", "label"
    is_array = isinstance(known.get(x_key), features.Tensor | features.Image)
    shape = known[x_key].shape if is_array else None  # () for a class label or text
    if not shape or None in shape:
        raise ValueError(
            f"data set {name!r} has the features {', '.join(known)}; expected supervised keys or "
            "one image feature, and an input of fixed shape"
        )
    has_classes = isinstance(known.get(label_key), features.ClassLabel)
    return x_key, label_key if has_classes else None


def _read_split(
    builder: Any, split: str, x_key: str, label_key: str | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read one split into memory, many examples at a time."""
    feature = builder.info.features[x_key]
    count = builder.info.splits[split].num_examples
    x = np.empty((count, *feature.shape), feature.np_dtype)
    labels = np.empty(count, np.int64)
    try:
        source = builder.as_data_source(split)
        for start in range(0, count, EXAMPLES_PER_READ):
            stop = min(start + EXAMPLES_PER_READ, count)
            examples = source.__getitems__(range(start, stop))
            x[start:stop] = [example[x_key] for example in examples]
            if label_key:
                labels[start:stop] = [example[label_key] for example in examples]
    except Exception as error:  # array_record, protobuf and TFDS have no common exception
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(
            f"cannot read split {split!r} in {builder.data_dir}: {reason}\n"
            "Delete that folder and prepare the data set again."
        ) from error
    return x, labels if label_key else None
