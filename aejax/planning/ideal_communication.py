"""Bytes that a device must send in a step at least, if all values are float32."""

from typing import Any

import jax
from jax.sharding import NamedSharding

from aejax.repr_text import array_paths
from aejax.types import Params

FIRST_LAYER = "encoder/layer_0/"
"""Path of the layer that reads the data, whose gradient no layer needs."""


def ideal_communication(params: Params, batch_size: int) -> float:
    """Bytes that each device must send in a step of a dense autoencoder, with ring algorithms.

    The gradients of the parameters that a device uses are summed over the axis "data", which costs
    2(n−1)/n of their bytes: one all-reduce, or a reduce-scatter and an all-gather of the updated
    parameters. If a kernel is split over the axis "model", its row-split outputs and the gradients
    of its column-split inputs (except of the data) are summed too, which costs 2(m−1)/m of their
    bytes.

    Args:
        params: parameters, or their shapes, with shardings on a mesh with axes "data" and "model",
            or one of them.
        batch_size: number of examples of the step, of all devices.

    Returns:
        The number of bytes; 0 for parameters on a single device.

    Source: Shoeybi et al. 2019, §3; Rajbhandari et al. 2020.
    """
    return sum(
        _bytes_of_array(path, array, batch_size) for path, array in array_paths(params).items()
    )


def _bytes_of_array(path: str, array: Any, batch_size: int) -> float:
    sharding = array.sharding
    if not isinstance(sharding, NamedSharding):
        return 0.0
    n, m = (sharding.mesh.shape.get(axis, 1) for axis in ("data", "model"))
    spec = [*sharding.spec, *[None] * (array.ndim - len(sharding.spec))]
    split = ["model" in (part if isinstance(part, tuple) else (part,)) for part in spec]
    itemsize = jax.dtypes.canonicalize_dtype(array.dtype).itemsize
    gradient = 2 * (n - 1) / n * array.size / (m if any(split) else 1)
    activations = 0
    if array.ndim == 2 and any(split):
        inputs, outputs = array.shape
        if split[0]:
            activations = outputs
        elif not path.startswith(FIRST_LAYER):
            activations = inputs
    return itemsize * (gradient + 2 * (m - 1) / m * activations * batch_size / n)
