"""Title, settings and examples of a run of either kind, for reports, the explorer and scores."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data.columns import Schema
from aejax.data.example_blocks import blocks
from aejax.data.split import every_fifth
from aejax.data.table_files import read_rows
from aejax.runs.configuration import fixed_settings
from aejax.runs.examples import Examples, ShownExamples
from aejax.runs.inference import TrainedRun, model_inputs
from aejax.runs.model_shapes import check_output_shape, output_shape
from aejax.runs.new_data import NewData, load_new_data
from aejax.runs.objective_record import read_record
from aejax.runs.run import Run, with_data_path
from aejax.runs.streamed_examples import MAX_SHOWN_EXAMPLES, load_trained_examples
from aejax.types import Array, Batch

ROW_INDEX = "row index"
"""Name of the column with the index of the row of a table."""

TARGET = "target"
"""Name of the array of an .npz file that holds what the model predicts for each example."""

LABEL_NAMES = "y", "labels"
"""Names of the array of an .npz file that holds the class of each example."""


def title(run: TrainedRun) -> str:
    """Title of the report and the explorer of a run.

    Args:
        run: trained run.

    Returns:
        The title.
    """
    if isinstance(run, Run):
        is_dictionary = run.configuration.dictionary.activation is not None
        kind = "A sparse dictionary" if is_dictionary else "An autoencoder"
        return f"{kind} of {run.configuration.data}"
    return f"An autoencoder: {run.folder.resolve().name}"


def settings(run: TrainedRun) -> dict[str, Any]:
    """Settings of a run, for a report.

    Args:
        run: trained run.

    Returns:
        Name -> JSON value.
    """
    if isinstance(run, Run):
        return fixed_settings(run.configuration) | {"epochs": run.configuration.epochs}
    record = read_record(run.folder)
    return {"factory": record.factory} | dict(record.settings)


def seed(run: TrainedRun) -> int:
    """Seed of the noise in a report.

    Args:
        run: trained run.

    Returns:
        The seed of the run, or 0.
    """
    return run.configuration.seed if isinstance(run, Run) else 0


def target_activation(run: TrainedRun) -> float | None:
    """Target of the KL sparsity penalty.

    Args:
        run: trained run.

    Returns:
        ρ, or None without this penalty.
    """
    penalty = run.configuration.penalty if isinstance(run, Run) else None
    return penalty.rho if penalty is not None and penalty.sparsity else None


def shown_examples(run: TrainedRun, data: Path | None) -> ShownExamples:
    """Examples for a report or the explorer.

    Args:
        run: trained run.
        data: file or folder of examples in the units of the train data; None for the test examples
            of the data that the run names.

    Returns:
        The examples, at most `MAX_SHOWN_EXAMPLES` of those of `data`.

    Raises:
        ValueError: if there are no data, or their examples have another shape than those of the
            run; as `load_new_data` and `named_examples`.
    """
    if data is None:
        return named_examples(run, "data").shown()
    found = load_new_data(run, data)
    raw = np.asarray(found.x[:MAX_SHOWN_EXAMPLES])
    weight = None if found.weight is None else jnp.asarray(found.weight[:MAX_SHOWN_EXAMPLES])
    batch = Batch(model_inputs(run, raw), target=_target(found), weight=weight)
    raw = raw.reshape(len(raw), *run.about.feature_shape)
    classes = None if found.files is None else found.files.classes
    rows, columns = None, _named_rows(found)
    if columns:
        rows = {name: column[:MAX_SHOWN_EXAMPLES] for name, column in columns.items()}
    return ShownExamples(raw, _labels(found), batch, classes, rows)


def shown_with_train(run: TrainedRun, data: Path | None) -> tuple[ShownExamples, np.ndarray | None]:
    """Examples for a report or the explorer, and those that PCA is fitted to.

    Args:
        run: trained run.
        data: as for `shown_examples`.

    Returns:
        The examples; and normalised train examples in the shape of the model, or None beside the
        examples of a file.

    Raises:
        ValueError: as `shown_examples`.
    """
    if data is not None:
        return shown_examples(run, data), None
    examples = named_examples(run, "data")
    shown = examples.shown()._replace(others=_test_rows(run))
    return shown, examples.pca_examples()[0]


def train_inputs(run: TrainedRun, data: Path | None) -> Batch:
    """Normalised training examples, the reference of anomaly scores.

    Args:
        run: trained run.
        data: file or folder of the training examples; None for those of the data that the run
            names.

    Returns:
        Examples in the shape of the model, and weights of zero for missing values.

    Raises:
        ValueError: as `shown_examples`.
    """
    if data is None:
        examples = named_examples(run, "train")
        x, weight = examples.pca_examples()[0], examples.pca_weight()
    else:
        found = load_new_data(run, data)
        parts = [np.asarray(model_inputs(run, block)) for _, block in blocks(found.x)]
        x, weight = np.concatenate(parts), found.weight
    return Batch(cast(Array, x), weight=cast(Array | None, weight))


def has_comparable_output(run: TrainedRun) -> bool:
    """Whether reconstructions have the shape of the examples, so that their errors are defined.

    Args:
        run: trained run.

    Returns:
        True if so.
    """
    return output_shape(run.objective, run.params, _example(run)) == run.input_shape


def predicts_target(run: TrainedRun) -> bool:
    """Whether a run was trained with targets, so that its output is no reconstruction of x.

    Args:
        run: trained run.

    Returns:
        True for a run of `aejax.runs.train` whose data had targets, such as that of a transcoder.
    """
    return not isinstance(run, Run) and "target" in read_record(run.folder).settings


def check_comparable_output(run: TrainedRun) -> None:
    """Refuse a run for which errors by feature are not defined.

    Args:
        run: trained run.

    Raises:
        ValueError: as `check_output_shape`.
    """
    check_output_shape(run.objective, run.params, _example(run))


def _labels(data: NewData) -> np.ndarray | None:
    """Integer labels of the shown examples, or None if the data have none."""
    if data.files is not None:
        return None if data.files.labels is None else data.files.labels[:MAX_SHOWN_EXAMPLES]
    arrays = [data.others[name] for name in LABEL_NAMES if name in data.others]
    fitting = [each for each in arrays if each.shape == (len(data.x),) and each.dtype.kind in "iu"]
    return fitting[0][:MAX_SHOWN_EXAMPLES] if fitting else None


def _target(data: NewData) -> Array | None:
    """Targets of the shown examples, the array `target` of an .npz file; None if there is none."""
    target = data.others.get(TARGET) if data.schema is None and data.files is None else None
    if target is None:
        return None
    if len(target) != len(data.x) or target.dtype.kind not in "fiu":
        raise ValueError(
            f"{TARGET} must be an array of numbers with a row for each of the {len(data.x)} "
            f"examples, got {target.dtype}{list(target.shape)}"
        )
    return jnp.asarray(target[:MAX_SHOWN_EXAMPLES], float)


def _named_rows(data: NewData) -> dict[str, np.ndarray]:
    """Columns that identify the rows of a table, or arrays of text with a name for each example."""
    if data.schema is not None:
        return _rows(data.others, data.schema, len(data.x))
    names = {
        name: array
        for name, array in data.others.items()
        if data.files is None and array.dtype.kind == "U" and array.shape == (len(data.x),)
    }
    return names and {ROW_INDEX: np.arange(len(data.x)), **names}


def _test_rows(run: TrainedRun) -> dict[str, np.ndarray] | None:
    """Rows of the test examples of the table that a run names; None for other data."""
    schema = run.about.schema
    if schema is None or not isinstance(run, Run):
        return None
    path = Path(with_data_path(run.configuration, run.about.folder).data).expanduser()
    rows = read_rows(path, schema)
    found = _rows(rows.others, schema, len(rows.x))
    return {name: every_fifth(column)[1] for name, column in found.items()}


def _rows(others: Mapping[str, np.ndarray], schema: Schema, count: int) -> dict[str, np.ndarray]:
    """Index of each row of a table, and its columns that are neither features nor the label."""
    named = {name: column for name, column in others.items() if name not in ("", schema.label)}
    return {ROW_INDEX: np.arange(count), **named}


def _example(run: TrainedRun) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((1, *run.input_shape), run.dtype)


def named_examples(run: TrainedRun, option: str) -> Examples:
    """Load the examples of the data that a run names.

    Args:
        run: trained run.
        option: option of the command that names data in their place, for the message.

    Returns:
        The examples.

    Raises:
        ValueError: if the run names no data, or they have changed since.
    """
    if isinstance(run, Run):
        return load_trained_examples(run)
    raise ValueError(
        f"{run.folder} was trained on arrays of a script: say --{option} FILE, examples in the "
        "units of its train data"
    )
