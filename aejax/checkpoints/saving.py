"""Atomic saving of checkpoints, synchronously or in a background thread."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import jax
from jax.experimental import multihost_utils

from aejax.checkpoints.arrays import array_names, orbax_writer
from aejax.checkpoints.folders import Configuration, digests, steps
from aejax.checkpoints.index import entry_of, read_index, write_index
from aejax.checkpoints.selection import best_of, find_damage
from aejax.training.placement import copy_state
from aejax.training.steps import TrainState

_CANNOT_ALLOCATE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
"""Error codes of file systems without `posix_fallocate`."""


def save(
    directory: str | PathLike[str],
    state: TrainState,
    *,
    configuration: Configuration,
    normalisation: Any = None,
    validation_loss: float | None = None,
    keep: int = 3,
) -> Path:
    """Write a checkpoint atomically, then delete old checkpoints and those of later steps.

    Checkpoints of later steps exist if a run was resumed from an earlier one; they will be written
    again. In multi-process training, every process must call this function; it returns when all
    have written.

    Args:
        directory: folder of all checkpoints of a run.
        state: state to save: parameters, optimiser state, counters and key.
        configuration: JSON-serialisable configuration, which `restore` can compare.
        normalisation: tree of NumPy arrays saved with the state.
        validation_loss: criterion of the best checkpoint; None excludes this one.
        keep: number of newest checkpoints to keep, in addition to the best.

    Returns:
        Folder of the checkpoint, named by its step.

    Raises:
        ValueError: if `keep` is less than 1.
        OSError: if writing fails, or disk space, which is checked first, is insufficient. The
            incomplete checkpoint keeps its temporary name.

    Example:
        >>> import tempfile, aejax, optax
        >>> objective = aejax.objective(aejax.dense((4, 2)), aejax.losses.squared)
        >>> state = aejax.training.init_state(objective, optax.adam(1e-3), key=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = aejax.checkpoints.save(folder, state, configuration={"sizes": [4, 2]})
        ...     aejax.checkpoints.steps(folder)
        [0]
    """
    if keep < 1:
        raise ValueError(f"keep must be at least 1 checkpoint, got {keep}")
    directory, step = Path(directory), int(state.step)
    target, partial = directory / str(step), directory / f"{step}.partial"
    is_main_process = jax.process_index() == 0  # others write only arrays
    if is_main_process:
        for leftover in directory.glob("*.partial"):  # from a killed run
            shutil.rmtree(leftover)
        partial.mkdir(parents=True)
    _synchronise_processes(f"{partial} begins")
    tree = {"state": state, "normalisation": normalisation}
    with _checked_disk_space(partial, tree if is_main_process else None), orbax_writer() as arrays:
        arrays.save((partial / "state").absolute(), tree)
    if is_main_process:
        about = {
            "step": step,
            "epoch": int(state.epoch),
            "validation_loss": validation_loss,
            "configuration": configuration,
            "arrays": array_names(tree),
        }
        _write_metadata(partial, about)
        _delete_from(directory, step)
        os.rename(partial, target)
        _keep_newest_and_best(directory, keep)
    _synchronise_processes(f"{target} is complete")
    return target


@contextmanager
def in_background() -> Iterator[Callable[..., None]]:
    """Asynchronous `save`, for a callback of `fit`: a thread writes while training continues.

    At most one checkpoint is being written; the next call waits for it, and so does leaving the
    context. An exception while writing is raised at the next call or on leaving. With several
    processes, writing is synchronous.

    Yields:
        A function with the arguments of `save` that copies the state and writes it in a thread.
    """
    written: list[Future[Path]] = []

    def save_soon(directory: str | PathLike[str], state: TrainState, **settings: Any) -> None:
        if jax.process_count() > 1:
            save(directory, state, **settings)
            return
        _wait_for(written)
        # Copy the state, because training reuses its buffers.
        written.append(thread.submit(save, directory, copy_state(state), **settings))

    with ThreadPoolExecutor(1, "checkpoint") as thread:
        try:
            yield save_soon
        finally:
            _wait_for(written)


def _wait_for(written: list[Future[Path]]) -> None:
    if written:
        written.pop().result()


@contextmanager
def _checked_disk_space(folder: Path, tree: Any) -> Iterator[None]:
    """Check free disk space, and convert errors of Orbax's threads to OSError."""
    try:
        if tree is not None:
            _reserve(folder / "reserved", _bytes(tree))
        yield
    except ValueError as error:
        number = errno.ENOSPC if os.strerror(errno.ENOSPC) in str(error) else errno.EIO
        raise OSError(number, os.strerror(number), str(folder)) from error


def _reserve(path: Path, size: int) -> None:
    """Allocate and delete a file of this size, because Orbax would fail late and in many threads.

    If the platform (macOS, Windows) or file system cannot allocate, compare with the free space.
    """
    with path.open("wb") as file:
        if not _allocate(file.fileno(), size) and shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path.parent))
    path.unlink()


def _allocate(file: int, size: int) -> bool:
    """Allocate disk space for a file; False if that is not supported."""
    allocate = getattr(os, "posix_fallocate", None)
    if allocate is None:
        return False
    try:
        allocate(file, 0, size)
    except OSError as error:
        if error.errno not in _CANNOT_ALLOCATE:
            raise
        return False
    return True


def _bytes(tree: Any) -> int:
    """Approximate size of a checkpoint: its arrays, and a few 4 KiB blocks for each."""
    leaves = jax.tree.leaves(tree)
    return sum(leaf.nbytes for leaf in leaves) + 2**12 * (16 + 2 * len(leaves))


def _write_metadata(partial: Path, about: Mapping[str, Any]) -> None:
    """Write `about.json` and `digests.json` of a checkpoint whose arrays are written."""
    (partial / "about.json").write_text(json.dumps(about, indent=2))
    (partial / "digests.json").write_text(json.dumps(digests(partial), indent=2))


def _delete_from(directory: Path, step: int) -> None:
    """Delete the checkpoints of this and later steps, first from the index, then from disk."""
    known, found = read_index(directory), steps(directory)
    if any(later >= step for later in (*known, *found)):
        write_index(directory, {each: known[each] for each in known if each < step})
    for later in found:
        if later >= step:
            _delete(directory / str(later))


def _keep_newest_and_best(directory: Path, keep: int) -> None:
    """Delete all other checkpoints; the index keeps the entry of the best even if it is missing."""
    found, known = steps(directory), read_index(directory)
    for step in found:
        path = directory / str(step)
        if step not in known and not find_damage(path):
            known[step] = entry_of(path)
    kept = {*found[-keep:], best_of(known)}
    for old in found:
        if old not in kept:
            _delete(directory / str(old))
    write_index(directory, {step: known[step] for step in known if step in kept})


def _synchronise_processes(barrier: str) -> None:
    """Wait for the other processes of a training run, if there are any."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(barrier)


def _delete(checkpoint: Path) -> None:
    """Delete a checkpoint; renaming first prevents an incomplete folder under its step."""
    nameless = checkpoint.with_name(f"{checkpoint.name}.dropped.partial")
    os.rename(checkpoint, nameless)
    shutil.rmtree(nameless)
