"""Plan of a step or an epoch on a target: memory, operations, communication and least time."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, SupportsIndex

import jax
import optax
from jax.sharding import NamedSharding

from aejax.batch_inputs import as_batch
from aejax.objectives import Objective
from aejax.planning.compiled_steps import (
    DoesNotFit,
    abstract_state,
    compile_epoch,
    compile_step,
    epoch_examples,
    one_device,
    step_examples,
)
from aejax.planning.device_memory import DeviceMemory, device_memory
from aejax.planning.hlo_text import Execution, executions
from aejax.planning.ideal_communication import ideal_communication
from aejax.planning.operation_counts import OperationCounts, count_operations
from aejax.planning.roofline import Roofline, roofline
from aejax.planning.targets import Target, find_target
from aejax.planning.topology_devices import target_devices
from aejax.sharding.collectives import Collective, axes_along, each_collective
from aejax.training import Gradient, Placement, TrainState, whole_batch
from aejax.training.batches import Data, check_batch_size, count_examples, resolve_batch_size
from aejax.types import BatchLike

Place = Callable[[Sequence[Any]], Placement]
"""Devices of a target -> placement, such as `sharding.placement_on`."""


class CollectiveRow(NamedTuple):
    """Collectives of one kind along the same axes of the mesh, per device.

    kind:       operation, such as "all-reduce".
    axes:       axes of the mesh.
    executions: number of executions; those in loops count as often as they run.
    bytes:      size of their results.
    sent:       bytes that a device sends with ring algorithms.
    """

    kind: str
    axes: tuple[str, ...]
    executions: int
    bytes: int
    sent: float


class Plan(NamedTuple):
    """Plan of a step or an epoch on one device of a target; one that does not fit has only memory.

    target:      the target.
    mesh:        size of each axis of the mesh; empty for a single device.
    batch_size:  number of examples of a step, of all devices.
    steps:       number of steps of the program: 1, or those of an epoch.
    memory:      bytes by use; for a program that does not fit, without temporaries.
    available:   bytes of a device that a program can use (`Chip.usable`); 0 if they are not known.
    fits:        whether the program fits into the memory.
    needed:      bytes that it needs, as the compiler says if it refused the program.
    message:     the compiler's refusal, or "".
    counts:      operations, bytes and instructions.
    collectives: communication.
    ideal_sent:  bytes that a device must send at least, if all values are float32.
    roofline:    least seconds of all steps.
    estimate:    XLA's own estimate of the seconds of a step, only on TPUs.
    """

    target: Target
    mesh: dict[str, int]
    batch_size: int
    steps: int
    memory: DeviceMemory
    available: int
    fits: bool
    needed: int | None
    message: str
    counts: OperationCounts | None = None
    collectives: tuple[CollectiveRow, ...] = ()
    ideal_sent: float = 0.0
    roofline: Roofline | None = None
    estimate: float | None = None

    @property
    def sent(self) -> float:
        """Bytes that a device sends."""
        return sum(row.sent for row in self.collectives)


def plan(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: BatchLike,
    *,
    target: str,
    batch_size: SupportsIndex | None = None,
    place: Place = one_device,
    gradient_of: Gradient = whole_batch,
) -> Plan:
    """Compile the step that `fit_stream` would run on a target, and report what it needs.

    No such device is needed, only its compiler: `pip install 'aejax[plan-tpu]'` or
    `'aejax[plan-gpu]'`. Times are predictions from peak figures; nothing is measured.

    Args:
        objective: objective to minimise.
        optimizer: optax gradient transformation.
        data: examples, or their shapes: `jax.ShapeDtypeStruct((60000, 784), "float32")`.
        target: name of the target, such as "v5e:16x16", "h100" or "cpu".
        batch_size: number of examples of a step, of all devices (default: as `fit`).
        place: devices of the target -> placement (default: the first device).
        gradient_of: computation of the gradient, `whole_batch` or `accumulated`.

    Returns:
        The plan.

    Raises:
        ValueError: if there is no such target, or its compiler is not installed; as `fit` does for
            the batch size.

    Example:
        >>> import aejax, jax, optax
        >>> from aejax import planning
        >>> objective = aejax.objective(aejax.dense((64, 16)), aejax.losses.bernoulli)
        >>> x = jax.ShapeDtypeStruct((1024, 64), "float32")
        >>> found = planning.plan(objective, optax.adam(1e-3), x, target="cpu", batch_size=128)
        >>> found.memory.parameters, found.counts.operations
        (8512, 1310720)
    """
    chosen, placement, size = _setting(data, target, batch_size, place)
    program = compile_step(
        objective, optimizer, data, batch_size=size, placement=placement, gradient_of=gradient_of
    )
    state = abstract_state(objective, optimizer, placement)
    batch = step_examples(data, size, placement)
    return _plan_of(program, chosen, placement, state, batch, size)


def plan_epoch(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: BatchLike,
    *,
    target: str,
    batch_size: SupportsIndex | None = None,
    place: Place = one_device,
    gradient_of: Gradient = whole_batch,
) -> Plan:
    """Compile the epoch that `fit` would run on a target, and report what it needs.

    Args:
        objective: objective to minimise.
        optimizer: optax gradient transformation.
        data: all examples, or their shapes.
        target: name of the target.
        batch_size: number of examples of a step, of all devices (default: as `fit`).
        place: devices of the target -> placement (default: the first device).
        gradient_of: computation of the gradient, `whole_batch` or `accumulated`.

    Returns:
        The plan of all steps of the epoch, with all examples on the devices.

    Raises:
        ValueError: as `plan`.
    """
    chosen, placement, size = _setting(data, target, batch_size, place)
    program = compile_epoch(
        objective, optimizer, data, batch_size=size, placement=placement, gradient_of=gradient_of
    )
    state = abstract_state(objective, optimizer, placement)
    return _plan_of(program, chosen, placement, state, epoch_examples(data, placement), size)


def _setting(
    data: BatchLike, target: str, batch_size: SupportsIndex | None, place: Place
) -> tuple[Target, Placement, int]:
    """Target, placement on its devices, and batch size of a plan."""
    chosen = find_target(target)
    placement = place(target_devices(chosen))
    examples = as_batch(data).x.shape[0]
    size = min(check_batch_size(resolve_batch_size(batch_size, examples)), examples)
    return chosen, placement, size


def _plan_of(
    program: jax.stages.Compiled | DoesNotFit,
    target: Target,
    placement: Placement,
    state: TrainState,
    examples: Data,
    batch_size: int,
) -> Plan:
    """Plan of a program that was compiled or refused; it has one step for each batch."""
    full, rest = divmod(count_examples(examples), batch_size)
    refused = program if isinstance(program, DoesNotFit) else None
    memory = device_memory(None if isinstance(program, DoesNotFit) else program, state, examples)
    available = (refused.available if refused else None) or target.chip.usable
    found = Plan(
        target,
        mesh_shape(placement),
        batch_size,
        steps=full + bool(rest),
        memory=memory,
        available=available,
        fits=refused is None and (not available or memory.total <= available),
        needed=refused.needed if refused else memory.total,
        message=refused.message if refused else "",
    )
    if isinstance(program, DoesNotFit):
        return found
    ideal = full * ideal_communication(state.params, batch_size)
    if rest and rest % placement.shares == 0:  # else every device computes the last batch
        ideal += ideal_communication(state.params, rest)
    return _with_program(found._replace(ideal_sent=ideal), program)


def _with_program(found: Plan, program: jax.stages.Compiled) -> Plan:
    """Add the figures from the text of a compiled program, and XLA's analysis of its cost."""
    text, analysis = program.as_text() or "", program.cost_analysis() or {}
    executed, chip = executions(text), found.target.chip
    counts = count_operations(executed)
    estimate = analysis.get("optimal_seconds", 0.0)  # negative where XLA cannot tell
    found = found._replace(
        counts=counts,
        collectives=_collective_rows(each_collective(text), executed, found.mesh),
    )
    return found._replace(
        roofline=roofline(chip, counts, sent=found.sent),
        estimate=estimate if chip.platform == "tpu" and estimate > 0 and not counts.loops else None,
    )


def mesh_shape(placement: Placement) -> dict[str, int]:
    """Size of each axis of a placement's mesh; empty for a single device."""
    if not isinstance(placement.data, NamedSharding):
        return {}
    return dict(placement.data.mesh.shape)


def _collective_rows(
    collectives: Sequence[Collective], executed: Sequence[Execution], mesh: dict[str, int]
) -> tuple[CollectiveRow, ...]:
    """Executed collectives by kind and axes, in the order of the program's text."""
    times = {each.instruction.name: each.times for each in executed}
    found: dict[tuple[str, tuple[str, ...]], CollectiveRow] = {}
    for each in collectives:
        axes, count = axes_along(each.group, mesh), times.get(each.name, 1)
        row = found.get((each.kind, axes), CollectiveRow(each.kind, axes, 0, 0, 0.0))
        found[each.kind, axes] = row._replace(
            executions=row.executions + count,
            bytes=row.bytes + count * each.bytes,
            sent=row.sent + count * each.sent,
        )
    return tuple(found.values())
