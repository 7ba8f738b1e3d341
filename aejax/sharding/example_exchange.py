"""Batches of examples that are divided among devices: an exact all-to-all exchange.

Any order of the examples is possible, so that of one device is kept: the devices exchange the
examples of the next steps in buffers of a static size. The number of examples that one device needs
from another is random; where it exceeds a buffer, the exchange is repeated until all have arrived.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, Mesh
from jax.sharding import PartitionSpec as P

from aejax.training.batches import (
    Data,
    DividedData,
    Scan,
    scan_batches,
    scan_examples,
)
from aejax.types import Array, Batch

EXCHANGE_BYTES = 2**22
"""Size of the examples that a device receives in one exchange, for as many steps as fit into it."""


def scan_divided(mesh: Mesh | AbstractMesh) -> Scan:
    """Scan over the batches of `DividedData`, as `scan_examples` does over those of a `Batch`.

    The batches are bitwise those of one device. Examples are exchanged for a group of steps at a
    time, before its first step; the steps themselves communicate no examples.

    Args:
        mesh: mesh with an axis "data", along which the examples are divided.

    Returns:
        The scan, for `Placement`.
    """

    def scan(
        function: Callable[[Any, Batch], tuple[Any, Any]],
        carry: Any,
        data: Data,
        order: Array,
        batch_size: int,
    ) -> tuple[Any, Any]:
        if isinstance(data, Batch):  # fewer examples than devices
            return scan_examples(function, carry, data, order, batch_size)

        def run_group(carry: Any, indices: Array) -> tuple[Any, Any]:
            batches = exchange(mesh, data, indices.reshape(-1, min(batch_size, len(indices))))
            return jax.lax.scan(function, carry, batches)

        steps, last = divmod(len(order), batch_size)
        group = steps_per_exchange(data, steps, batch_size, mesh.shape["data"]) * batch_size
        full = len(order) - last
        groups, measured = full - full % group, []
        parts = ((0, groups, group), (groups, full - groups, full - groups), (full, last, last))
        for start, count, size in parts:
            if count:
                carry, found = scan_batches(run_group, carry, order[start : start + count], size)
                measured.append(jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found))
        return carry, jax.tree.map(lambda *steps: jnp.concatenate(steps), *measured)

    return scan


def steps_per_exchange(data: DividedData, steps: int, batch_size: int, devices: int) -> int:
    """Number of steps whose examples are exchanged together, at least 1.

    Args:
        data: the examples.
        steps: number of steps with full batches.
        batch_size: number of examples per step.
        devices: number of devices that share a batch.

    Returns:
        The number for which a device receives about `EXCHANGE_BYTES`, its indices included; if
        possible a divisor of the number of full steps, so that one program serves all groups.
    """
    rows = jax.tree.leaves(data.blocks)
    bytes_per_example = sum(math.prod(row.shape[1:]) * row.dtype.itemsize for row in rows)
    indices = 2 * devices * jnp.dtype(jnp.int32).itemsize
    share = -(-batch_size // devices)
    most = max(1, min(steps, EXCHANGE_BYTES // (share * (bytes_per_example + indices))))
    return next((size for size in range(most, most // 2, -1) if steps % size == 0), most)


def exchange(mesh: Mesh | AbstractMesh, data: DividedData, indices: Array) -> Batch:
    """Select examples, and divide those of each step among the devices.

    Args:
        mesh: mesh with an axis "data" of n devices.
        data: the examples, divided along this axis.
        indices: indices of the examples, [steps, batch].

    Returns:
        The examples, [steps, batch, …]. Device d stores the d-th part of each batch, or all of it
        if n does not divide the batch.
    """
    devices = mesh.shape["data"]
    steps, batch = indices.shape
    share = -(-batch // devices)
    # A batch that n does not divide is filled up with example 0, which is removed again below.
    filled = jnp.pad(indices, ((0, 0), (0, devices * share - batch)))
    wanted = filled.reshape(steps, devices, share).swapaxes(0, 1).reshape(devices, -1)
    is_shared = batch == devices * share

    def receive(blocks: Batch, rest: Batch | None, wanted: Array) -> Batch:
        def arranged(x: Array) -> Array:
            x = x.reshape(steps, share, *x.shape[1:])
            if is_shared:
                return x
            return jax.lax.all_gather(x, "data", axis=1, tiled=True)[:, :batch]

        return jax.tree.map(arranged, _receive(DividedData(blocks, rest), wanted))

    return jax.shard_map(
        receive,
        mesh=mesh,
        in_specs=(P("data"), P(), P()),
        out_specs=P(None, "data") if is_shared else P(),
        check_vma=False,
    )(*data, wanted)


def buffer_size(examples: int, devices: int) -> int:
    """Number of examples that a device sends to each other device in one round of an exchange.

    In a random order, a device needs a binomial number of examples from another, of mean μ =
    examples / devices. The largest of all devices² numbers is about μ + √(4μ log devices).

    Args:
        examples: number of examples that each device needs.
        devices: number of devices.

    Returns:
        The number, so that one round usually suffices.
    """
    mean = examples / devices
    return min(examples, math.ceil(mean + math.sqrt(4 * mean * math.log(devices))) + 1)


def _receive(data: DividedData, wanted: Array) -> Batch:
    """Examples that this device needs, of the indices that each device needs, [devices, m]."""
    devices, m = wanted.shape
    here = jax.lax.axis_index("data")
    length = data.blocks.x.shape[0]
    owner, row = wanted // length, wanted % length
    source = owner[here]  # at least `devices` for the rest, which all devices store
    sent = jnp.cumsum(owner == here, axis=1)
    received = jnp.cumsum(source == jnp.arange(devices)[:, None], axis=1)
    rank = jnp.take_along_axis(received, jnp.minimum(source, devices - 1)[None], axis=0)[0] - 1
    size = buffer_size(m, devices)

    def exchange_round(index: Array, examples: Batch) -> Batch:
        ranks = index * size + 1 + jnp.arange(size)
        positions = jax.vmap(lambda counts: jnp.searchsorted(counts, ranks))(sent)
        rows = jnp.take_along_axis(row, jnp.minimum(positions, m - 1), axis=1)
        arrives = (source < devices) & (rank // size == index)

        def update(block: Array, examples: Array) -> Array:
            arrived = jax.lax.all_to_all(block[rows], "data", 0, 0)
            found = arrived[jnp.minimum(source, devices - 1), rank % size]
            return jnp.where(jnp.expand_dims(arrives, range(1, block.ndim)), found, examples)

        return jax.tree.map(update, data.blocks, examples)

    if data.rest is None:
        start = jax.tree.map(lambda x: jnp.zeros((m, *x.shape[1:]), x.dtype), data.blocks)
    else:
        last = jnp.maximum(wanted[here] - devices * length, 0)
        start = jax.tree.map(lambda x: x[last], data.rest)
    rounds = -(-jax.lax.pmax(jnp.max(sent[:, -1]), "data") // size)
    return jax.lax.fori_loop(0, rounds, exchange_round, start)
