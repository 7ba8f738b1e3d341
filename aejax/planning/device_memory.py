"""Memory of one device in a step: parameters, optimiser state, batch and temporaries."""

import math
from typing import Any, NamedTuple

import jax

from aejax.training import TrainState
from aejax.training.batches import Data


class DeviceMemory(NamedTuple):
    """Bytes of one device during a step.

    parameters:      parameters of the model.
    optimizer_state: state of the optimiser, and the counters of the state.
    examples:        examples of the batch, or of the epoch.
    temporaries:     activations, gradients and other values within the step.
    results:         results that reuse no memory of the arguments, such as measurements.
    code:            the program itself.
    """

    parameters: int
    optimizer_state: int
    examples: int
    temporaries: int
    results: int
    code: int

    @property
    def total(self) -> int:
        """Bytes that the step needs."""
        return sum(self)


def device_memory(
    program: jax.stages.Compiled | None, state: TrainState, data: Data
) -> DeviceMemory:
    """Divide the memory of a step among its uses.

    Args:
        program: compiled step; None if there is none, so that only its arguments count.
        state: shapes and shardings of the state.
        data: shapes and shardings of the examples.

    Returns:
        Bytes of one device, from the shardings and XLA's analysis.
    """
    parameters = bytes_on_a_device(state.params)
    rest, examples = bytes_on_a_device(state) - parameters, bytes_on_a_device(data)
    if program is None:
        return DeviceMemory(parameters, rest, examples, 0, 0, 0)
    analysis: Any = program.memory_analysis()
    return DeviceMemory(
        parameters,
        rest,
        examples,
        analysis.temp_size_in_bytes,
        analysis.output_size_in_bytes - analysis.alias_size_in_bytes,
        analysis.generated_code_size_in_bytes,
    )


def bytes_on_a_device(tree: Any) -> int:
    """Bytes of a tree's arrays that one device stores.

    Args:
        tree: tree of arrays, or of `jax.ShapeDtypeStruct`, with shardings.

    Returns:
        The number of bytes.
    """
    return sum(map(_shard_bytes, jax.tree.leaves(tree)))


def _shard_bytes(leaf: Any) -> int:
    if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        keys = jax.eval_shape(jax.random.key_data, leaf)
        return math.prod(keys.shape) * keys.dtype.itemsize
    shape = leaf.shape if leaf.sharding is None else leaf.sharding.shard_shape(leaf.shape)
    return math.prod(shape) * leaf.dtype.itemsize
