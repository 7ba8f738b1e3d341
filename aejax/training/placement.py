"""Placement of arrays on devices: the part of sharding that training depends on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Sharding

from aejax.objectives import Objective
from aejax.training.batches import Data, DividedData, Scan, scan_examples
from aejax.training.steps import TrainState
from aejax.types import Array, Autoencoder, Batch, BatchLike


class Placement(NamedTuple):
    """Shardings of all arrays of a training run; `aejax.sharding` creates them for meshes.

    A sharding of None means JAX's default device.

    array:  array of the state, or its shape and dtype -> sharding.
    data:   sharding of arrays that every device stores: measurements, and the rest of the data.
    model:  model -> model with sharding constraints on parameters, inputs, codes and outputs.
    shares: number of devices that share the examples of a batch.
    batch:  sharding of examples that the devices share: those of the data set, or of a batch of a
            stream.
    scan:   scan over the batches of data that `put_data` has divided.
    """

    array: Callable[[Array | jax.ShapeDtypeStruct], Sharding | None]
    data: Sharding | None
    model: Callable[[Autoencoder], Autoencoder]
    shares: int
    batch: Sharding | None = None
    scan: Scan = scan_examples


ONE_DEVICE = Placement(lambda _: None, None, lambda model: model, shares=1)
"""All arrays on JAX's default device."""


def place_state(placement: Placement, state: TrainState) -> TrainState:
    """Copy a state to the devices of a placement.

    Args:
        placement: target placement.
        state: state on any devices.

    Returns:
        The copy, which shares no buffers with the state.
    """
    return jax.tree.map(lambda leaf: put_array(leaf, placement.array(leaf)), copy_state(state))


def copy_state(state: TrainState) -> TrainState:
    """Copy a state on its own devices, without compilation if they are all local.

    Args:
        state: state on any devices.

    Returns:
        The copy, which shares no buffers with the state.
    """

    def copy(leaf: Array | np.ndarray | float) -> Array:  # a user's init may return any of these
        array = jnp.asarray(leaf)
        if not array.is_fully_addressable:  # device_put needs addressable arrays
            return jnp.copy(array)
        return jax.device_put(array, array.sharding, may_alias=False)

    return jax.tree.map(copy, state)


def put_array(array: Array | np.ndarray, place: Sharding | None) -> Array:
    """Transfer an array to a sharding, which may span several processes.

    Args:
        array: complete array, identical in every process; or a global array on the same devices.
        place: target sharding; None for JAX's default.

    Returns:
        The global array, of which this process stores the shards of its devices.

    Raises:
        ValueError: if a global array is on other devices.
    """
    if place is None or place.is_fully_addressable:
        return jax.device_put(array, place)
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(put_array(jax.random.key_data(array), place))
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return _reshard(array, place)
    values = np.asarray(array)
    return jax.make_array_from_callback(values.shape, place, lambda part: values[part])


def _reshard(array: Array, place: Sharding) -> Array:
    if array.sharding.is_equivalent_to(place, array.ndim):
        return array
    if array.sharding.device_set != place.device_set:
        raise ValueError(
            f"an array of shape {list(array.shape)} is divided among {len(array.devices())} "
            f"devices, expected the {len(place.device_set)} of the placement: divide it with the "
            "mesh of the placement"
        )
    return jax.jit(lambda array: array, out_shardings=place)(array)


def put_data(placement: Placement, data: Batch) -> Data:
    """Transfer all examples to the devices of a placement, divided among those that share a batch.

    Args:
        placement: target placement.
        data: all examples, identical in every process; or global arrays, of which each process
            stores the shards of its devices.

    Returns:
        `DividedData`, of which a device stores one block; or a `Batch` on every device, if a batch
        is not shared or there are fewer examples than devices.

    Raises:
        ValueError: if global arrays are on other devices than those of the placement.
    """
    examples = data.x.shape[0]
    if placement.data is None:
        _check_one_device(data)
    divided = count_divided(placement, examples)
    if not divided:
        return jax.tree.map(lambda array: put_array(array, placement.data), data)

    if divided == examples:
        return DividedData(
            jax.tree.map(lambda array: put_array(array, placement.batch), data), None
        )
    return DividedData(
        jax.tree.map(lambda array: put_array(array[:divided], placement.batch), data),
        jax.tree.map(lambda array: put_array(array[divided:], placement.data), data),
    )


def count_divided(placement: Placement, examples: int) -> int:
    """Number of examples that `put_data` divides into blocks; the rest is on every device.

    Args:
        placement: placement of the arrays.
        examples: number of all examples.

    Returns:
        The number; 0 if a batch is not shared or there are fewer examples than devices.
    """
    return 0 if placement.shares == 1 else examples - examples % placement.shares


def _check_one_device(data: Batch) -> None:
    """Raise ValueError if the user has divided the data, but trains on one device."""
    for array in jax.tree.leaves(data):
        if isinstance(array, jax.Array) and len(array.devices()) > 1:
            raise ValueError(
                f"the data are on {len(array.devices())} devices, but training is on one: give "
                "placement=sharding.data_parallel(mesh)"
            )


def put_batch(
    read: Callable[[np.ndarray], BatchLike], rows: np.ndarray, placement: Placement
) -> Batch:
    """Read a batch and place it; each process reads only the shards of its devices.

    Args:
        read: indices -> examples.
        rows: indices of the complete batch, [batch], identical in every process.
        placement: target placement. A batch that `shares` does not divide is replicated.

    Returns:
        The global batch, of which this process stores the shards of its devices.
    """
    if placement.batch is None:
        return jax.device_put(read(rows))
    place = placement.data if len(rows) % placement.shares else placement.batch
    assert place is not None
    (mine,) = zip(*place.addressable_devices_indices_map(rows.shape).values(), strict=True)
    parts = [part.indices(len(rows)) for part in mine]
    start, stop = min(part[0] for part in parts), max(part[1] for part in parts)

    def global_array(local: np.ndarray) -> Array:
        shape = (len(rows), *local.shape[1:])
        return jax.make_array_from_process_local_data(place, local, shape)

    return jax.tree.map(global_array, read(rows[start:stop]))


def place_objective(placement: Placement, objective: Objective) -> Objective:
    """Add the sharding constraints of a placement to the model of an objective.

    Args:
        placement: placement of the arrays.
        objective: any objective.

    Returns:
        The objective with the constrained model. Within `jax.shard_map`, where a device computes on
        its own arrays, the constraints do not apply.
    """
    model, placed = objective.model, placement.model(objective.model)
    if placed is model:
        return objective

    def current() -> Autoencoder:
        return model if jax.sharding.get_abstract_mesh().manual_axes else placed

    chosen = Autoencoder(
        model.init,
        lambda params, x: current().encode(params, x),
        lambda params, code: current().decode(params, code),
    )
    return replace(objective, model=chosen)


def constrain_results(
    placement: Placement, state: TrainState, measurements: Any
) -> tuple[TrainState, Any]:
    """Constrain the results of a jitted epoch to their shardings.

    Args:
        placement: placement of the arrays.
        state: traced state.
        measurements: tree of traced measurements.

    Returns:
        State and measurements, with unchanged values.
    """

    def constrain(array: Array, place: Sharding | None) -> Array:
        return array if place is None else jax.lax.with_sharding_constraint(array, place)

    return (
        jax.tree.map(lambda array: constrain(array, placement.array(array)), state),
        jax.tree.map(lambda array: constrain(array, placement.data), measurements),
    )
