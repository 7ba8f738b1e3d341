"""`aejax plan`: what a training step needs on an accelerator that is not at hand."""

import json
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal

import jax
import tyro

from aejax.cli.process.text_table import text_table
from aejax.planning.alternatives import Alternative, Setting, meshes, remedy, search
from aejax.planning.plan_records import (
    as_json,
    communication_rows,
    heading,
    memory_rows,
    sentences,
)
from aejax.planning.step_plan import Plan, plan, plan_epoch
from aejax.planning.targets import EXAMPLES, find_target
from aejax.repr_text import bytes_text
from aejax.runs.builders import (
    input_shape,
    make_optimizer,
    make_trained_objective,
    with_data_arguments,
)
from aejax.runs.configuration import Options, check
from aejax.runs.default_settings import DataFacts, complete
from aejax.runs.environment import PLATFORMS_OPTION
from aejax.runs.streamed_examples import load_examples
from aejax.sharding import placement_on

DEFAULT_EXAMPLES = 65536
"""Number of examples that are not at hand."""


@dataclass(frozen=True)
class PlanCommand:
    """Plan a training on an accelerator that is not at hand: compile its step for it.

    Example: aejax plan --target v5e:2x2 --data digits --batch-size 128

    Example: aejax plan --target v5e:16x16 --shape 4096 --sizes 4096 262144 --batch-size 65536
    --model 16

    Prints memory, operations, communication and the least time of a step on one device. Nothing is
    measured: times follow from published peak figures. It needs the compiler for the target: pip
    install 'aejax[plan-tpu]' or 'aejax[plan-gpu]'.
    """

    target: Annotated[str, tyro.conf.arg(help=f"devices to plan for: {EXAMPLES}")]
    training: Annotated[Options, tyro.conf.arg(name="")] = field(default_factory=Options)
    """settings of the training"""
    mesh: Literal["data", "sharded"] = "data"
    """data: split batches over all devices; sharded: parameters too"""
    model: int = 1
    """number of devices that share each layer of 1024 units or more"""
    shape: tuple[int, ...] = ()
    """shape of one example, in place of data that are not at hand"""
    examples: int | None = None
    """number of examples, 65536 by default; requires --shape"""
    epoch: bool = False
    """compile a whole epoch, with all examples on the devices"""
    search: bool = False
    """compile the step for the most promising meshes of the target, and rank them"""
    json: bool = False
    """print the plan as JSON"""


def print_plan(command: PlanCommand) -> int:
    """Compile the step or the epoch, print its plan, and return 1 if it does not fit."""
    target = find_target(command.target)  # before data are read
    _compute_on_the_cpu()
    if command.search and command.epoch:
        raise ValueError("--search ranks steps: leave out --epoch")
    if command.search and (command.model, command.mesh) != (1, "data"):
        raise ValueError("--search ranks all meshes: leave out --mesh and --model")
    check(command.training)
    facts = _facts(command)
    training = with_data_arguments(complete(command.training, facts), facts.shape)
    objective = make_trained_objective(training, facts.shape)
    steps = max(1, facts.train_size // (training.batch_size or 1)) * training.epochs
    optimizer = make_optimizer(training, steps)
    shape = (facts.train_size, *input_shape(training, facts.shape))
    arguments = (objective, optimizer, jax.ShapeDtypeStruct(shape, "float32"))
    if command.search:
        ranked = search(
            *arguments, target=target.name, batch_size=training.batch_size, progress=_show
        )
        _print_ranked(ranked, command)
        return int(not any(each.plan.fits for each in ranked))
    options: dict[str, Any] = {
        "target": target.name,
        "batch_size": training.batch_size,
        "place": partial(placement_on, model=command.model, sharded=command.mesh == "sharded"),
    }
    found = (plan_epoch if command.epoch else plan)(*arguments, **options)
    other = None
    if not found.fits:
        setting = Setting(command.model, command.mesh == "sharded", found.batch_size)
        step = plan(*arguments, **options) if command.epoch else found
        other = (
            Alternative(setting, step)
            if step.fits
            else remedy(*arguments, target=target.name, setting=setting, progress=_show)
        )
    _print(found, other, command)
    return int(not found.fits)


def _compute_on_the_cpu() -> None:
    """Keep JAX from looking for the accelerators whose compilers are installed."""
    if not getattr(jax.config, PLATFORMS_OPTION):
        jax.config.update(PLATFORMS_OPTION, "cpu")


def _facts(command: PlanCommand) -> DataFacts:
    if not command.shape:
        if command.examples is not None:
            raise ValueError("--examples needs --shape; data have their own number of examples")
        return load_examples(command.training).facts
    if command.training.data != Options().data:
        raise ValueError("--shape stands for data that are not at hand: leave out --data")
    examples = DEFAULT_EXAMPLES if command.examples is None else command.examples
    if min(command.shape) < 1 or examples < 1:
        raise ValueError(
            f"shape and examples must be positive, got {list(command.shape)} and {examples}"
        )
    return DataFacts(command.shape, examples, 0, is_bounded=False)


def _show(alternative: Alternative) -> None:
    """Print a line for a compiled alternative, so that a search is seen to proceed."""
    state = "fits" if alternative.plan.fits else "does not fit"
    # In one call, because several threads compile.
    sys.stderr.write(f"aejax: {_text(alternative.setting)}: {state}\n")


def _text(setting: Setting) -> str:
    parts = [
        f"--mesh {'sharded' if setting.sharded else 'data'}",
        f"--model {setting.model}",
        f"--batch-size {setting.batch_size}",
    ]
    if setting.rematerialised:
        parts.append("aejax.rematerialised(model)")
    if setting.part_size:
        parts.append(f"gradient_of=training.accumulated(part_size={setting.part_size})")
    return ", ".join(parts)


def _print(found: Plan, other: Alternative | None, command: PlanCommand) -> None:
    if command.json:
        record = as_json(found)
        record["alternative"] = None if other is None else _record(other)
        print(json.dumps(record))
        return
    print(plan_text(found))
    if other is not None:
        streamed = "examples read as a stream, " if command.epoch else ""
        print(f"\nfits: {streamed}{_text(other.setting)}\n\n{plan_text(other.plan)}")
    elif not found.fits:
        print("no smaller batch, accumulation, rematerialisation or mesh that was tried fits")


def _print_ranked(ranked: list[Alternative], command: PlanCommand) -> None:
    if command.json:
        print(json.dumps([_record(each) for each in ranked]))
        return
    print(text_table([_row(each) for each in ranked]))
    count = len(meshes(find_target(command.target).devices))
    if len(ranked) < count:
        print(
            f"compiled: {len(ranked)} of {count} meshes, those with the least time estimated from "
            "their shardings"
        )


def _record(alternative: Alternative) -> dict[str, Any]:
    return {"setting": alternative.setting._asdict(), "plan": as_json(alternative.plan)}


def _row(alternative: Alternative) -> dict[str, Any]:
    found = alternative.plan
    line = found.roofline
    return {
        "model": alternative.setting.model,
        "mesh": "sharded" if alternative.setting.sharded else "data",
        "fits": "yes" if found.fits else "no",
        "memory": bytes_text(found.needed) if found.needed else None,
        "sent": bytes_text(round(found.sent)),
        "least seconds": line.seconds if line and found.fits else None,
        "bound": line.bound if line and found.fits else None,
    }


def plan_text(found: Plan) -> str:
    """A plan as text.

    Args:
        found: the plan.

    Returns:
        Lines for a terminal.
    """
    record = as_json(found)
    tables = map(text_table, filter(None, (memory_rows(record), communication_rows(record))))
    return "\n\n".join([heading(record), *tables, "\n".join(sentences(record))])
