"""Training on a mesh of devices: data, tensor and fully sharded data parallelism (FSDP).

A placement specifies shardings; XLA's SPMD partitioner divides the single-device program and
inserts the communication. Results do not change: means over the batch (ρ̂ of KL sparsity, batch
statistics) are those of the global batch, and random numbers are the same. A mesh has the axes
"data", which divides the examples of a batch, and "model", which divides the units of wide layers.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import jax
import numpy as np
import optax
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from aejax.objectives import Objective
from aejax.sharding.example_exchange import scan_divided
from aejax.sharding.resharding import fills_tiles, reshard
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

    A kernel [inputs, outputs] is split along its wider side: by columns if it has more outputs than
    inputs, else by rows. So the units between a widening and a narrowing layer stay divided: those
    of a wide code are never gathered, and the output is summed once. Each device stores the
    kernels and optimiser state of its units and computes their activations; biases are whole.
    Batches are divided along "data".

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
        sides = range(array.ndim - 2, array.ndim) if array.ndim >= 2 else ()  # inputs, outputs
        for axis in sorted(sides, key=lambda axis: (array.shape[axis], axis), reverse=True):
            if array.shape[axis] >= wide and array.shape[axis] % devices == 0:
                return P(*[None] * axis, "model")
        return P()

    return _placement(mesh, spec)


def fully_sharded(placement: Placement, *, least: int = 2**12) -> Placement:
    """Fully sharded data parallelism (FSDP): also divide parameters and optimiser state (ZeRO-3).

    Each large array is split along an unsharded axis that is divisible by the size of "data": one
    whose parts fill whole tiles of a TPU if there is one, and of these the shortest. Memory for
    parameters and optimiser state is divided by the number of devices. Communication per step: an
    all-gather of each large parameter array, and a reduce-scatter of its gradient.

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
            spec[max(free, key=partial(_fitness, array.shape, placement.shares))] = "data"
        return NamedSharding(used.mesh, P(*spec))

    mesh, used = placement.data.mesh, cast(ArraySharding, placement.array)
    return placement._replace(
        array=array_sharding, model=_placed_model(mesh, used=used, stored=array_sharding)
    )


def _fitness(shape: tuple[int, ...], parts: int, axis: int) -> tuple[bool, int]:
    """Order of preference of an axis to split: whole tiles of a TPU, then the shortest axis."""
    return fills_tiles(shape, axis, parts), -shape[axis]


def placement_on(devices: Sequence[Any], *, model: int = 1, sharded: bool = False) -> Placement:
    """Placement on a mesh of devices: data parallel, and tensor parallel if `model` is above 1.

    Args:
        devices: devices of the mesh.
        model: number of devices that share each wide layer.
        sharded: whether parameters and optimiser state are divided along "data" too.

    Returns:
        The placement, for `training.fit`.

    Raises:
        ValueError: if `model` does not divide the number of devices.
    """
    mesh = make_mesh(model=model, devices=devices)
    placement = tensor_parallel(mesh) if model > 1 else data_parallel(mesh)
    return fully_sharded(placement) if sharded else placement


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

    def array_sharding(array: Array | jax.ShapeDtypeStruct) -> NamedSharding:
        return NamedSharding(mesh, spec(array))

    return Placement(
        array_sharding,
        NamedSharding(mesh, P()),
        _placed_model(mesh, used=array_sharding, stored=array_sharding),
        mesh.shape["data"],
        NamedSharding(mesh, P("data")),
        scan_divided(mesh),
    )


ArraySharding = Callable[[Array | jax.ShapeDtypeStruct], NamedSharding]
"""Array, or its shape and dtype -> sharding."""


def _placed_model(
    mesh: Mesh | AbstractMesh, *, used: ArraySharding, stored: ArraySharding
) -> Callable[[Autoencoder], Autoencoder]:
    """Add sharding constraints to a model whose parameters are used with another sharding."""
    shares = mesh.shape["data"]

    def constrain(params: Params) -> Params:
        """Constrain parameters to the sharding of their use, their gradients to the stored one."""
        return jax.tree.map(
            lambda array: reshard(array, used=used(array), stored=stored(array)), params
        )

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

    return placed
