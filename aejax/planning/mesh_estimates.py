"""Estimates of a step on a mesh from the shardings alone, to choose the meshes to compile."""

import math
from typing import Any, NamedTuple

from jax.sharding import NamedSharding

from aejax.planning.device_memory import bytes_on_a_device
from aejax.planning.ideal_communication import ideal_communication
from aejax.planning.targets import Chip
from aejax.repr_text import array_paths
from aejax.training import TrainState

PRODUCTS_PER_KERNEL = 3
"""The forward product of a kernel, and the gradients of its input and of itself."""


class Estimate(NamedTuple):
    """Estimate of a step of a dense autoencoder, on one device.

    state:   bytes of parameters and optimiser state.
    seconds: least seconds of the products, of the state read and written, and of the bytes sent:
             the largest of the three, at the peak rates of the chip; 0 if these are not known.
    """

    state: int
    seconds: float


def estimate_step(state: TrainState, chip: Chip, batch_size: int) -> Estimate:
    """Estimate a step; nothing is compiled.

    Args:
        state: shapes and shardings of the state, from `abstract_state`.
        chip: published figures of the chip.
        batch_size: number of examples of the step, of all devices.

    Returns:
        The estimate.
    """
    size = bytes_on_a_device(state)
    if not chip.operations:
        return Estimate(size, 0.0)
    operations = 0.0
    for kernel in array_paths(state.params).values():
        if kernel.ndim >= 2 and isinstance(kernel.sharding, NamedSharding):
            shares = kernel.sharding.mesh.shape["data"]
            operations += 2 * PRODUCTS_PER_KERNEL * _used(kernel) * batch_size / shares
    return Estimate(
        size,
        max(
            operations / chip.float32,
            2 * size / chip.bandwidth,
            ideal_communication(state.params, batch_size) / (chip.links or math.inf),
        ),
    )


def _used(kernel: Any) -> float:
    """Number of elements of a kernel that a device multiplies: its share along "model"."""
    parts = [part if isinstance(part, tuple) else (part,) for part in kernel.sharding.spec]
    is_split = any("model" in part for part in parts)
    return kernel.size / (kernel.sharding.mesh.shape["model"] if is_split else 1)
