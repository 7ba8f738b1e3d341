"""Training of a population of models in one program, divided among CPU cores or devices."""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from operator import itemgetter
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import optax

from aejax.batch_inputs import as_batch
from aejax.hyperparameters import as_integer, check_range
from aejax.keys import typed_key
from aejax.objectives import Objective
from aejax.training.ahead_of_time import compile_ahead_of_time
from aejax.training.batches import Measurements, resolve_batch_size
from aejax.training.epoch_loop import check_keep_best
from aejax.training.errors import check_memory
from aejax.training.fit_arguments import check_objective, check_optimizer
from aejax.training.preflight_checks import check_training, clip_targets
from aejax.training.scanned import train
from aejax.training.steps import TrainState
from aejax.types import Array, Batch, BatchLike, Key, KeyLike

Make = Callable[[Any], tuple[Objective, optax.GradientTransformation]]
"""Hyperparameters of a member -> (objective, optimizer)."""

Keys = jaxtyping.Key[Array, "keys"]
"""One PRNG key per member."""

_MIN_MEMBERS_PER_CORE = 8
"""Minimum number of members for which compiling a program for another core pays off."""


def fit_population(
    make: Make,
    data: BatchLike,
    *,
    hyperparameters: Any,
    key: KeyLike | Keys,
    epochs: SupportsIndex,
    batch_size: SupportsIndex | None = None,
    validation: BatchLike | None = None,
    patience: SupportsIndex | None = None,
    keep_best: bool = False,
    members_at_once: SupportsIndex | None = None,
    devices: Sequence[Any] | None = None,
) -> tuple[TrainState, Measurements]:
    """Train a population of models in one compiled program, vmapped over hyperparameters and keys.

    The members are divided among the devices. On a single CPU they are divided among its cores,
    because the matrix products of small models do not use more than one.

    Args:
        make: hyperparameters of one member -> (objective, optimizer). Hyperparameters can be
            weights, rates, noise levels, learning rates and code sizes (`aejax.leading_units`),
            but not shapes. The program is cached for the same function and shapes.
        data: all examples, a `Batch` or x alone, shared by the members.
        hyperparameters: tree of arrays, each [members, …].
        key: PRNG key, split into one key per member, or keys [members]. Members with the same key
            have the same initial parameters and order of examples, so that their hyperparameters
            can be compared in pairs.
        epochs: number of epochs.
        batch_size: number of examples per step (default: 128, or all examples if fewer).
        validation: examples on which the noise-free objective is evaluated after each epoch.
        patience: number of epochs without a lower validation loss after which a member stops, as
            in `fit`; the others continue.
        keep_best: whether to return the state of each member's epoch with the lowest validation
            loss instead of the last; requires validation.
        members_at_once: number of members that a device trains together; the others follow, in
            the same program (default: all). 1 is for models that fill a device by themselves:
            batched products and scatters of large models are slower on a CPU than the members one
            after another (`python -m benchmarks.dictionary_throughput`), and the temporary arrays
            of fewer members are in memory. The results are the same up to rounding.
        devices: devices to train on (default: all of this process).

    Returns:
        The final states, or the best with `keep_best`, and the mean measurements of the epochs,
        with a leading axis [members]; with validation also "validation_loss". For a member that
        stopped early, the state has the number of epochs trained, and later measurements repeat the
        last one.

    Raises:
        ValueError: if the numbers of members differ or are zero, hyperparameters are out of range,
            `members_at_once` is not an integer of at least 1, `keep_best` has no validation, or
            `fit` would raise it.
        OutOfMemoryError: if the members of a device need more memory than it has; checked before
            training.

    Example:
        >>> import aejax, jax, jax.numpy as jnp, optax
        >>> def make(rate):
        ...     objective = aejax.objective(aejax.dense((8, 3)), aejax.losses.bernoulli)
        ...     return objective, optax.adam(rate)
        >>> x = jax.random.uniform(jax.random.key(0), (64, 8))
        >>> states, measurements = aejax.training.fit_population(
        ...     make, x, hyperparameters=jnp.array([1e-3, 1e-2]), key=0, epochs=3)
        >>> measurements["reconstruction"].shape
        (2, 3)
    """
    members = _count_members(hyperparameters)
    at_once = _members_at_once(members_at_once, members)
    leaves, tree = jax.tree.flatten(hyperparameters)
    made = [make(tree.unflatten(values)) for values in zip(*leaves, strict=True)]
    for member in made:
        _check_member(member)
    objective, _ = made[0]
    keys, epochs = _member_keys(key, members), as_integer("epochs", epochs)
    params = jax.eval_shape(objective.model.init, keys[0])
    check_keep_best(keep_best, validation, history=())
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
    workers = _select_workers(devices, members, at_once)
    parts = _split((hyperparameters, keys), members, len(workers))
    shares = [
        jax.device_put((*part, data, validation), worker)
        for worker, part in zip(workers, parts, strict=True)
    ]
    options = {
        "epochs": epochs,
        "batch_size": batch_size,
        "patience": patience,
        "keep_best": keep_best,
        "members_at_once": -(-at_once // workers.count(workers[0])),
    }
    kinds = [(worker, len(share[1])) for worker, share in zip(workers, shares, strict=True)]
    by_kind = {
        kind: compile_ahead_of_time(_train_members, make, arguments=share, **options)
        for kind, share in dict(zip(kinds, shares, strict=True)).items()
    }
    programs = [by_kind[kind] for kind in kinds]
    check_memory(programs, workers, "train fewer members at a time (members_at_once)")
    with ThreadPoolExecutor(len(workers)) as pool:
        found = pool.map(lambda run, share: jax.block_until_ready(run(*share)), programs, shares)
        return jax.tree.map(_concatenate, *found)


# At module level, so that JAX caches the program.
@partial(
    jax.jit,
    static_argnums=0,
    static_argnames=("epochs", "batch_size", "patience", "keep_best", "members_at_once"),
)
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
    keep_best: bool,
    members_at_once: int,
) -> tuple[TrainState, Measurements]:
    def member(arguments: tuple[Any, Key]) -> tuple[TrainState, Measurements]:
        hyperparameters, key = arguments
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
            keep_best=keep_best,
        )

    arguments = hyperparameters, keys
    if members_at_once == 1:  # without the batched products of a batch of one
        return jax.lax.map(member, arguments)
    return jax.lax.map(member, arguments, batch_size=members_at_once)


def _check_member(member: Any) -> None:
    if not isinstance(member, tuple) or len(member) != 2:
        raise ValueError(f"make must return (objective, optimizer), got {type(member).__name__}")
    check_objective(member[0])
    check_optimizer(member[1])


def _member_keys(key: KeyLike | Keys, members: int) -> Keys:
    """Keys [members]: those given, or a single key split."""
    shape = getattr(key, "shape", None)
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and shape:
        if shape != (members,):
            raise ValueError(f"key must be one key or {members}, one per member, got {list(shape)}")
        return key
    return jax.random.split(typed_key(key), members)


def _count_members(hyperparameters: Any) -> int:
    lengths = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(hyperparameters)}
    if len(lengths) != 1 or lengths & {(), (0,)}:
        raise ValueError(
            "hyperparameters must be arrays with the same leading axis of members (convert lists "
            f"by numpy.asarray), got leading axes {sorted(lengths)}"
        )
    ((members,),) = lengths
    return members


def _members_at_once(given: SupportsIndex | None, members: int) -> int:
    if given is None:
        return members
    at_once = as_integer("members_at_once", given)
    check_range("members_at_once", at_once, 1, math.inf)
    return min(at_once, members)


def _select_workers(devices: Sequence[Any] | None, members: int, at_once: int) -> list[Any]:
    """One device per worker; a single CPU is repeated for each of its cores."""
    devices = jax.local_devices() if devices is None else list(devices)
    if not devices:
        raise ValueError("devices must be one or more, or None for all of this process, got none")
    if len(devices) == 1 and devices[0].platform == "cpu":
        return devices * max(1, min(os.cpu_count() or 1, at_once // _MIN_MEMBERS_PER_CORE))
    return devices[:members]


def _split(tree: Any, members: int, shares: int) -> list[Any]:
    """Split the members in order into shares of nearly equal size."""
    edges = [members * i // shares for i in range(shares + 1)]
    return [jax.tree.map(itemgetter(slice(*edge)), tree) for edge in pairwise(edges)]


def _concatenate(*parts: Array) -> Array:
    """Concatenate the shares of the members on the device of the first."""
    (device,) = parts[0].devices()
    return jnp.concatenate([jax.device_put(part, device) for part in parts])
