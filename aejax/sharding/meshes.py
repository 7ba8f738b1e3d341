"""Training on a mesh of devices: data parallel, fully sharded, tensor parallel.

A placement says where arrays lie; XLA's partitioner divides the one program that a single device
runs, and adds the communication. Nothing else changes: sums and means over the batch (ρ̂ of the KL
penalty, batch statistics) are those of the whole batch, and the random numbers are the same. A
mesh has two named axes: "data" divides the examples of a batch, "model" the units of wide layers.
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
    """A mesh of all devices, of every process: [devices / model, model], "data" and "model".

    Args:
        model: devices among which wide layers are divided; neighbours in the list of devices.
        devices: which; `jax.devices()` unless given.

    Returns:
        The mesh.

    Raises:
        ValueError: where `model` does not divide the number of devices.
    """
    devices = jax.devices() if devices is None else list(devices)
    if model < 1 or len(devices) % model:
        raise ValueError(f"model must divide the number of devices, {len(devices)}, got {model}")
    return Mesh(np.reshape(devices, (-1, model)), ("data", "model"), (AxisType.Auto,) * 2)


def data_parallel(mesh: Mesh | AbstractMesh) -> Placement:
    """Every device holds all parameters and its share of each batch.

    A step sums the gradients over the devices: one all-reduce of as many numbers as there are
    parameters.

    Args:
        mesh: with an axis "data"; an abstract one does to compile for.

    Returns:
        The placement, for `training.fit`.
    """
    return _placement(mesh, lambda _: P())


def tensor_parallel(mesh: Mesh | AbstractMesh, *, wide: int = 1024) -> Placement:
    """Layers of at least `wide` units are divided along the mesh's axis "model".

    A kernel [inputs, outputs] is split by columns where its outputs are wide, else by rows where
    its inputs are; a bias goes with its outputs. Each device holds its units' kernels, biases and
    optimiser state, and computes its units' activations. The batch is divided along "data".

    Args:
        mesh: with axes "data" and "model".
        wide: fewest units of a layer that is divided; so must "model" divide its units.

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
    """Parameters and optimiser state divided along "data" as well, and gathered where used.

    Each large array is split along its longest axis that "data" divides and that the placement
    leaves whole. The memory of parameters and optimiser state falls with the number of devices;
    a step gathers the parameters besides summing the gradients.

    Args:
        placement: `data_parallel(mesh)` or `tensor_parallel(mesh)`.
        least: fewest elements of an array that is worth dividing.

    Returns:
        The placement, for `training.fit`.

    Raises:
        ValueError: for a placement that is on no mesh.

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
    """`training.init_state` whose arrays are born in their places: no device ever holds it whole.

    Args:
        placement: where the arrays lie.
        objective: gives the model whose parameters are drawn.
        optimizer: any optax gradient transformation.
        key: split into the key of the parameters and the key of the training.

    Returns:
        A `TrainState` at step 0 of epoch 0, for `fit(state=…)`.
    """

    def start(key: Key) -> TrainState:
        return init_state(objective, optimizer, key)

    places = jax.tree.map(placement.array, jax.eval_shape(start, key))
    return jax.jit(start, out_shardings=places)(key)


def _placement(
    mesh: Mesh | AbstractMesh, spec: Callable[[Array | jax.ShapeDtypeStruct], P]
) -> Placement:
    """A placement whose arrays lie as `spec` says both where they are kept and where used."""
    shares = mesh.shape["data"]

    def array_sharding(array: Array | jax.ShapeDtypeStruct) -> NamedSharding:
        return NamedSharding(mesh, spec(array))

    def used(params: Params) -> Params:
        """As `spec` says, gathered from wherever a fully sharded state keeps them."""
        return jax.lax.with_sharding_constraint(params, jax.tree.map(array_sharding, params))

    def divided(tree: Code) -> Code:
        """Examples over "data", all else as the partitioner likes; a tail stays as it is."""

        def divide(array: Array) -> Array:
            if array.ndim == 0 or array.shape[0] % shares:
                return array
            rest = [P.UNCONSTRAINED] * (array.ndim - 1)
            return jax.lax.with_sharding_constraint(array, NamedSharding(mesh, P("data", *rest)))

        return jax.tree.map(divide, tree)

    def placed(model: Autoencoder) -> Autoencoder:
        def encode(params: Params, x: Array) -> Code:
            return divided(model.encode(used(params), divided(x)))

        def decode(params: Params, code: Code) -> Array:
            return divided(model.decode(used(params), divided(code)))

        return Autoencoder(model.init, encode, decode)

    return Placement(
        array_sharding, NamedSharding(mesh, P()), placed, shares, NamedSharding(mesh, P("data"))
    )
