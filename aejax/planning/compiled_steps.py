"""Compilation of the programs that `fit` runs, for devices that need not be at hand."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import optax
from jax.sharding import SingleDeviceSharding

from aejax.batch_inputs import as_batch, check_lengths
from aejax.objectives import Objective
from aejax.training import Gradient, Placement, TrainState, init_state, whole_batch
from aejax.training.batches import Data, DividedData
from aejax.training.fitting import check_shardable, epoch_program
from aejax.training.placement import count_divided
from aejax.training.streaming import steps_program
from aejax.types import Array, Batch, BatchLike

_OUT_OF_MEMORY = re.compile(r"RESOURCE_EXHAUSTED|out of memory|HbmOom", re.IGNORECASE)
_SIZE = r"(?P<{0}>[\d.]+)(?P<{0}_unit>[KMGT])"
_NEEDED, _AVAILABLE = _SIZE.format("needed"), _SIZE.format("available")
# The messages of several versions of libtpu.
_SIZES = (
    re.compile(rf"\({_NEEDED}\) exceeds available HBM \({_AVAILABLE}\)"),
    re.compile(rf"Used {_NEEDED} of {_AVAILABLE} hbm"),
)
CACHED_SECONDS = "jax_persistent_cache_min_compile_time_secs"
"""JAX's configuration option: minimum compile time of a program that is cached."""

_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class DoesNotFit(NamedTuple):
    """Refusal of a program by the compiler.

    needed:    bytes that the program needs, None if the message does not say.
    available: bytes that the device has, likewise.
    message:   first line of the compiler's message.
    """

    needed: int | None
    available: int | None
    message: str


def one_device(devices: Sequence[Any]) -> Placement:
    """Placement of all arrays on the first device.

    Args:
        devices: devices of a target.

    Returns:
        The placement.
    """
    place = SingleDeviceSharding(devices[0])
    return Placement(lambda _: place, place, lambda model: model, shares=1)


def abstract_state(
    objective: Objective, optimizer: optax.GradientTransformation, placement: Placement
) -> TrainState:
    """Shapes, dtypes and shardings of the state of a training run; nothing is computed.

    Args:
        objective: objective to minimise.
        optimizer: optax gradient transformation.
        placement: placement of the arrays.

    Returns:
        A `TrainState` of `jax.ShapeDtypeStruct`.
    """
    state = jax.eval_shape(lambda key: init_state(objective, optimizer, key), jax.random.key(0))
    return jax.tree.map(lambda leaf: _placed(leaf, placement.array(leaf)), state)


def abstract_batch(data: BatchLike, examples: int, sharding: Any) -> Batch:
    """Shapes and dtypes of a number of examples with a sharding.

    Args:
        data: examples, or their shapes as `jax.ShapeDtypeStruct`.
        examples: number of examples.
        sharding: sharding of each array.

    Returns:
        A `Batch` of `jax.ShapeDtypeStruct`.
    """
    batch = as_batch(data)
    check_lengths(batch)
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            (examples, *leaf.shape[1:]),
            jax.dtypes.canonicalize_dtype(leaf.dtype),
            sharding=sharding,
        ),
        batch,
    )


def step_examples(data: BatchLike, batch_size: int, placement: Placement) -> Batch:
    """Shapes, dtypes and shardings of the examples of a step of `fit_stream`: its batch.

    Args:
        data: examples, or their shapes.
        batch_size: number of examples of the step.
        placement: placement of the arrays.

    Returns:
        A `Batch` of `jax.ShapeDtypeStruct`.
    """
    sharding = placement.data if placement.batch is None else placement.batch
    return abstract_batch(data, batch_size, sharding)


def epoch_examples(data: BatchLike, placement: Placement) -> Data:
    """Shapes, dtypes and shardings of the examples of an epoch of `fit`: all of them.

    Args:
        data: examples, or their shapes.
        placement: placement of the arrays.

    Returns:
        `jax.ShapeDtypeStruct` in the form in which `put_data` divides the examples.
    """
    examples = as_batch(data).x.shape[0]
    divided = count_divided(placement, examples)
    if not divided:
        return abstract_batch(data, examples, placement.data)
    return DividedData(
        abstract_batch(data, divided, placement.batch),
        abstract_batch(data, examples - divided, placement.data) if divided < examples else None,
    )


def compile_step(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: BatchLike,
    *,
    batch_size: int,
    placement: Placement,
    gradient_of: Gradient = whole_batch,
) -> jax.stages.Compiled | DoesNotFit:
    """Compile one step of `fit_stream`, which has only its batch on the devices.

    Args:
        objective: objective to minimise.
        optimizer: optax gradient transformation.
        data: examples, or their shapes as `jax.ShapeDtypeStruct`.
        batch_size: number of examples of the step.
        placement: placement of the arrays on the devices for which the step is compiled.
        gradient_of: computation of the gradient.

    Returns:
        The program, or the compiler's refusal if it does not fit into a device's memory.

    Raises:
        ValueError: if the batch size is not a multiple of the devices that share a batch.
    """
    check_shardable(batch_size, placement)
    return _compiled(
        steps_program.lower(
            objective,
            optimizer,
            abstract_state(objective, optimizer, placement),
            step_examples(data, batch_size, placement),
            batch_size=batch_size,
            gradient_of=gradient_of,
            placement=placement,
        )
    )


def compile_epoch(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: BatchLike,
    *,
    batch_size: int,
    placement: Placement,
    gradient_of: Gradient = whole_batch,
) -> jax.stages.Compiled | DoesNotFit:
    """Compile one epoch of `fit`, which has all examples on the devices.

    Args:
        objective: objective to minimise.
        optimizer: optax gradient transformation.
        data: all examples, or their shapes as `jax.ShapeDtypeStruct`.
        batch_size: number of examples of a step.
        placement: placement of the arrays on the devices for which the epoch is compiled.
        gradient_of: computation of the gradient.

    Returns:
        The program, or the compiler's refusal if it does not fit into a device's memory.

    Raises:
        ValueError: if the batch size is not a multiple of the devices that share a batch.
    """
    check_shardable(batch_size, placement)
    return _compiled(
        epoch_program.lower(
            objective,
            optimizer,
            abstract_state(objective, optimizer, placement),
            epoch_examples(data, placement),
            batch_size=batch_size,
            gradient_of=gradient_of,
            placement=placement,
        )
    )


def _placed(leaf: Array | jax.ShapeDtypeStruct, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _compiled(lowered: jax.stages.Lowered) -> jax.stages.Compiled | DoesNotFit:
    try:
        with uncached_programs():
            return lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        refusal = refusal_of(str(error))
        if refusal is None:
            raise
        return refusal


@contextmanager
def uncached_programs() -> Iterator[None]:
    """Write no program to JAX's persistent cache, which cannot load one for absent devices."""
    minimum = getattr(jax.config, CACHED_SECONDS)
    jax.config.update(CACHED_SECONDS, math.inf)
    try:
        yield
    finally:
        jax.config.update(CACHED_SECONDS, minimum)


def refusal_of(message: str) -> DoesNotFit | None:
    """Read a compiler's message that a program does not fit.

    Args:
        message: text of the error.

    Returns:
        The refusal, or None if the message is about anything else.
    """
    if not _OUT_OF_MEMORY.search(message):
        return None
    sizes = next(filter(None, (pattern.search(message) for pattern in _SIZES)), None)
    needed, available = (
        None if sizes is None else round(float(sizes[name]) * _UNITS[sizes[f"{name}_unit"]])
        for name in ("needed", "available")
    )
    return DoesNotFit(needed, available, message.strip().partition("\n")[0])
