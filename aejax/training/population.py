"""Many trainings in one compiled program, which every processor core or device runs a share of."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from operator import itemgetter
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
import optax

from aejax.batch_inputs import as_batch
from aejax.hyperparameters import as_integer
from aejax.keys import typed_key
from aejax.objectives import Objective
from aejax.training.ahead_of_time import compile_ahead_of_time
from aejax.training.batches import Measurements, resolve_batch_size
from aejax.training.errors import check_memory
from aejax.training.fit_arguments import check_objective, check_optimizer
from aejax.training.preflight_checks import check_training, clip_targets
from aejax.training.scanned import train
from aejax.training.steps import TrainState
from aejax.types import Array, Batch, BatchLike, Key, KeyLike

Make = Callable[[Any], tuple[Objective, optax.GradientTransformation]]
"""One member's hyperparameters -> its objective and optimizer."""

_FEWEST = 8
"""Members for which a core is worth the compilation of their program."""


def fit_population(
    make: Make,
    data: BatchLike,
    *,
    hyperparameters: Any,
    key: KeyLike,
    epochs: SupportsIndex,
    batch_size: SupportsIndex | None = None,
    validation: BatchLike | None = None,
    patience: SupportsIndex | None = None,
    devices: Sequence[Any] | None = None,
) -> tuple[TrainState, Measurements]:
    """Train one model for each member of a population, all in one compiled program.

    The members are divided among the devices; on one processor, among its cores, since the small
    products of small models keep one core busy.

    Args:
        make: one member's hyperparameters -> its objective and optimizer. Weights, rates, noise
            levels, learning rates and sizes of codes (`aejax.leading_units`) may be
            hyperparameters; shapes may not. Called again with the same function and shapes, it
            is not compiled again.
        data: all examples, a `Batch` or x alone, shared by the members.
        hyperparameters: a tree of arrays, each [members, …].
        key: split into one key a member.
        epochs: passes over the data.
        batch_size: examples a step (default: 128, or all where they are fewer).
        validation: examples on which each member is measured, without noise, after each epoch.
        patience: epochs without improvement on them after which a member stops, as in `fit`; the
            others go on.
        devices: which train; those of this process unless given.

    Returns:
        The members' last states and the epochs' mean measurements, each with a leading axis
        [members]; with validation also "validation_loss". Of a member that stopped, the state
        counts the epochs that it was trained for, and later measurements repeat its last.

    Raises:
        ValueError: for no or unequal members, for any member's hyperparameters out of range, or for
            what `fit` would refuse.
        OutOfMemoryError: before anything is trained, where a device has not what its members need.
    """
    members = _members_of(hyperparameters)
    leaves, tree = jax.tree.flatten(hyperparameters)
    made = [make(tree.unflatten(values)) for values in zip(*leaves, strict=True)]
    for member in made:
        _check_made(member)
    objective, _ = made[0]
    key, epochs = typed_key(key), as_integer("epochs", epochs)
    params = jax.eval_shape(objective.model.init, key)
    check_training(
        objective,
        params,
        data,
        batch_size=batch_size,
        validation=validation,
        patience=patience,
    )
    data = as_batch(data)
    validation = None if validation is None else as_batch(validation)
    batch_size = resolve_batch_size(batch_size, data.x.shape[0])
    patience = None if patience is None else as_integer("patience", patience)
    data = clip_targets(objective, data)
    validation = None if validation is None else clip_targets(objective, validation)
    workers = _workers(devices, members)
    parts = _divided((hyperparameters, jax.random.split(key, members)), members, len(workers))
    shares = [
        jax.device_put((*part, data, validation), worker)
        for worker, part in zip(workers, parts, strict=True)
    ]
    options = {"epochs": epochs, "batch_size": batch_size, "patience": patience}
    kinds = [(worker, len(share[1])) for worker, share in zip(workers, shares, strict=True)]
    by_kind = {
        kind: compile_ahead_of_time(_train_members, make, arguments=share, **options)
        for kind, share in dict(zip(kinds, shares, strict=True)).items()
    }
    programs = [by_kind[kind] for kind in kinds]
    check_memory(programs, workers, "train fewer members at a time")
    with ThreadPoolExecutor(len(workers)) as pool:
        found = pool.map(lambda run, share: jax.block_until_ready(run(*share)), programs, shares)
        return jax.tree.map(_joined, *found)


# Of the module, so that JAX keeps what it compiles.
@partial(jax.jit, static_argnums=0, static_argnames=("epochs", "batch_size", "patience"))
def _train_members(
    make: Make,
    hyperparameters: Any,
    keys: Array,
    data: Batch,
    validation: Batch | None,
    *,
    epochs: int,
    batch_size: int,
    patience: int | None,
) -> tuple[TrainState, Measurements]:
    def member(hyperparameters: Any, key: Key) -> tuple[TrainState, Measurements]:
        objective, optimizer = make(hyperparameters)
        return train(
            objective,
            optimizer,
            data,
            key,
            epochs=epochs,
            batch_size=batch_size,
            validation=validation,
            patience=patience,
        )

    return jax.vmap(member)(hyperparameters, keys)


def _check_made(member: Any) -> None:
    if not isinstance(member, tuple) or len(member) != 2:
        raise ValueError(f"make must return (objective, optimizer), got {type(member).__name__}")
    check_objective(member[0])
    check_optimizer(member[1])


def _members_of(hyperparameters: Any) -> int:
    # Of a list, each entry is a leaf of the tree: no members can be told.
    lengths = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(hyperparameters)}
    if len(lengths) != 1 or lengths & {(), (0,)}:
        raise ValueError(
            "hyperparameters must be arrays with one leading axis of members (of a list, "
            f"numpy.asarray), got leading axes {sorted(lengths)}"
        )
    ((members,),) = lengths
    return members


def _workers(devices: Sequence[Any] | None, members: int) -> list[Any]:
    """A device a share of the members; a lone processor has a share for each of its cores."""
    devices = jax.local_devices() if devices is None else list(devices)
    if not devices:
        raise ValueError("devices must be one or more, or None for all of this process, got none")
    if len(devices) == 1 and devices[0].platform == "cpu":
        return devices * max(1, min(os.cpu_count() or 1, members // _FEWEST))
    return devices[:members]


def _divided(tree: Any, members: int, shares: int) -> list[Any]:
    """The members in order, in shares of nearly the same size."""
    edges = [members * i // shares for i in range(shares + 1)]
    return [jax.tree.map(itemgetter(slice(*edge)), tree) for edge in pairwise(edges)]


def _joined(*parts: Array) -> Array:
    """Shares of the members as one array, on the first one's device."""
    (device,) = parts[0].devices()
    return jnp.concatenate([jax.device_put(part, device) for part in parts])
