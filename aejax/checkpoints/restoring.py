"""Restoring of a checkpoint, with verification of its files, configuration and arrays."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

import jax
from jax.sharding import SingleDeviceSharding

from aejax.checkpoints.arrays import array_names, differences, orbax_reader, restore_part
from aejax.checkpoints.folders import Configuration, DamagedCheckpointError, contents, steps
from aejax.checkpoints.index import read_index
from aejax.checkpoints.selection import find_damage, newest_intact_step
from aejax.training.steps import TrainState
from aejax.types import Params


class OtherConfigurationError(ValueError):
    """The configuration or the arrays of a checkpoint differ from those expected."""


def restore(
    directory: str | PathLike[str],
    like: TrainState,
    *,
    configuration: Configuration | None = None,
    normalisation: Any = None,
    step: int | None = None,
) -> tuple[TrainState, Any]:
    """Verify and restore a checkpoint.

    Args:
        directory: folder of all checkpoints of a run.
        like: state with the same structure, shapes and dtypes, whose values are not used. Arrays
            are restored with its shardings, not those saved; abstract arrays without sharding are
            restored on the first device.
        configuration: expected configuration; None accepts any.
        normalisation: tree of NumPy arrays with the structure of the saved one.
        step: step of the checkpoint (default: the newest).

    Returns:
        The state, bit-identical to the saved one, and the normalisation. 64-bit arrays keep their
        dtype even if `jax_enable_x64` is off.

    Raises:
        FileNotFoundError: if there is no checkpoint, or none for this step.
        DamagedCheckpointError: if a file is missing or altered.
        OtherConfigurationError: if configuration or arrays differ from those expected.

    Example:
        >>> import tempfile, aejax, optax
        >>> objective = aejax.objective(aejax.dense((4, 2)), aejax.losses.squared)
        >>> state = aejax.training.init_state(objective, optax.adam(1e-3), key=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = aejax.checkpoints.save(folder, state, configuration={"sizes": [4, 2]})
        ...     restored, _ = aejax.checkpoints.restore(folder, like=state)
        >>> path.name, int(restored.step)
        ('0', 0)
    """
    checkpoint = _verified(Path(directory), step, configuration)
    shapes = jax.tree.map(_shape_and_sharding, like)
    tree = {"state": shapes, "normalisation": normalisation}
    _check_same(checkpoint, "holds other arrays", contents(checkpoint)["arrays"], array_names(tree))
    with orbax_reader() as arrays, jax.enable_x64(True):  # preserves 64-bit arrays
        tree = arrays.restore((checkpoint / "state").absolute(), tree)
    return tree["state"], tree["normalisation"]


def restore_params(
    directory: str | PathLike[str],
    like: Params,
    *,
    configuration: Configuration | None = None,
    normalisation: Any = None,
    step: int | None = None,
) -> tuple[Params, Any, int]:
    """Verify a checkpoint and restore its parameters alone, without optimiser state.

    Args:
        directory: folder of all checkpoints of a run.
        like: parameters, or their shapes and dtypes.
        configuration: expected configuration; None accepts any.
        normalisation: tree of NumPy arrays with the structure of the saved one.
        step: step of the checkpoint (default: the newest).

    Returns:
        The parameters, bit-identical to the saved ones, the normalisation, and the step.

    Raises:
        FileNotFoundError: if there is no checkpoint, or none of this step.
        DamagedCheckpointError: if a file is missing or altered.
        OtherConfigurationError: if configuration or parameters differ from those expected.
    """
    checkpoint = _verified(Path(directory), step, configuration)
    about = contents(checkpoint)
    shapes = jax.tree.map(_shape_and_sharding, like)
    tree = {"state": {"params": shapes}, "normalisation": normalisation}
    parts = ("state.params", "normalisation")
    saved = {name: kind for name, kind in about["arrays"].items() if name.startswith(parts)}
    _check_same(checkpoint, "holds other parameters", saved, array_names(tree))
    with jax.enable_x64(True):
        tree = restore_part((checkpoint / "state").absolute(), tree)
    return tree["state"]["params"], tree["normalisation"], about["step"]


def _verified(directory: Path, step: int | None, configuration: Configuration | None) -> Path:
    """Folder of a checkpoint whose files are intact and whose configuration is the expected."""
    checkpoint = _select_checkpoint(directory, step)
    damage = find_damage(checkpoint)
    if damage is not None:
        raise DamagedCheckpointError(
            f"{checkpoint} is damaged: {damage}; {_alternative(directory)}"
        )
    if configuration is not None:
        saved = contents(checkpoint)["configuration"]
        _check_same(checkpoint, "was saved with another configuration", saved, configuration)
    return checkpoint


def _select_checkpoint(directory: Path, step: int | None) -> Path:
    found, expected = steps(directory), read_index(directory)
    known = sorted({*found, *expected})
    if not known:
        raise FileNotFoundError(f"no checkpoint in {directory}")
    if step is not None and step not in known:
        raise FileNotFoundError(f"no checkpoint of step {step} in {directory}; there are {found}")
    return directory / str(known[-1] if step is None else step)


def _alternative(directory: Path) -> str:
    step = newest_intact_step(directory)
    if step is None:
        return "no other checkpoint is intact"
    return f"the newest intact one is step {step} (--checkpoint {step})"


def _shape_and_sharding(leaf: Any) -> jax.ShapeDtypeStruct:
    sharding = leaf.sharding or SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _check_same(
    checkpoint: Path, complaint: str, saved: Configuration, given: Configuration
) -> None:
    given = json.loads(json.dumps(given))  # as it would have been saved: tuples become lists
    found = differences(saved, given)
    if found:
        raise OtherConfigurationError(f"{checkpoint} {complaint}: {found}")
