"""Writing a checkpoint: whole or not at all, at once or while training goes on."""

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

from aejax.checkpoints.arrays import array_names, writer
from aejax.checkpoints.folders import Configuration, digests, steps
from aejax.checkpoints.index import entry_of, read_index, write_index
from aejax.checkpoints.selection import best_of, find_damage
from aejax.training.placement import copy_state
from aejax.training.steps import TrainState

_NOT_ALLOCATING = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
"""Errors of file systems that cannot allocate in advance."""


def save(
    directory: str | PathLike[str],
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
        OSError: where the disk refuses, or has not the room, which is asked before anything is
            written; no half checkpoint is left under a step's name.
    """
    if keep < 1:
        raise ValueError(f"keep must be at least 1 checkpoint, got {keep}")
    directory, step = Path(directory), int(state.step)
    target, partial = directory / str(step), directory / f"{step}.partial"
    first = jax.process_index() == 0  # each process writes its arrays, and one all the rest
    if first:
        for leftover in directory.glob("*.partial"):  # of a run that was killed
            shutil.rmtree(leftover)
        partial.mkdir(parents=True)
    _meet(f"{partial} begins")
    tree = {"state": state, "normalisation": normalisation}
    with _room(partial, tree if first else None), writer() as arrays:
        arrays.save((partial / "state").absolute(), tree)
    if first:
        about = {
            "step": step,
            "epoch": int(state.epoch),
            "validation_loss": validation_loss,
            "configuration": configuration,
            "arrays": array_names(tree),
        }
        _describe(partial, about)
        _drop_from(directory, step)
        os.rename(partial, target)
        _keep_newest_and_best(directory, keep)
    _meet(f"{target} is whole")
    return target


@contextmanager
def in_background() -> Iterator[Callable[..., None]]:
    """`save` for a callback of `fit`: the next epoch runs while a thread writes.

    One checkpoint is written at a time: the next waits for it. Leaving waits for the last one. What
    a write raises is raised at the next call or on leaving, so that no failure goes unseen. The
    processes of a training write together, and at once.

    Yields:
        A function that takes what `save` takes, copies the state, and returns before it is written.
    """
    written: list[Future[Path]] = []

    def save_soon(directory: str | PathLike[str], state: TrainState, **settings: Any) -> None:
        if jax.process_count() > 1:
            save(directory, state, **settings)
            return
        _await(written)
        # Training goes on in the state's own buffers.
        written.append(thread.submit(save, directory, copy_state(state), **settings))

    with ThreadPoolExecutor(1, "checkpoint") as thread:
        try:
            yield save_soon
        finally:
            _await(written)


def _await(written: list[Future[Path]]) -> None:
    if written:
        written.pop().result()


@contextmanager
def _room(folder: Path, tree: Any) -> Iterator[None]:
    """Refuse what the disk has no room for, and name as the disk's what Orbax's threads raise."""
    try:
        if tree is not None:
            _reserve(folder / "reserved", _bytes(tree))
        yield
    except ValueError as error:
        number = errno.ENOSPC if os.strerror(errno.ENOSPC) in str(error) else errno.EIO
        raise OSError(number, os.strerror(number), str(folder)) from error


def _reserve(path: Path, size: int) -> None:
    """Allocate a file of this size and delete it: Orbax fails late, and in many threads.

    Where the platform (macOS, Windows) or the file system cannot allocate, free space is compared.
    """
    with path.open("wb") as file:
        if not _allocated(file.fileno(), size) and shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path.parent))
    path.unlink()


def _allocated(file: int, size: int) -> bool:
    """Whether a file was given this size on the disk; False where that cannot be asked."""
    allocate = getattr(os, "posix_fallocate", None)
    if allocate is None:
        return False
    try:
        allocate(file, 0, size)
    except OSError as error:
        if error.errno not in _NOT_ALLOCATING:
            raise
        return False
    return True


def _bytes(tree: Any) -> int:
    """About what a checkpoint takes: its arrays, and some blocks of four kilobytes for each."""
    leaves = jax.tree.leaves(tree)
    return sum(leaf.nbytes for leaf in leaves) + 2**12 * (16 + 2 * len(leaves))


def _describe(partial: Path, about: Mapping[str, Any]) -> None:
    """Write the files of a checkpoint whose arrays are written."""
    (partial / "about.json").write_text(json.dumps(about, indent=2))
    (partial / "digests.json").write_text(json.dumps(digests(partial), indent=2))


def _drop_from(directory: Path, step: int) -> None:
    """Delete the checkpoints of this step and later ones, which the index forgets first."""
    known, found = read_index(directory), steps(directory)
    if any(later >= step for later in (*known, *found)):
        write_index(directory, {each: known[each] for each in known if each < step})
    for later in found:
        if later >= step:
            _drop(directory / str(later))


def _keep_newest_and_best(directory: Path, keep: int) -> None:
    """Delete the other checkpoints, and list those that stay; the best even if it is missing."""
    found, known = steps(directory), read_index(directory)
    for step in found:
        path = directory / str(step)
        if step not in known and not find_damage(path):
            known[step] = entry_of(path)
    kept = {*found[-keep:], best_of(known)}
    for old in found:
        if old not in kept:
            _drop(directory / str(old))
    write_index(directory, {step: known[step] for step in known if step in kept})


def _meet(place: str) -> None:
    """Wait for the other processes of a training, where there are any."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(place)


def _drop(checkpoint: Path) -> None:
    """Delete a checkpoint; a kill midway leaves nothing under its number."""
    nameless = checkpoint.with_name(f"{checkpoint.name}.dropped.partial")
    os.rename(checkpoint, nameless)
    shutil.rmtree(nameless)
