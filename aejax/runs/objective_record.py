"""Settings of a run of `aejax.runs.train`, in `objective.json` of its folder.

The model of such a run is made in Python. The file records what identifies it: names, shapes and
dtypes of its arrays, the settings that its user gives, and the factory that makes the objective, if
it is known.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import jax.numpy as jnp
import numpy as np

from aejax import checkpoints
from aejax.checkpoints.arrays import array_names, differences
from aejax.objectives import Objective
from aejax.runs.factories import call_factory
from aejax.runs.integrity import check_digest, write_files
from aejax.runs.json_files import json_text, read_json
from aejax.runs.run import (
    About,
    about_document,
    about_file,
    configuration_file,
    missing_run,
    objective_file,
)
from aejax.training import TrainState
from aejax.training.fit_arguments import check_objective
from aejax.types import Params


class ObjectiveRecord(NamedTuple):
    """Contents of `objective.json`.

    factory:         "module:function" or "/path/file.py:function" that makes the objective; None
                     if it is not known.
    arguments:       keyword arguments of the factory.
    settings:        settings that checkpoints are compared by.
    dtype:           dtype of examples for the model.
    params:          dtype and shape of each parameter by name.
    optimizer_state: dtype and shape of each array of the optimizer by name.
    """

    factory: str | None
    arguments: dict[str, Any]
    settings: dict[str, Any]
    dtype: str
    params: dict[str, str]
    optimizer_state: dict[str, str]


def write_record(run: Path, record: ObjectiveRecord, about: About, *, identity: str) -> None:
    """Write the settings of a new run, its environment and data."""
    files = {about_file(run): about_document(about), objective_file(run): record._asdict()}
    contents = {path.name: json_text(document).encode() for path, document in files.items()}
    write_files(run, identity, contents)


def read_record(run: Path) -> ObjectiveRecord:
    """Read `objective.json`.

    Args:
        run: folder of a run of `aejax.runs.train`.

    Returns:
        The record.

    Raises:
        FileNotFoundError: the folder is not a run.
        ValueError: the file is not what `aejax.runs.train` wrote, or the run is one of the command.
    """
    path = objective_file(run)
    if configuration_file(run).exists():
        raise ValueError(
            f"{run} is a run of aejax train, which makes its own objective: open it without one"
        )
    if not path.is_file():
        raise missing_run(run)
    check_digest(path)
    try:
        record = ObjectiveRecord(**read_json(path))
        if not isinstance(record.factory, str | None):
            raise TypeError(f"factory cannot be {record.factory!r}")
        for name in ("arguments", "settings", "params", "optimizer_state"):
            if not isinstance(getattr(record, name), dict):
                raise TypeError(f"{name} must be a JSON object")
        np.dtype(jnp.dtype(record.dtype))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is not what aejax.runs.train wrote: {error}") from error
    return record


def resolve_objective(given: Objective | str | None, arguments: Mapping[str, Any]) -> Objective:
    """Return an objective, or the one that a factory makes; ValueError if it is neither."""
    if isinstance(given, str):
        return call_factory(given, arguments)
    check_objective(given)
    return cast(Objective, given)


def check_params(run: Path, record: ObjectiveRecord, like: Params) -> None:
    """Raise ValueError if a run has other parameters than an objective, naming the difference."""
    found = differences(record.params, array_names(like))
    if found:
        raise checkpoints.OtherConfigurationError(
            f"{run} was trained with another model: {found}; pass the objective of the run"
        )


def array_tables(state: TrainState) -> tuple[dict[str, str], dict[str, str]]:
    """Dtype and shape of each parameter, and of each array of the optimizer, by name."""
    return array_names(state.params), array_names(state.optimizer_state)


def as_json(name: str, values: Any) -> dict[str, Any]:
    """Return settings or arguments as JSON would store them; ValueError if it cannot."""
    try:
        if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
            raise TypeError(f"got {type(values).__name__}")
        return json.loads(json.dumps(dict(values), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{name} must be a dict of names and JSON values (numbers, text, lists, dicts): {error}"
        ) from error
