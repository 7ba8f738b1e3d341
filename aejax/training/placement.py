"""Where the arrays of a training lie: what `fit` must know of devices, and no more."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Sharding

from aejax.objectives import Objective
from aejax.training.steps import TrainState
from aejax.types import Array, Autoencoder, Batch, BatchLike


class Placement(NamedTuple):
    """Where each array lies; `aejax.sharding` makes those of meshes. None means JAX's default.

    array:  an array of the state, or its shape and dtype -> its sharding.
    data:   sharding of the whole data and of measurements: a copy on every device.
    model:  a model -> the same, which holds parameters, inputs, codes and outputs to their places.
    shares: among how many devices the examples of a batch are divided.
    batch:  sharding of the examples of a batch that is read by itself.
    """

    array: Callable[[Array | jax.ShapeDtypeStruct], Sharding | None]
    data: Sharding | None
    model: Callable[[Autoencoder], Autoencoder]
    shares: int
    batch: Sharding | None = None


ONE_DEVICE = Placement(lambda _: None, None, lambda model: model, shares=1)
"""Everything on JAX's default device."""


def place_state(placement: Placement, state: TrainState) -> TrainState:
    """A copy of a state, each array where the placement wants it.

    Args:
        placement: where.
        state: anywhere.

    Returns:
        The copy; none of its buffers are the state's own.
    """
    return jax.tree.map(lambda leaf: put_array(leaf, placement.array(leaf)), copy_state(state))


def copy_state(state: TrainState) -> TrainState:
    """A copy of a state, each array where it is; nothing is compiled for what lies in this process.

    Args:
        state: anywhere.

    Returns:
        The copy; none of its buffers are the state's own.
    """

    def copy(leaf: Array) -> Array:
        array = jnp.asarray(leaf)
        if not array.is_fully_addressable:  # device_put copies only what this process can reach
            return jnp.copy(array)
        return jax.device_put(array, array.sharding, may_alias=False)

    return jax.tree.map(copy, state)


def put_array(array: Array | np.ndarray, place: Sharding | None) -> Array:
    """An array in its place, on devices of this process and of others.

    Args:
        array: the whole of it, the same in every process; or already in its place.
        place: its sharding; None means JAX's default.

    Returns:
        The array there, of which this process holds what its devices hold.
    """
    if place is None or place.is_fully_addressable:
        return jax.device_put(array, place)
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(put_array(jax.random.key_data(array), place))
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return array
    values = np.asarray(array)
    return jax.make_array_from_callback(values.shape, place, lambda part: values[part])


def put_batch(
    read: Callable[[np.ndarray], BatchLike], rows: np.ndarray, placement: Placement
) -> Batch:
    """Read a batch into its place: each process reads what its devices hold, and no more.

    Args:
        read: numbers of examples -> these.
        rows: of the whole batch, the same in every process.
        placement: where. A batch that its devices cannot share lies whole on each.

    Returns:
        The whole batch, of which this process holds what its devices hold.
    """
    if placement.batch is None:
        return jax.device_put(read(rows))
    place = placement.data if len(rows) % placement.shares else placement.batch
    assert place is not None
    (mine,) = zip(*place.addressable_devices_indices_map(rows.shape).values(), strict=True)
    parts = [part.indices(len(rows)) for part in mine]
    start, stop = min(part[0] for part in parts), max(part[1] for part in parts)

    def whole(local: np.ndarray) -> Array:
        shape = (len(rows), *local.shape[1:])
        return jax.make_array_from_process_local_data(place, local, shape)

    return jax.tree.map(whole, read(rows[start:stop]))


def place_objective(placement: Placement, objective: Objective) -> Objective:
    """The same objective, whose model holds its arrays to their places.

    Args:
        placement: where.
        objective: any.

    Returns:
        It, with the placement's model.
    """
    return replace(objective, model=placement.model(objective.model))


def constrain_results(
    placement: Placement, state: TrainState, measurements: Any
) -> tuple[TrainState, Any]:
    """The results of a compiled epoch, held to their places.

    Args:
        placement: where.
        state: within `jit`.
        measurements: within `jit`, a tree of them.

    Returns:
        Both, unchanged.
    """

    def hold(array: Array, place: Sharding | None) -> Array:
        return array if place is None else jax.lax.with_sharding_constraint(array, place)

    return (
        jax.tree.map(lambda array: hold(array, placement.array(array)), state),
        jax.tree.map(lambda array: hold(array, placement.data), measurements),
    )
