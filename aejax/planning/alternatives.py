"""Alternatives of a plan, each compiled: meshes by predicted time, and remedies that fit."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, SupportsIndex

import optax

from aejax.batch_inputs import as_batch
from aejax.models import rematerialised
from aejax.objectives import Objective
from aejax.planning.compiled_steps import abstract_state, uncached_programs
from aejax.planning.device_memory import bytes_on_a_device
from aejax.planning.step_plan import Plan, plan
from aejax.planning.targets import find_target
from aejax.planning.topology_devices import target_devices
from aejax.sharding import placement_on
from aejax.training import accumulated, whole_batch
from aejax.training.batches import check_batch_size, resolve_batch_size
from aejax.types import BatchLike

MIN_PART_SIZE = 16
"""Minimum number of examples, per device, of a part of an accumulated gradient."""


class Setting(NamedTuple):
    """Settings that may be changed to make a step fit, or faster.

    model:          number of devices that share a wide layer.
    sharded:        whether parameters and optimiser state are divided along "data".
    batch_size:     number of examples of a step.
    parts:          number of parts of the batch over which the gradient is accumulated.
    rematerialised: whether activations are recomputed in the backward pass.
    """

    model: int
    sharded: bool
    batch_size: int
    parts: int = 1
    rematerialised: bool = False


class Alternative(NamedTuple):
    """A setting with its plan."""

    setting: Setting
    plan: Plan


def meshes(devices: int) -> list[tuple[int, bool]]:
    """Every mesh of a number of devices: size of "model", and whether the state is divided.

    Args:
        devices: number of devices.

    Returns:
        The pairs, with powers of two for "model" up to the number of devices.
    """
    sizes = [2**power for power in range(devices.bit_length()) if devices % 2**power == 0]
    return [
        (model, sharded)
        for model in sizes
        for sharded in (False, True)
        if not sharded or model < devices
    ]


def search(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: BatchLike,
    *,
    target: str,
    batch_size: SupportsIndex | None = None,
    progress: Callable[[Alternative], Any] = lambda _: None,
) -> list[Alternative]:
    """Plan a step on every mesh of a target, and rank those that fit by predicted time.

    One mesh for each CPU core is compiled at a time.

    Args:
        objective: objective to minimise.
        optimizer: optax gradient transformation.
        data: examples, or their shapes.
        target: name of the target.
        batch_size: number of examples of a step (default: as `fit`).
        progress: function called with each alternative once it is compiled.

    Returns:
        The alternatives, the fastest first; then those that do not fit.

    Raises:
        ValueError: as `plan`, or if no mesh can share the batch.
    """
    size = check_batch_size(resolve_batch_size(batch_size, as_batch(data).x.shape[0]))
    devices = find_target(target).devices

    def planned(mesh: tuple[int, bool]) -> Alternative:
        found = _planned(objective, optimizer, data, target, Setting(*mesh, size))
        progress(found)
        return found

    shared = [mesh for mesh in meshes(devices) if size % (devices // mesh[0]) == 0]
    if not shared:
        raise ValueError(f"no mesh of {devices} devices can share a batch of {size} examples")
    with uncached_programs(), ThreadPoolExecutor(os.cpu_count()) as pool:
        return sorted(pool.map(planned, shared), key=_rank)


def remedy(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: BatchLike,
    *,
    target: str,
    setting: Setting,
    progress: Callable[[Alternative], Any] = lambda _: None,
) -> Alternative | None:
    """Find the first change that makes a step fit, in the order of `remedies`.

    Args:
        objective: objective to minimise.
        optimizer: optax gradient transformation.
        data: examples, or their shapes.
        target: name of the target.
        setting: setting of the step that does not fit.
        progress: function called with each alternative once it is compiled.

    Returns:
        The alternative that fits, or None if none does.
    """
    chosen = find_target(target)
    devices = target_devices(chosen)
    for changed in remedies(setting, chosen.devices):
        placement = placement_on(devices, model=changed.model, sharded=changed.sharded)
        state = abstract_state(objective, optimizer, placement)
        if bytes_on_a_device(state) > chosen.chip.memory > 0:
            continue  # its state alone does not fit
        found = _planned(objective, optimizer, data, target, changed)
        progress(found)
        if found.plan.fits:
            return found
    return None


def remedies(setting: Setting, devices: int) -> Iterator[Setting]:
    """Changes that need less memory: those that leave the result unchanged come first.

    Args:
        setting: setting of a step that does not fit.
        devices: number of devices of the target.

    Yields:
        The state divided over the devices; recomputed activations; the gradient accumulated over
        parts; more devices for each wide layer; a smaller batch.
    """
    used = setting._replace(sharded=setting.model < devices)
    if used != setting:
        yield used
    yield used._replace(rematerialised=True)
    shares = devices // setting.model
    for parts in (4, 16, 64):
        if setting.batch_size % (parts * shares) == 0 and (
            setting.batch_size // (parts * shares) >= MIN_PART_SIZE
        ):
            yield used._replace(parts=parts)
    for model, sharded in meshes(devices):
        if model > setting.model and (sharded or model == devices):
            yield Setting(model, sharded, setting.batch_size)
    size = setting.batch_size // 4
    while size and size % shares == 0:
        yield used._replace(batch_size=size)
        size //= 4


def _planned(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: BatchLike,
    target: str,
    setting: Setting,
) -> Alternative:
    if setting.rematerialised:
        objective = replace(objective, model=rematerialised(objective.model))
    parts = setting.parts
    found = plan(
        objective,
        optimizer,
        data,
        target=target,
        batch_size=setting.batch_size,
        place=partial(placement_on, model=setting.model, sharded=setting.sharded),
        gradient_of=(
            whole_batch if parts == 1 else accumulated(part_size=setting.batch_size // parts)
        ),
    )
    return Alternative(setting, found)


def _rank(alternative: Alternative) -> tuple[bool, float]:
    found = alternative.plan
    seconds = found.roofline.seconds if found.roofline else 0.0
    return not found.fits, seconds if found.fits else float(found.needed or 0)
