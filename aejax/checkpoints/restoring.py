"""Reading a checkpoint back: every file checked, every difference shown."""

import json
from pathlib import Path
from typing import Any

import jax
from jax.sharding import SingleDeviceSharding

from aejax.checkpoints.arrays import array_names, reader
from aejax.checkpoints.folders import (
    Configuration,
    DamagedCheckpointError,
    find_damage,
    identity,
    newest_whole_step,
    steps,
)
from aejax.training.steps import TrainState


class OtherConfigurationError(ValueError):
    """A checkpoint is another configuration's, or holds other arrays; the message shows how."""


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
    saved_configuration, saved_arrays = identity(checkpoint)
    if configuration is not None:
        _refuse_other(
            checkpoint, "was made by another configuration", saved_configuration, configuration
        )
    shapes = jax.tree.map(_place, like)
    tree = {"state": shapes, "normalisation": normalisation}
    _refuse_other(checkpoint, "holds other arrays", saved_arrays, array_names(tree))
    with reader() as arrays:
        tree = arrays.restore((checkpoint / "state").absolute(), tree)
    return tree["state"], tree["normalisation"]


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
