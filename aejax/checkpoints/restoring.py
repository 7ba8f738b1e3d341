"""Reading a checkpoint back: every file checked, every difference shown."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

import jax
from jax.sharding import SingleDeviceSharding

from aejax.checkpoints.arrays import array_names, differences, reader
from aejax.checkpoints.folders import Configuration, DamagedCheckpointError, contents, steps
from aejax.checkpoints.index import read_index
from aejax.checkpoints.selection import find_damage, newest_intact_step
from aejax.training.steps import TrainState


class OtherConfigurationError(ValueError):
    """A checkpoint is another configuration's, or holds other arrays; the message shows how."""


def restore(
    directory: str | PathLike[str],
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
        The state, bit-identical to the one saved, and the normalisation. Arrays of 64-bit types
        come back as such, whether JAX makes new ones (`jax_enable_x64`) or not.

    Raises:
        FileNotFoundError: where there is no checkpoint, or none of that step.
        DamagedCheckpointError: naming the file that is missing or altered.
        OtherConfigurationError: showing the settings, or the arrays, that differ.
    """
    directory = Path(directory)
    checkpoint = _chosen(directory, step)
    damage = find_damage(checkpoint)
    if damage is not None:
        raise DamagedCheckpointError(f"{checkpoint} is damaged: {damage}; {_offer(directory)}")
    saved = contents(checkpoint)
    if configuration is not None:
        _refuse_other(
            checkpoint, "was made by another configuration", saved["configuration"], configuration
        )
    shapes = jax.tree.map(_place, like)
    tree = {"state": shapes, "normalisation": normalisation}
    _refuse_other(checkpoint, "holds other arrays", saved["arrays"], array_names(tree))
    with reader() as arrays, jax.enable_x64(True):  # else 64-bit arrays would be cut to 32 bits
        tree = arrays.restore((checkpoint / "state").absolute(), tree)
    return tree["state"], tree["normalisation"]


def _chosen(directory: Path, step: int | None) -> Path:
    found, expected = steps(directory), read_index(directory)
    known = sorted({*found, *expected})
    if not known:
        raise FileNotFoundError(f"no checkpoint in {directory}")
    if step is not None and step not in known:
        raise FileNotFoundError(f"no checkpoint of step {step} in {directory}; there are {found}")
    return directory / str(known[-1] if step is None else step)


def _offer(directory: Path) -> str:
    step = newest_intact_step(directory)
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
    found = differences(saved, given)
    if found:
        raise OtherConfigurationError(f"{checkpoint} {complaint}: {found}")
