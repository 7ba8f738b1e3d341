"""Checkpoints through Orbax: atomic, checked against their digests, resumable to the bit.

A checkpoint is a folder named by its step: `state/` is Orbax's, `about.json` holds configuration
and validation loss, and `digests.json` the SHA-256 of every other file. The folder is written
under another name and renamed when it is whole, so that a name that is a number is a promise.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from aejax.training.steps import TrainState

Configuration = Mapping[str, Any]


class DamagedCheckpointError(ValueError):
    """A checkpoint's files are not those that were written; the message offers the newest whole."""


class OtherConfigurationError(ValueError):
    """A checkpoint was made by another configuration; the message shows the difference."""


def save(
    directory: Path,
    state: TrainState,
    *,
    configuration: Configuration,
    normalisation: Any = None,
    validation_loss: float | None = None,
    keep: int = 3,
) -> Path:
    """Write one checkpoint, whole or not at all, then drop the old ones.

    Args:
        directory: the folder of all checkpoints of a run.
        state: what is saved: parameters, optimiser state, counters and key.
        configuration: JSON-able; `restore` compares it with the one that it is given.
        normalisation: a tree of NumPy arrays saved beside the state.
        validation_loss: what "the best" is judged by; None competes for nothing.
        keep: how many of the newest stay; the best stays besides.

    Returns:
        The checkpoint's folder, named by its step.

    Raises:
        ValueError: for keep below one.
        OSError: where the disk refuses; no half checkpoint is left under a step's name.
    """
    if keep < 1:
        raise ValueError(f"keep must be at least 1 checkpoint, got {keep}")
    step = int(state.step)
    target, partial = directory / str(step), directory / f"{step}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(
            (partial / "state").absolute(), {"state": state, "normalisation": normalisation}
        )
    about = {
        "step": step,
        "epoch": int(state.epoch),
        "validation_loss": validation_loss,
        "configuration": configuration,
    }
    (partial / "about.json").write_text(json.dumps(about, indent=2))
    (partial / "digests.json").write_text(json.dumps(_digests(partial), indent=2))
    shutil.rmtree(target, ignore_errors=True)  # a damaged one that a resumed run has reached again
    os.rename(partial, target)
    _drop_old(directory, keep)
    return target


def steps(directory: Path) -> list[int]:
    """Steps of the checkpoints in a folder, oldest first; whether they are whole is not asked.

    Args:
        directory: the folder of all checkpoints of a run.

    Returns:
        The steps; empty where there are none.
    """
    if not directory.is_dir():
        return []
    return sorted(int(path.name) for path in directory.iterdir() if path.name.isdigit())


def best_step(directory: Path) -> int | None:
    """Step of the checkpoint with the lowest validation loss; None where none was measured.

    Args:
        directory: the folder of all checkpoints of a run.

    Returns:
        The step. A checkpoint that cannot be read does not compete.
    """
    losses = {step: _validation_loss(directory / str(step)) for step in steps(directory)}
    measured = {step: loss for step, loss in losses.items() if loss is not None}
    return min(measured, key=measured.__getitem__) if measured else None


def restore(
    directory: Path,
    like: TrainState,
    *,
    configuration: Configuration | None = None,
    normalisation: Any = None,
    step: int | None = None,
) -> tuple[TrainState, Any]:
    """Read one checkpoint, after checking every file of it.

    Args:
        directory: the folder of all checkpoints of a run.
        like: a state of the same structure, shapes and dtypes; its values are not used.
        configuration: refuse a checkpoint made by another; None asks nothing.
        normalisation: a tree of NumPy arrays like the one saved.
        step: which checkpoint; the newest unless given.

    Returns:
        The state, equal to the bit to the one saved, and the normalisation.

    Raises:
        FileNotFoundError: where there is no checkpoint, or none of that step.
        DamagedCheckpointError: naming the file that is missing or altered.
        OtherConfigurationError: naming each setting that differs.
    """
    checkpoint = _chosen(directory, step)
    damage = find_damage(checkpoint)
    if damage is not None:
        raise DamagedCheckpointError(f"{checkpoint} is damaged: {damage}; {_offer(directory)}")
    if configuration is not None:
        differences = list(_differences(_about(checkpoint)["configuration"], configuration))
        if differences:
            raise OtherConfigurationError(
                f"{checkpoint} was made by another configuration: {'; '.join(differences)}"
            )
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), like)
    template = {"state": shapes, "normalisation": normalisation}
    with ocp.StandardCheckpointer() as checkpointer:
        tree = checkpointer.restore((checkpoint / "state").absolute(), template)
    return tree["state"], tree["normalisation"]


def find_damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint's files.

    Args:
        checkpoint: one checkpoint's folder.

    Returns:
        A clause that names the first file missing, altered or unreadable; None for a whole one.
    """
    try:
        expected = json.loads((checkpoint / "digests.json").read_text())
    except (OSError, ValueError):
        return "digests.json is missing or unreadable"
    found = _digests(checkpoint)
    if not isinstance(expected, dict) or "about.json" not in expected:
        return "digests.json is not a table of digests"
    for name, digest in expected.items():
        if name not in found:
            return f"{name} is missing"
        if found[name] != digest:
            return f"{name} is not what was written"
    return None


def newest_whole_step(directory: Path) -> int | None:
    """Step of the newest checkpoint without damage; None where there is none.

    Args:
        directory: the folder of all checkpoints of a run.

    Returns:
        The step.
    """
    return next(
        (step for step in reversed(steps(directory)) if not find_damage(directory / str(step))),
        None,
    )


def _chosen(directory: Path, step: int | None) -> Path:
    found = steps(directory)
    if not found:
        raise FileNotFoundError(f"no checkpoint in {directory}")
    if step is not None and step not in found:
        raise FileNotFoundError(f"no checkpoint of step {step} in {directory}; there are {found}")
    return directory / str(found[-1] if step is None else step)


def _offer(directory: Path) -> str:
    step = newest_whole_step(directory)
    if step is None:
        return "no other checkpoint is whole"
    return f"the newest whole one is step {step} (--checkpoint {step})"


def _drop_old(directory: Path, keep: int) -> None:
    for step in set(steps(directory)[:-keep]) - {best_step(directory)}:
        shutil.rmtree(directory / str(step))


def _about(checkpoint: Path) -> dict[str, Any]:
    return json.loads((checkpoint / "about.json").read_text())


def _validation_loss(checkpoint: Path) -> float | None:
    try:
        return _about(checkpoint)["validation_loss"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "digests.json"
    }


def _differences(saved: Configuration, given: Configuration) -> Iterator[str]:
    given = json.loads(json.dumps(given))  # as it would have been saved: tuples become lists
    for name in sorted(saved.keys() | given.keys()):
        if saved.get(name) != given.get(name):
            yield f"{name} was {saved.get(name)!r}, now {given.get(name)!r}"
