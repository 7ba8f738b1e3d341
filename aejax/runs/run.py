"""Folder of a run: paths of its files, reading, writing, and opening a trained run."""

from dataclasses import replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from aejax import checkpoints, training
from aejax.checkpoints.arrays import array_names, differences
from aejax.data import Column, Normalisation, Schema, feature_names
from aejax.data.catalogue import is_named
from aejax.interchange import load_parameters
from aejax.interchange.nested_dicts import as_nested_dicts, from_nested_dicts
from aejax.objectives import Objective
from aejax.repr_text import entries_html, record_text, tree_text, value_text
from aejax.runs.builders import (
    input_shape,
    make_objective,
    make_optimizer,
    make_trained_objective,
)
from aejax.runs.configuration import Options, Training, dumps, fixed_settings, loads
from aejax.runs.environment import check_platform
from aejax.runs.factory_source import warn_of_changed_source
from aejax.runs.integrity import check_digest, read_identity, with_identity, write_files
from aejax.runs.json_files import json_text, read_json
from aejax.runs.model_shapes import params_like
from aejax.runs.used_thresholds import with_stored_threshold
from aejax.training import TrainState
from aejax.types import Params


class About(NamedTuple):
    """Environment and data of a run, stored in `about.json`.

    environment:   versions, device and code revision.
    fingerprint:   fingerprint of the data.
    feature_shape: shape of one raw example.
    folder:        directory that a relative path to the data refers to; None if the data are given
                   by a name or an absolute path.
    schema:        columns of the table that the run was trained on; None for other data.
    source:        digest of the source of the factory; None without a factory.
    given:         names of the settings that were given, and not chosen from the data; None for a
                   run of an earlier version, or of `aejax.runs.train`.
    """

    environment: dict[str, str]
    fingerprint: str
    feature_shape: tuple[int, ...]
    folder: str | None = None
    schema: Schema | None = None
    source: str | None = None
    given: tuple[str, ...] | None = None


class Run(NamedTuple):
    """A trained run, which encodes and reconstructs new data."""

    configuration: Training
    about: About
    objective: Objective
    params: Params
    normalisation: Normalisation
    step: int

    def __repr__(self) -> str:
        shown = ("configuration", "objective", "params", "normalisation", "step")
        return record_text(self, shown)

    def _repr_html_(self) -> str:
        counts, _, _ = tree_text(self.params).partition("\n")
        settings = value_text(self.configuration)
        entries = {"step": str(self.step), "parameters": counts, "settings": settings}
        return entries_html(f"Run on {self.configuration.data}", entries)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example for the model: flat, unless a factory makes the objective."""
        return input_shape(self.configuration, self.about.feature_shape)

    @property
    def dtype(self) -> np.dtype:
        """Dtype of examples for the model."""
        return np.dtype(np.float32)


def configuration_file(run: Path) -> Path:
    """Path of the settings."""
    return run / "configuration.json"


def objective_file(run: Path) -> Path:
    """Path of the settings of a run of `aejax.runs.train`, which has no `configuration.json`."""
    return run / "objective.json"


def sweep_file(out: Path) -> Path:
    """Path of the settings of a sweep, whose folder is no run but contains runs."""
    return out / "sweep.json"


def about_file(run: Path) -> Path:
    """Path of the environment, the data's fingerprint and the feature shape."""
    return run / "about.json"


def history_file(run: Path) -> Path:
    """Path of the records of the epochs."""
    return run / "history.jsonl"


def metrics_file(run: Path) -> Path:
    """Path of the metrics of a finished run."""
    return run / "metrics.json"


def checkpoints_folder(run: Path) -> Path:
    """Path of the checkpoints."""
    return run / "checkpoints"


def parameters_file(run: Path) -> Path:
    """Path of the parameters of an exported run."""
    return run / "parameters.safetensors"


def has_run(folder: Path) -> bool:
    """Whether a folder contains a run or a sweep, or parts of one."""
    paths = configuration_file, objective_file, sweep_file, checkpoints_folder, parameters_file
    return any(path(folder).exists() for path in paths)


def missing_run(run: Path) -> ValueError | FileNotFoundError:
    """Error for a folder without the settings of a run."""
    if sweep_file(run).exists():
        return ValueError(f"{run} is a sweep: name one of the runs in {run / 'runs'}")
    names = configuration_file(run).name, objective_file(run).name
    return FileNotFoundError(f"{run} is not a run: it contains neither {' nor '.join(names)}")


def read_configuration(run: Path) -> Training:
    """Read the settings of a run; FileNotFoundError or ValueError if there are no valid ones."""
    path = configuration_file(run)
    if not path.is_file() and objective_file(run).exists():
        raise ValueError(
            f"{run} is a run of aejax.runs.train, whose model is made in Python: use it there, "
            f"with aejax.runs.open({str(run)!r}, objective)"
        )
    if not path.is_file():
        raise missing_run(run)
    try:
        settings = loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    check_digest(path)
    return settings


def read_about(run: Path) -> About:
    """Read environment and data of a run; ValueError if the file is not what `train` wrote."""
    path = about_file(run)
    try:
        about = read_json(path)
        shape = tuple(about["feature_shape"])
        if not all(type(size) is int and size > 0 for size in shape):
            raise ValueError(f"feature_shape cannot be {about['feature_shape']!r}")
        folder = about.get("folder")  # runs of earlier versions have none
        if not isinstance(folder, str | None):
            raise ValueError(f"folder cannot be {folder!r}")
        schema = _read_schema(about.get("schema"), shape)
        source = about.get("source")
        if not isinstance(source, str | None):
            raise ValueError(f"source cannot be {source!r}")
        environment, data = dict(about["environment"]), str(about["fingerprint"])
        given = _read_given(about.get("given"))
        found = About(environment, data, shape, folder, schema, source, given)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"{path} is not what `aejax train` wrote: {error}") from error
    check_digest(path)
    return found


def _read_given(names: Any) -> tuple[str, ...] | None:
    """Names of the given settings from `about.json`, of which earlier versions have none."""
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"given cannot be {names!r}")
    return tuple(names)


def _read_schema(document: Any, shape: tuple[int, ...]) -> Schema | None:
    """Columns of a table from `about.json`; ValueError if they do not match the feature shape."""
    if document is None:
        return None
    columns = tuple(
        Column(
            column["name"], None if column["categories"] is None else tuple(column["categories"])
        )
        for column in document["columns"]
    )
    classes = document["classes"]
    fill = document.get("fill")  # runs of earlier versions have none
    label, classes = document["label"], None if classes is None else tuple(classes)
    values = None if fill is None else tuple(map(float, fill))
    schema = Schema(columns, label, classes, values)
    names = [text for name, categories in columns for text in (name, *(categories or ()))]
    texts = [*names, *(classes or ()), *([] if schema.label is None else [schema.label])]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("schema contains a name that is not text")
    if (len(feature_names(columns)),) != shape:
        raise ValueError(f"schema has {len(feature_names(columns))} features, not {list(shape)}")
    if values is not None and not ((len(values),) == shape and all(map(isfinite, values))):
        raise ValueError(f"schema has no finite fill for each of its {shape[0]} features")
    return schema


def about_document(about: About) -> dict[str, Any]:
    """Contents of `about.json`."""
    document = about._asdict()
    schema = document.pop("schema")
    if about.source is None:
        del document["source"]
    if schema is None:
        return document
    columns = [column._asdict() for column in schema.columns]
    return document | {"schema": schema._asdict() | {"columns": columns}}


def read_metrics(run: Path) -> dict[str, Any]:
    """Read the metrics of a run, empty if it is not finished; ValueError as in `read_about`."""
    path = metrics_file(run)
    metrics = read_json(path) if path.exists() else {}
    check_digest(path)
    return metrics


def write_metrics(run: Path, metrics: dict[str, Any]) -> None:
    """Write the metrics of a run."""
    write_files(run, read_identity(run), {metrics_file(run).name: json_text(metrics).encode()})


def write_settings(
    run: Path, configuration: Training, about: About, *, identity: str | None
) -> None:
    """Write the settings of a run with this identity, and its environment and data."""
    files = {
        about_file(run): json_text(about_document(about)),
        configuration_file(run): dumps(configuration),
    }
    write_files(run, identity, {path.name: text.encode() for path, text in files.items()})


def write_configuration(run: Path, configuration: Training) -> None:
    """Replace the settings of a run that is resumed with other settings."""
    name = configuration_file(run).name
    write_files(run, read_identity(run), {name: dumps(configuration).encode()})


def write_source(run: Path, source: str | None) -> None:
    """Record the digest of the source of a factory, if it is known and was another."""
    about = read_about(run)
    if source not in (None, about.source):
        text = json_text(about_document(about._replace(source=source)))
        write_files(run, read_identity(run), {about_file(run).name: text.encode()})


def checkpoint_settings(
    configuration: Training, data_fingerprint: str, identity: str | None
) -> dict[str, Any]:
    """Settings that all checkpoints of a run share: fixed settings, data, and identity."""
    settings = fixed_settings(configuration) | {"data fingerprint": data_fingerprint}
    return with_identity(settings, identity)


def data_folder(configuration: Options) -> str | None:
    """Working directory if the data are given by a relative path, else None."""
    data = configuration.data
    is_relative = not is_named(data) and not Path(data).is_absolute() and Path(data).exists()
    return str(Path.cwd()) if is_relative else None


def with_data_path(configuration: Options, folder: str | None) -> Options:
    """Settings whose path to the data is valid in the working directory.

    Args:
        configuration: settings of a run.
        folder: `About.folder` of the run.

    Returns:
        The settings with the path below the folder if it exists there; otherwise unchanged, since
        the data may have been moved to the working directory.
    """
    if folder is None or not Path(folder, configuration.data).exists():
        return configuration
    return replace(configuration, data=str(Path(folder, configuration.data)))


def check_location(path: Path) -> None:
    """Refuse a path whose absolute form is not UTF-8: no checkpoint can be written below it.

    Args:
        path: absolute, or relative to the working directory.

    Raises:
        ValueError: the path contains bytes that the locale's encoding cannot decode.
    """
    location = str(path.absolute())
    try:
        location.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the folder {location!r} contains bytes that are not UTF-8") from error


def open_run(run: Path, *, checkpoint: int | None = None) -> Run:
    """Open a run, trained or exported.

    Args:
        run: folder of the run.
        checkpoint: step of the checkpoint (default: the best checkpoint). An exported run contains
            only the parameters that were exported.

    Returns:
        The run, with its parameters in full precision.

    Raises:
        FileNotFoundError: the folder is not a run.
        ValueError: a file of the run is damaged, or there is no such checkpoint.
    """
    check_platform()
    check_location(run)
    configuration, about = read_configuration(run), read_about(run)
    columns = () if about.schema is None else about.schema.columns
    objective = make_objective(configuration, about.feature_shape, columns)
    warn_of_changed_source(run, configuration.factory, about.source)
    saved = checkpoints_folder(run).exists() or checkpoints.read_index(checkpoints_folder(run))
    if not saved:
        check_digest(parameters_file(run))
    if parameters_file(run).exists() and not saved and checkpoint is None:
        found = _read_exported(run, about, objective)
    else:
        trained = make_trained_objective(configuration, about.feature_shape, columns)
        found = _read_checkpoint(run, configuration, about, trained, checkpoint)
    return Run(configuration, about, objective, *found)


def _read_checkpoint(
    run: Path, configuration: Training, about: About, objective: Objective, checkpoint: int | None
) -> tuple[Params, Normalisation, int]:
    optimizer = make_optimizer(configuration, steps=1)
    folder = checkpoints_folder(run)
    step = checkpoints.best_step(folder) if checkpoint is None else checkpoint
    state, normalisation = checkpoints.restore(
        folder,
        _state_like(objective, optimizer),
        configuration=checkpoint_settings(configuration, about.fingerprint, read_identity(run)),
        normalisation=normalisation_like(about),
        step=step,
    )
    found = int(state.step)
    params = with_stored_threshold(run, configuration, state.params, found)
    return params, normalisation, found


def _state_like(objective: Objective, optimizer: optax.GradientTransformation) -> TrainState:
    """Shapes and dtypes of a state, as arrays if the initial parameters cannot be traced."""
    start = partial(training.init_state, objective, optimizer)
    try:
        return jax.eval_shape(start, jax.random.key(0))
    except TypeError:
        return start(jax.random.key(0))


def _read_exported(
    run: Path, about: About, objective: Objective
) -> tuple[Params, Normalisation, int]:
    path = parameters_file(run)
    params, description = load_parameters(path)
    like = params_like(objective)
    expected = as_nested_dicts(like) | {"normalisation": normalisation_like(about)._asdict()}
    found_arrays, expected_arrays = array_names(params), array_names(expected)
    if found_arrays != expected_arrays:
        raise ValueError(
            f"{path} does not contain the model of {configuration_file(run).name}: "
            f"{differences(found_arrays, expected_arrays)}"
        )
    step = description.get("step")
    if type(step) is not int or step < 0:
        raise ValueError(
            f"{path}: its step must be a non-negative integer, got {step!r}; export the run again"
        )
    normalisation = Normalisation(**params.pop("normalisation"))
    return jax.tree.map(jnp.asarray, from_nested_dicts(params, like)), normalisation, step


def normalisation_like(about: About) -> Normalisation:
    """A normalisation of the same shape as the run's."""
    return Normalisation(*[np.zeros(about.feature_shape)] * 2)
