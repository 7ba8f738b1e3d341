"""Alternatives of a plan, each compiled: meshes by predicted time, and remedies that fit."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, SupportsIndex

import jax
import optax

from aejax.batch_inputs import as_batch
from aejax.hyperparameters import as_integer
from aejax.models import rematerialised
from aejax.objectives import Objective
from aejax.planning.compiled_steps import abstract_state, uncached_programs
from aejax.planning.device_memory import bytes_on_a_device
from aejax.planning.mesh_estimates import estimate_step
from aejax.planning.step_plan import Plan, plan
from aejax.planning.targets import Target, find_target
from aejax.planning.topology_devices import target_devices
from aejax.sharding import placement_on
from aejax.training import TrainState, accumulated, whole_batch
from aejax.training.batches import check_batch_size, resolve_batch_size
from aejax.types import BatchLike, Params

MIN_PART_SIZE = 16
"""Minimum number of examples of a part of an accumulated gradient."""

COMPILED_MESHES = 4
"""Number of meshes that a search compiles at first, each of which takes seconds of all cores."""


class Setting(NamedTuple):
    """Settings that may be changed to make a step fit, or faster.

    model:          number of devices that share a wide layer.
    sharded:        whether parameters and optimiser state are divided along "data".
    batch_size:     number of examples of a step.
    part_size:      number of examples of a part over which a device accumulates the gradient; 0 for
                    the whole batch at once.
    rematerialised: whether activations are recomputed in the backward pass.
    """

    model: int
    sharded: bool
    batch_size: int
    part_size: int = 0
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
    compiled: SupportsIndex = COMPILED_MESHES,
    progress: Callable[[Alternative], Any] = lambda _: None,
) -> list[Alternative]:
    """Plan a step on the most promising meshes of a target, and rank those that fit by time.

    Every mesh is estimated from its shardings (`estimate_step`). Those with the least estimated
    time whose state fits are compiled, one for each CPU core at a time; if none of them fits, the
    next ones, until one does.

    Args:
        objective: objective to minimise.
        optimizer: optax gradient transformation.
        data: examples, or their shapes.
        target: name of the target.
        batch_size: number of examples of a step (default: as `fit`).
        compiled: number of meshes to compile.
        progress: function called with each alternative once it is compiled.

    Returns:
        The compiled alternatives, the fastest first; then those that do not fit.

    Raises:
        ValueError: as `plan`, if `compiled` is less than 1, or if no mesh can share the batch.
    """
    size = check_batch_size(resolve_batch_size(batch_size, as_batch(data).x.shape[0]))
    together = as_integer("compiled", compiled)
    if together < 1:
        raise ValueError(f"compiled must be at least one mesh, got {together}")
    chosen = find_target(target)

    def planned(mesh: tuple[int, bool]) -> Alternative:
        found = _planned(objective, optimizer, data, target, Setting(*mesh, size))
        progress(found)
        return found

    order = _promising(objective, optimizer, chosen, size)
    found: list[Alternative] = []
    with uncached_programs(), ThreadPoolExecutor(os.cpu_count()) as pool:
        while order and not any(each.plan.fits for each in found):
            found += pool.map(planned, order[:together])
            order = order[together:]
    return sorted(found, key=_rank)


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
        if bytes_on_a_device(state) > chosen.chip.usable > 0:
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
        part_size, rest = divmod(setting.batch_size, parts * shares)
        if rest == 0 and part_size >= MIN_PART_SIZE:
            yield used._replace(part_size=part_size)
    for model, sharded in meshes(devices):
        if model > setting.model and (sharded or model == devices):
            yield Setting(model, sharded, setting.batch_size)
    size = setting.batch_size // 4
    while size and size % shares == 0:
        yield used._replace(batch_size=size)
        size //= 4


def _promising(
    objective: Objective, optimizer: optax.GradientTransformation, target: Target, batch_size: int
) -> list[tuple[int, bool]]:
    """Meshes that can share a batch, in ascending order of estimated time; last if too large."""
    devices = target_devices(target)
    states: dict[tuple[int, bool], TrainState] = {}
    for model, sharded in meshes(len(devices)):
        if batch_size % (len(devices) // model) == 0:
            placement = placement_on(devices, model=model, sharded=sharded)
            state = abstract_state(objective, optimizer, placement)
            if model == 1 or _is_split(state.params):
                states[model, sharded] = state
    if not states:
        raise ValueError(
            f"no mesh of {len(devices)} devices can share a batch of {batch_size} examples, or "
            "split a layer of 1024 units or more; choose another batch size"
        )

    def rank(mesh: tuple[int, bool]) -> tuple[bool, float, int]:
        found = estimate_step(states[mesh], target.chip, batch_size)
        return found.state > target.chip.usable > 0, found.seconds, found.state

    return sorted(states, key=rank)


def _is_split(params: Params) -> bool:
    """Whether an array is divided along the axis "model"."""
    return any("model" in leaf.sharding.spec for leaf in jax.tree.leaves(params))


def _planned(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: BatchLike,
    target: str,
    setting: Setting,
) -> Alternative:
    if setting.rematerialised:
        objective = replace(objective, model=rematerialised(objective.model))
    found = plan(
        objective,
        optimizer,
        data,
        target=target,
        batch_size=setting.batch_size,
        place=partial(placement_on, model=setting.model, sharded=setting.sharded),
        gradient_of=(
            accumulated(part_size=setting.part_size) if setting.part_size else whole_batch
        ),
    )
    return Alternative(setting, found)


def _rank(alternative: Alternative) -> tuple[bool, float]:
    found = alternative.plan
    seconds = found.roofline.seconds if found.roofline else 0.0
    return not found.fits, seconds if found.fits else float(found.needed or 0)
