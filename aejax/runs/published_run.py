"""Files of a published run: names, writing without paths of this machine, and their check."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from aejax.data.catalogue import EMBEDDED_DATASETS, TENSORFLOW_FREE
from aejax.runs.atomic_files import write_bytes, write_text
from aejax.runs.configuration import Training
from aejax.runs.exported_run import write_exported_run
from aejax.runs.factories import short_factory
from aejax.runs.history import read_run_history
from aejax.runs.integrity import check_digest, identity_file, read_identity, write_files
from aejax.runs.run import (
    Run,
    about_file,
    configuration_file,
    history_file,
    metrics_file,
    open_run,
    parameters_file,
    read_configuration,
)

CARD = "README.md"
"""Name of the model card."""

REQUIRED = tuple(
    path(Path()).name for path in (configuration_file, about_file, identity_file, parameters_file)
)
"""Names of the files without which a folder is not a published run."""

OPTIONAL = (CARD, metrics_file(Path()).name, history_file(Path()).name)
"""Names of further files."""

FIGURE = re.compile(r"figures/[a-z0-9_]{1,80}\.png")
"""Names of the figures of the card."""


def is_published(name: str) -> bool:
    """Whether a published run may contain a file of this name; all others are ignored.

    Args:
        name: path below the folder, with slashes.

    Returns:
        True for plain data: JSON, safetensors, Markdown and PNG.
    """
    return name in REQUIRED or name in OPTIONAL or FIGURE.fullmatch(name) is not None


def published_files(folder: Path) -> list[str]:
    """Names of the files of a published run, in order.

    Args:
        folder: folder that `write_published_run` wrote.

    Returns:
        Paths below the folder, with slashes.
    """
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(filter(is_published, paths))


def write_published_run(
    folder: Path, run: Run, source: Path, *, card: str, figures: Mapping[str, bytes]
) -> None:
    """Write a trained run as plain data that can be given to others.

    Directories of this machine are removed: the data keep the name of their file only.

    Args:
        folder: destination, which exists.
        run: the opened run.
        source: folder of the run, whose metrics and history are copied.
        card: model card in Markdown.
        figures: name below `figures/` -> PNG file.
    """
    _check_plain(source, run.configuration)
    identity = read_identity(source)
    shared = run._replace(
        configuration=replace(run.configuration, data=shared_name(run), data_dir=None),
        about=run.about._replace(folder=None),
    )
    write_exported_run(folder, shared, identity=identity, description={"step": run.step})
    metrics, history = metrics_file(source), history_file(source)
    if metrics.exists():
        check_digest(metrics)
        write_files(folder, identity, {metrics.name: metrics.read_bytes()})
    if history.exists():
        write_bytes(folder / history.name, history.read_bytes())
    for name, png in figures.items():
        assert FIGURE.fullmatch(f"figures/{name}")
        write_bytes(folder / "figures" / name, png)
    write_text(folder / CARD, card)


def shared_name(run: Run) -> str:
    """Name of the data of a run: that of a data set, or of a file without its directory."""
    data = run.configuration.data
    is_named = data in EMBEDDED_DATASETS.keys() | TENSORFLOW_FREE.keys() or data.startswith("tfds:")
    return data if is_named else Path(data).name


def _check_plain(folder: Path, configuration: Training) -> None:
    """Refuse a run whose objective is code, which a published folder neither has nor may run."""
    if configuration.factory is not None:
        raise ValueError(
            f"{folder} cannot be published or pulled: its objective is made by the code of "
            f"{short_factory(configuration.factory)}; export it with aejax export, or share the "
            "run with that file"
        )


def check_published_run(folder: Path) -> Run:
    """Open a published run and verify all its files; no code of it is run.

    Args:
        folder: the folder.

    Returns:
        The run.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, the files belong to different runs, or the objective is made
            by code.
    """
    for name in REQUIRED:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} is not a published run: it has no {name}")
    _check_plain(folder, read_configuration(folder))  # before a factory could be called
    run = open_run(folder)
    check_digest(metrics_file(folder))
    read_run_history(folder)
    return run
