"""Accumulated gradients on a mesh: each device sums over its own parts, then all devices once."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from aejax.training.gradients import Accumulated, Gradient, Value, sum_over_parts
from aejax.training.placement import Placement
from aejax.types import Array, Batch, Key, Params


def place_gradient(placement: Placement, gradient_of: Gradient) -> Gradient:
    """Let each device accumulate the gradient over parts among its own examples.

    Gradients of arrays that every device stores whole are summed over the devices after the last
    part. An array that is divided among them is gathered, and its gradient reduced and scattered,
    for each part: otherwise every device would store all of it and of its gradient from the first
    part to the last, the memory of which the division saves.

    Args:
        placement: placement of the arrays.
        gradient_of: computation of the gradient.

    Returns:
        The computation on the devices of the placement. It is `gradient_of` itself if this does not
        accumulate, or a batch is not shared. So is the computation for a batch of which some device
        would have a smaller part.
    """
    if not isinstance(gradient_of, Accumulated) or not isinstance(placement.batch, NamedSharding):
        return gradient_of
    part_size = gradient_of.part_size

    def gradient(
        objective: Value, params: Params, batch: Batch, key: Key
    ) -> tuple[tuple[Array, Any], Params]:
        if batch.x.shape[0] % (placement.shares * part_size):
            return gradient_of(objective, params, batch, key)
        return _sum_on_devices(placement, objective, params, batch, key, part_size)

    return gradient


def _sum_on_devices(
    placement: Placement, objective: Value, params: Params, batch: Batch, key: Key, part_size: int
) -> tuple[tuple[Array, Any], Params]:
    assert isinstance(placement.batch, NamedSharding)
    axes = placement.batch.spec[0]
    divided = jax.tree.map(lambda array: _divided_axis(placement, array, axes), params)
    specs = jax.tree.map(lambda axis: P() if axis < 0 else P(*[None] * axis, axes), divided)

    def gathered(params: Params, part: Batch, key: Key) -> tuple[Array, Any]:
        if max(jax.tree.leaves(divided)) >= 0:  # keep XLA from gathering once, before the loop
            params, x = jax.lax.optimization_barrier((params, part.x))
            part = part._replace(x=x)
        whole = jax.tree.map(
            lambda array, axis: (
                array if axis < 0 else jax.lax.all_gather(array, axes, axis=axis, tiled=True)
            ),
            params,
            divided,
        )
        return objective(whole, part, key)

    def on_device(
        first_part: Array, params: Params, batch: Batch, key: Key
    ) -> tuple[tuple[Array, Any], Params]:
        means, gradient = sum_over_parts(
            gathered, params, batch, key, part_size=part_size, first_part=first_part[0]
        )
        own = jax.tree.map(lambda axis, sum_: sum_ if axis < 0 else None, divided, gradient)
        means, own = jax.lax.pmean((means, own), axes)  # in one all-reduce
        mean = jax.tree.map(
            lambda axis, sum_, mean: mean if axis < 0 else sum_ / placement.shares,
            divided,
            gradient,
            own,
        )
        return means, mean

    parts = jnp.arange(batch.x.shape[0] // part_size, dtype=jnp.int32)
    return jax.shard_map(
        on_device,
        mesh=placement.batch.mesh,
        in_specs=(P(axes), specs, P(axes), P()),
        out_specs=(P(), specs),
        axis_names={axes} if isinstance(axes, str) else set(axes),
        check_vma=False,
    )(parts, params, batch, key)


def _divided_axis(placement: Placement, array: Array, axes: Any) -> int:
    """Axis of an array that is divided as the examples are; −1 if there is none."""
    sharding = placement.array(array)
    assert isinstance(sharding, NamedSharding)
    return sharding.spec.index(axes) if axes in tuple(sharding.spec) else -1
