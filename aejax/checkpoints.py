"""Checkpoints through Orbax: atomic, checked against their digests, resumable to the bit.

A checkpoint is a folder named by its step: `state/` is Orbax's, `about.json` holds configuration,
validation loss and what the arrays are, and `digests.json` the SHA-256 of every other file. The
folder is written under another name and renamed when it is whole, and it loses its number before
it is deleted, so that a name that is a number is a promise.
"""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from jax.experimental import multihost_utils
from jax.sharding import SingleDeviceSharding

from aejax.training.steps import TrainState

Configuration = Mapping[str, Any]


class DamagedCheckpointError(ValueError):
    """A checkpoint's files are not those that were written; the message offers the newest whole."""


class OtherConfigurationError(ValueError):
    """A checkpoint is another configuration's, or holds other arrays; the message shows how."""


def save(
    directory: Path,
    state: TrainState,
    *,
    configuration: Configuration,
    normalisation: Any = None,
    validation_loss: float | None = None,
    keep: int = 3,
) -> Path:
    """Write one checkpoint, whole or not at all, then drop the old ones and any of later steps.

    Later steps belong to a run that went back to an earlier checkpoint: it will come to them again.
    Where a training has several processes, each calls this, and returns when all have written.

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
    first = jax.process_index() == 0  # each process writes its arrays, and one all the rest
    if first:
        for leftover in directory.glob("*.partial"):  # of a run that was killed
            shutil.rmtree(leftover)
        partial.mkdir(parents=True)
    _meet(f"{partial} begins")
    tree = {"state": state, "normalisation": normalisation}
    with _checkpointer() as checkpointer:
        checkpointer.save((partial / "state").absolute(), tree)
    if first:
        about = {
            "step": step,
            "epoch": int(state.epoch),
            "validation_loss": validation_loss,
            "configuration": configuration,
            "arrays": _arrays(tree),
        }
        _name(partial, target, about)
        for old in set(steps(directory)[:-keep]) - {best_step(directory)}:
            _drop(directory / str(old))
    _meet(f"{target} is whole")
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
        The step. A checkpoint that cannot be read, or whose loss is not finite, does not compete.
    """
    losses = {step: _validation_loss(directory / str(step)) for step in steps(directory)}
    finite = [step for step, loss in losses.items() if math.isfinite(loss)]
    return min(finite, key=losses.__getitem__, default=None)


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
        like: a state of the same structure, shapes and dtypes; its values are not used. The arrays
            are restored to its devices, however many saved them; those of mere shapes to the first.
        configuration: refuse a checkpoint made by another; None asks nothing.
        normalisation: a tree of NumPy arrays like the one saved.
        step: which checkpoint; the newest unless given.

    Returns:
        The state, equal to the bit to the one saved, and the normalisation.

    Raises:
        FileNotFoundError: where there is no checkpoint, or none of that step.
        DamagedCheckpointError: naming the file that is missing or altered.
        OtherConfigurationError: showing the settings, or the arrays, that differ.
    """
    checkpoint = _chosen(directory, step)
    damage = find_damage(checkpoint)
    if damage is not None:
        raise DamagedCheckpointError(f"{checkpoint} is damaged: {damage}; {_offer(directory)}")
    saved_configuration, saved_arrays = _identity(checkpoint)
    if configuration is not None:
        _refuse_other(
            checkpoint, "was made by another configuration", saved_configuration, configuration
        )
    shapes = jax.tree.map(_place, like)
    tree = {"state": shapes, "normalisation": normalisation}
    _refuse_other(checkpoint, "holds other arrays", saved_arrays, _arrays(tree))
    with _checkpointer() as checkpointer:
        tree = checkpointer.restore((checkpoint / "state").absolute(), tree)
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
    except (OSError, ValueError, RecursionError):
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


def _name(partial: Path, target: Path, about: Mapping[str, Any]) -> None:
    """Give a checkpoint whose arrays are written its other files, and then its number."""
    (partial / "about.json").write_text(json.dumps(about, indent=2))
    (partial / "digests.json").write_text(json.dumps(_digests(partial), indent=2))
    for later in [found for found in steps(target.parent) if found >= int(target.name)]:
        _drop(target.parent / str(later))
    os.rename(partial, target)


def _meet(place: str) -> None:
    """Wait for the other processes of a training, where there are any."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(place)


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


def _drop(checkpoint: Path) -> None:
    """Delete a checkpoint; a kill midway leaves nothing under its number."""
    nameless = checkpoint.with_name(f"{checkpoint.name}.dropped.partial")
    os.rename(checkpoint, nameless)
    shutil.rmtree(nameless)


def _checkpointer() -> Any:
    import orbax.checkpoint as ocp  # here, so that a command that needs none is quick

    return ocp.StandardCheckpointer()


def _about(checkpoint: Path) -> dict[str, Any]:
    return json.loads((checkpoint / "about.json").read_text())


def _identity(checkpoint: Path) -> tuple[Configuration, Configuration]:
    """The configuration and the arrays of a checkpoint whose digests are right."""
    try:
        about = _about(checkpoint)
        return dict(about["configuration"]), dict(about["arrays"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedCheckpointError(
            f"{checkpoint} is damaged: about.json is not what `save` writes"
        ) from error


def _validation_loss(checkpoint: Path) -> float:
    try:
        return float(_about(checkpoint)["validation_loss"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return math.nan


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "digests.json"
    }


def _arrays(tree: Any) -> dict[str, str]:
    """The arrays of a tree by name, each as its dtype and shape: `float32[64, 16]`."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _place(leaf: Any) -> jax.ShapeDtypeStruct:
    place = leaf.sharding or SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)


def _refuse_other(
    checkpoint: Path, complaint: str, saved: Configuration, given: Configuration
) -> None:
    given = json.loads(json.dumps(given))  # as it would have been saved: tuples become lists
    differences = [
        f"{name} was {saved.get(name)!r}, now {given.get(name)!r}"
        for name in sorted(saved.keys() | given.keys())
        if saved.get(name) != given.get(name)
    ]
    if differences:
        raise OtherConfigurationError(f"{checkpoint} {complaint}: {'; '.join(differences)}")
