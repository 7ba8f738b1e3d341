"""A run's folder: what lies where, and how it is opened again."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax import checkpoints, training
from aejax.checkpoints.arrays import array_names, differences
from aejax.data import Normalisation
from aejax.data.catalogue import EMBEDDED_DATASETS, TENSORFLOW_FREE
from aejax.interchange import load_parameters
from aejax.objectives import Objective
from aejax.runs.builders import make_objective, make_optimizer
from aejax.runs.configuration import Training, dumps, identity_of, loads
from aejax.runs.environment import check_platform
from aejax.runs.integrity import RUN, check_file, identity_in, write_files
from aejax.runs.json_files import read_json
from aejax.types import Params


class About(NamedTuple):
    """What a run was trained on, kept beside its settings.

    environment:   versions, device, revision.
    fingerprint:   of the data.
    feature_shape: of one raw example.
    folder:        directory from which a relative path to the data leads to them, or None where the
                   data have a name or an absolute path.
    """

    environment: dict[str, str]
    fingerprint: str
    feature_shape: tuple[int, ...]
    folder: str | None = None


class Run(NamedTuple):
    """A run that has been trained: what encodes and reconstructs new data."""

    configuration: Training
    about: About
    objective: Objective
    params: Params
    normalisation: Normalisation
    step: int


def configuration_file(run: Path) -> Path:
    """Where a run's settings lie."""
    return run / "configuration.json"


def about_file(run: Path) -> Path:
    """Where the environment, the data's fingerprint and the feature shape lie."""
    return run / "about.json"


def history_file(run: Path) -> Path:
    """Where the records of the epochs lie."""
    return run / "history.jsonl"


def metrics_file(run: Path) -> Path:
    """Where the figures of the finished run lie."""
    return run / "metrics.json"


def checkpoints_folder(run: Path) -> Path:
    """Where the checkpoints lie."""
    return run / "checkpoints"


def parameters_file(run: Path) -> Path:
    """Where the parameters lie that `aejax export` has written."""
    return run / "parameters.safetensors"


def read_configuration(run: Path) -> Training:
    """The settings of a run; FileNotFoundError or ValueError where the folder holds none."""
    path = configuration_file(run)
    if not path.is_file():
        raise FileNotFoundError(f"{run} is no run: it holds no {path.name}")
    try:
        settings = loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    check_file(path)
    return settings


def read_about(run: Path) -> About:
    """What the run was trained on; ValueError where the file is not what `train` wrote."""
    path = about_file(run)
    try:
        about = read_json(path)
        shape = tuple(about["feature_shape"])
        if not all(type(size) is int and size > 0 for size in shape):
            raise ValueError(f"feature_shape cannot be {about['feature_shape']!r}")
        folder = about.get("folder")  # runs of earlier versions have none
        if not isinstance(folder, str | None):
            raise ValueError(f"folder cannot be {folder!r}")
        found = About(dict(about["environment"]), str(about["fingerprint"]), shape, folder)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"{path} is not what `aejax train` wrote: {error}") from error
    check_file(path)
    return found


def read_metrics(run: Path) -> dict[str, Any]:
    """The figures of a finished run, empty where there are none; ValueError as `read_about`."""
    path = metrics_file(run)
    metrics = read_json(path) if path.exists() else {}
    check_file(path)
    return metrics


def write_metrics(run: Path, metrics: dict[str, Any]) -> None:
    """Write what `read_metrics` reads."""
    write_files(run, identity_in(run), {metrics_file(run).name: _json(metrics).encode()})


def write_settings(
    run: Path, configuration: Training, about: About, *, identity: str | None
) -> None:
    """Write what `read_configuration` and `read_about` read, for a run of this identity."""
    files = {about_file(run): _json(about._asdict()), configuration_file(run): dumps(configuration)}
    write_files(run, identity, {path.name: text.encode() for path, text in files.items()})


def write_configuration(run: Path, configuration: Training) -> None:
    """Replace the settings of a run, which is resumed with others."""
    name = configuration_file(run).name
    write_files(run, identity_in(run), {name: dumps(configuration).encode()})


def decisive_settings(
    configuration: Training, data_fingerprint: str, identity: str | None
) -> dict[str, Any]:
    """What a run's checkpoints share: the settings that decide them, the data, and the identity."""
    settings = identity_of(configuration) | {"data fingerprint": data_fingerprint}
    return settings if identity is None else settings | {RUN: identity}


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def data_folder(configuration: Training) -> str | None:
    """The working directory where the settings name data by a relative path, else None."""
    data = configuration.data
    named = data in EMBEDDED_DATASETS.keys() | TENSORFLOW_FREE.keys() or data.startswith("tfds:")
    is_relative = not named and not Path(data).is_absolute() and Path(data).exists()
    return str(Path.cwd()) if is_relative else None


def located(configuration: Training, folder: str | None) -> Training:
    """The settings with a path to the data that leads to them from the working directory.

    Args:
        configuration: settings of a run.
        folder: as `About.folder` has it.

    Returns:
        The settings with the path below that folder, where it exists; else as they are, since the
        data may have been moved to the working directory.
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
        raise ValueError(f"the folder {location!r} holds bytes that are not UTF-8") from error


def open_run(run: Path, *, checkpoint: int | None = None) -> Run:
    """Read a run's settings and the parameters of its best checkpoint, or of the one named.

    What `aejax export` has written of a run is one too, of those parameters and no other.
    """
    check_platform()
    check_location(run)
    configuration, about = read_configuration(run), read_about(run)
    objective = make_objective(configuration, about.feature_shape)
    saved = checkpoints_folder(run).exists() or checkpoints.read_index(checkpoints_folder(run))
    if not saved:
        check_file(parameters_file(run))
    if parameters_file(run).exists() and not saved and checkpoint is None:
        found = _read_exported(run, about, objective)
    else:
        found = _read_checkpoint(run, configuration, about, objective, checkpoint)
    return Run(configuration, about, objective, *found)


def _read_checkpoint(
    run: Path, configuration: Training, about: About, objective: Objective, checkpoint: int | None
) -> tuple[Params, Normalisation, int]:
    optimizer = make_optimizer(configuration, steps=1)
    folder = checkpoints_folder(run)
    step = checkpoints.best_step(folder) if checkpoint is None else checkpoint
    start = partial(training.init_state, objective, optimizer)
    state, normalisation = checkpoints.restore(
        folder,
        jax.eval_shape(start, jax.random.key(0)),
        configuration=decisive_settings(configuration, about.fingerprint, identity_in(run)),
        normalisation=_normalisation_like(about),
        step=step,
    )
    return state.params, normalisation, int(state.step)


def _read_exported(
    run: Path, about: About, objective: Objective
) -> tuple[Params, Normalisation, int]:
    path = parameters_file(run)
    params, description = load_parameters(path)
    expected = jax.eval_shape(objective.model.init, jax.random.key(0)) | {
        "normalisation": _normalisation_like(about)._asdict()
    }
    found_arrays, expected_arrays = array_names(params), array_names(expected)
    if found_arrays != expected_arrays:
        raise ValueError(
            f"{path} does not hold the model of {configuration_file(run).name}: "
            f"{differences(found_arrays, expected_arrays)}"
        )
    step = description.get("step")
    if type(step) is not int or step < 0:
        raise ValueError(f"{path}: its step must be a count of steps, got {step!r}; export it anew")
    normalisation = Normalisation(**params.pop("normalisation"))
    return jax.tree.map(jnp.asarray, params), normalisation, step


def _normalisation_like(about: About) -> Normalisation:
    """Of the shape that a run's normalisation has."""
    return Normalisation(*[np.zeros(about.feature_shape)] * 2)
