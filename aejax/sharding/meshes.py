"""Training on a mesh of devices: data, tensor and fully sharded data parallelism (FSDP).

A placement specifies shardings; XLA's SPMD partitioner divides the single-device program and
inserts the communication. Results do not change: means over the batch (ρ̂ of KL sparsity, batch
statistics) are those of the global batch, and random numbers are the same. A mesh has the axes
"data", which divides the examples of a batch, and "model", which divides the units of wide layers.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import jax
import numpy as np
import optax
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from aejax.objectives import Objective
from aejax.training import Placement, TrainState, init_state
from aejax.types import Array, Autoencoder, Code, Key, Params


def make_mesh(*, model: int = 1, devices: Sequence[Any] | None = None) -> Mesh:
    """Mesh of devices with axes "data" and "model", of shape [devices / model, model].

    Args:
        model: number of devices that share a wide layer, adjacent in the list of devices.
        devices: devices of the mesh (default: `jax.devices()`, those of all processes).

    Returns:
        The mesh.

    Raises:
        ValueError: if `model` does not divide the number of devices.
    """
    devices = jax.devices() if devices is None else list(devices)
    if model < 1 or len(devices) % model:
        raise ValueError(f"model must divide the number of devices, {len(devices)}, got {model}")
    return Mesh(np.reshape(devices, (-1, model)), ("data", "model"), (AxisType.Auto,) * 2)


def data_parallel(mesh: Mesh | AbstractMesh) -> Placement:
    """Data parallelism: parameters are replicated, and each batch is divided among the devices.

    Communication per step: one all-reduce of the gradient.

    Args:
        mesh: mesh with an axis "data"; an abstract mesh suffices for compilation.

    Returns:
        The placement, for `training.fit`.
    """
    return _placement(mesh, lambda _: P())


def tensor_parallel(mesh: Mesh | AbstractMesh, *, wide: int = 1024) -> Placement:
    """Tensor parallelism: layers of at least `wide` units are divided along the axis "model".

    A kernel [inputs, outputs] is split by columns if its outputs are wide, or else by rows if its
    inputs are; a bias is split like its outputs. Each device stores the kernels, biases and
    optimiser state of its units and computes their activations. Batches are divided along "data".

    Args:
        mesh: mesh with axes "data" and "model".
        wide: minimum number of units of a divided layer. A layer whose number of units is not a
            multiple of the size of "model" is not divided.

    Returns:
        The placement, for `training.fit`.

    Source: Shoeybi et al. 2019, §3.
    """
    devices = mesh.shape["model"]

    def spec(array: Array | jax.ShapeDtypeStruct) -> P:
        for axis in (array.ndim - 1, array.ndim - 2):  # outputs, then inputs
            if axis >= 0 and array.shape[axis] >= wide and array.shape[axis] % devices == 0:
                return P(*[None] * axis, "model")
        return P()

    return _placement(mesh, spec)


def fully_sharded(placement: Placement, *, least: int = 2**12) -> Placement:
    """Fully sharded data parallelism (FSDP): also divide parameters and optimiser state (ZeRO-3).

    Each large array is split along its longest unsharded axis that is divisible by the size of
    "data". Memory for parameters and optimiser state is divided by the number of devices.
    Communication per step: all-gathers of the parameters, and the reduction of the gradient.

    Args:
        placement: `data_parallel(mesh)` or `tensor_parallel(mesh)`.
        least: minimum number of elements of a divided array.

    Returns:
        The placement, for `training.fit`.

    Raises:
        ValueError: if the placement has no mesh.

    Source: Rajbhandari et al. 2020 (ZeRO, stage 3).
    """
    if not isinstance(placement.data, NamedSharding):
        raise ValueError("fully_sharded needs a placement on a mesh: data_parallel(make_mesh())")

    def array_sharding(array: Array | jax.ShapeDtypeStruct) -> NamedSharding:
        used = cast(NamedSharding, placement.array(array))
        spec = list(used.spec) + [None] * (array.ndim - len(used.spec))
        free = [
            axis
            for axis, name in enumerate(spec)
            if name is None and array.shape[axis] % placement.shares == 0
        ]
        if free and array.size >= least:
            spec[max(free, key=lambda axis: array.shape[axis])] = "data"
        return NamedSharding(used.mesh, P(*spec))

    return placement._replace(array=array_sharding)


def init_sharded(
    placement: Placement, objective: Objective, optimizer: optax.GradientTransformation, key: Key
) -> TrainState:
    """`training.init_state` that creates arrays sharded, so that no device stores the full state.

    Args:
        placement: shardings of the arrays.
        objective: objective with the model to initialise.
        optimizer: optax gradient transformation.
        key: PRNG key, split into the keys of the parameters and of the training run.

    Returns:
        A `TrainState` at step 0 of epoch 0, for `fit(state=…)`.
    """

    def init(key: Key) -> TrainState:
        return init_state(objective, optimizer, key)

    shardings = jax.tree.map(placement.array, jax.eval_shape(init, key))
    return jax.jit(init, out_shardings=shardings)(key)


def _placement(
    mesh: Mesh | AbstractMesh, spec: Callable[[Array | jax.ShapeDtypeStruct], P]
) -> Placement:
    """Placement with the partition specs of `spec` for stored and for used arrays."""
    shares = mesh.shape["data"]

    def array_sharding(array: Array | jax.ShapeDtypeStruct) -> NamedSharding:
        return NamedSharding(mesh, spec(array))

    def constrain(params: Params) -> Params:
        """Constrain parameters to `spec`, which gathers those of a fully sharded state."""
        return jax.lax.with_sharding_constraint(params, jax.tree.map(array_sharding, params))

    def divide_batch(tree: Code) -> Code:
        """Divide examples along "data" if possible; leave other axes to the partitioner."""

        def divide(array: Array) -> Array:
            if array.ndim == 0 or array.shape[0] % shares:
                return array
            rest = [P.UNCONSTRAINED] * (array.ndim - 1)
            return jax.lax.with_sharding_constraint(array, NamedSharding(mesh, P("data", *rest)))

        return jax.tree.map(divide, tree)

    def placed(model: Autoencoder) -> Autoencoder:
        def encode(params: Params, x: Array) -> Code:
            return divide_batch(model.encode(constrain(params), divide_batch(x)))

        def decode(params: Params, code: Code) -> Array:
            return divide_batch(model.decode(constrain(params), divide_batch(code)))

        return Autoencoder(model.init, encode, decode)

    return Placement(
        array_sharding, NamedSharding(mesh, P()), placed, shares, NamedSharding(mesh, P("data"))
    )
