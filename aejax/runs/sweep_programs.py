"""Training of programs of a sweep, and their best members as runs."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from aejax import checkpoints, registry
from aejax.objectives import Objective
from aejax.runs.builders import make_objective, make_optimizer, make_trained_objective
from aejax.runs.configuration import Options, Training
from aejax.runs.dictionary_objective import with_active_units
from aejax.runs.environment import environment
from aejax.runs.examples import Examples, total_steps
from aejax.runs.given_settings import given_settings
from aejax.runs.history import history_writer
from aejax.runs.initial_state import data_start
from aejax.runs.integrity import new_identity
from aejax.runs.loggers.tensorboard_log import tensorboard
from aejax.runs.member_errors import code_size, member_errors, member_history, pca_errors
from aejax.runs.metrics import measure
from aejax.runs.run import (
    About,
    checkpoint_settings,
    checkpoints_folder,
    configuration_file,
    data_folder,
    history_file,
    open_run,
    read_configuration,
    write_metrics,
    write_settings,
)
from aejax.runs.sweep_grid import Program, complete_member, with_settings, without_settings
from aejax.runs.threshold_solving import solve_thresholds, with_solved_threshold
from aejax.training import TrainState
from aejax.training.records import Record
from aejax.types import Array

Row = dict[str, Any]
"""Settings, seed and figures of one member of a sweep."""


class Member(NamedTuple):
    """A trained member of a program: its settings, its best state, and its row of the table.

    configuration: complete settings of the run.
    given:         names of the settings that the user gave.
    state:         state of the epoch with the lowest validation loss.
    history:       records of the epochs.
    row:           row of the table.
    """

    configuration: Training
    given: tuple[str, ...]
    state: TrainState
    history: list[Record]
    row: Row


def check_program(
    options: Options, program: Program, examples: Examples, seeds: Sequence[int]
) -> None:
    """Raise ValueError for settings of a program that do not fit the data, before any training."""
    _, configurations = _configurations(options, program, examples, seeds[:1])
    make_trained_objective(configurations[0], examples.shape, examples.columns)


def check_replaceable(
    run: Path, options: Options, program: Program, examples: Examples, seeds: Sequence[int]
) -> None:
    """Refuse to replace a run that is not one of a program that was killed.

    Args:
        run: folder of the run, which need not exist.
        options: settings that all members of the sweep share.
        program: the program.
        examples: examples in memory.
        seeds: seed of each repetition.

    Raises:
        ValueError: if the folder holds something else than a member of the program.
    """
    if not run.exists():
        return
    _, configurations = _configurations(options, program, examples, seeds)
    if not configuration_file(run).exists() or read_configuration(run) not in configurations:
        raise ValueError(f"{run} is not a run of this sweep, which would replace it: move it")


def train_programs(
    options: Options, programs: Sequence[Program], examples: Examples, seeds: Sequence[int]
) -> list[list[Member]]:
    """Train all members of programs that are trained together, every setting with every seed.

    Members with the same seed have the same initial parameters, order of examples and noise.

    Args:
        options: settings that all members of the sweep share.
        programs: one program, or several that differ in k alone, as `trained_together` groups them.
        examples: examples in memory.
        seeds: seed of each repetition.

    Returns:
        The members of each program, by setting and seed. Each has the state of its best validation
        epoch.

    Raises:
        ValueError: if the settings do not fit the data.
        OutOfMemoryError: if the members need more memory than there is.
    """
    parts = [_configurations(options, program, examples, seeds) for program in programs]
    configurations = [each for _, part in parts for each in part]
    first = configurations[0]
    steps = total_steps(first, examples)
    traced = [*programs[0].traced[0], *(("dictionary.k",) if len(programs) > 1 else ())]
    at_most = max(each.dictionary.k or 0 for each in configurations)
    data = examples.in_memory
    assert data is not None, "a sweep refuses streams"
    states, measured = data.fit(
        partial(_make, first, _started(first, examples), steps, at_most),
        hyperparameters=_hyperparameters(configurations, traced),
        key=jnp.stack([jax.random.key(each.seed) for each in configurations]),
        epochs=first.epochs,
        batch_size=first.batch_size,
        patience=first.patience,
        keep_best=True,
    )
    trained = iter(_unstacked(states, measured))
    return [
        _members(program, *part, [next(trained) for _ in part[1]], examples)
        for program, part in zip(programs, parts, strict=True)
    ]


def _members(
    program: Program,
    given: Sequence[Options],
    configurations: Sequence[Training],
    trained: Sequence[tuple[TrainState, Mapping[str, Any]]],
    examples: Examples,
) -> list[Member]:
    """Members of a program from their states and measurements, by setting and seed."""
    first = configurations[0]
    objective = make_objective(first, examples.shape, examples.columns)
    code, is_comparable = code_size(objective, examples)
    steps, pca_of = total_steps(first, examples), cache(partial(pca_errors, examples))
    values = [each for each in program.traced for _ in range(len(trained) // len(program.traced))]
    members = []
    for index, (state, means) in enumerate(trained):
        configuration = configurations[index]
        records = member_history(means, first, steps)
        params = with_solved_threshold(configuration, state.params, examples)
        in_use = state._replace(params=params)
        errors = member_errors(objective, configuration, in_use, records, examples)
        settings = {**program.static, **values[index], "seed": configuration.seed}
        active = errors.get("active_units")
        components = (code if is_comparable else None) if active is None else max(1, round(active))
        row = {"code": code, **settings, **errors, **pca_of(components)}
        names = given_settings(given[index])
        members.append(Member(configuration, names, state, records, row))
    return members


def _unstacked(states: TrainState, measured: Mapping[str, Any]) -> list[Any]:
    """State and measurements of each member."""
    count = len(states.step)
    return [jax.tree.map(lambda leaf, i=i: leaf[i], (states, measured)) for i in range(count)]


def _configurations(
    options: Options, program: Program, examples: Examples, seeds: Sequence[int]
) -> tuple[list[Options], list[Training]]:
    """Settings of the members, by setting and seed: as they were given, and completed."""
    given = [
        with_settings(options, {**program.static, **values, "seed": seed})
        for values, seed in product(program.traced, seeds)
    ]
    return given, [complete_member(options, each, examples) for each in given]


def _started(training: Training, examples: Examples) -> Objective:
    """Objective for training, whose initial parameters are those of a run: some from the data."""
    objective = make_trained_objective(training, examples.shape, examples.columns)
    start = data_start(training, examples)
    if start is None:
        return objective
    init = objective.model.init
    return replace(objective, model=objective.model._replace(init=lambda key: start(init(key))))


def best_member(members: Sequence[Member]) -> Member | None:
    """Member with the lowest validation error; None if all have diverged."""
    trained = [member for member in members if member.row["validation_error"] is not None]
    return min(trained, key=lambda member: member.row["validation_error"], default=None)


def write_member(run: Path, member: Member, examples: Examples) -> None:
    """Write a member as an ordinary run, atomically: the folder appears when it is complete.

    Args:
        run: folder of the run. A folder that a killed sweep has left is replaced.
        member: member that has not diverged.
        examples: examples of its data.
    """
    partial_run = run.with_name(f"{run.name}.partial")
    for leftover in (partial_run, run):
        if leftover.exists():
            shutil.rmtree(leftover)
    configuration, identity = member.configuration, new_identity()
    about = About(
        environment(),
        examples.fingerprint,
        examples.shape,
        data_folder(configuration),
        examples.schema,
        given=member.given,
    )
    write_settings(partial_run, configuration, about, identity=identity)
    with (
        history_writer(history_file(partial_run), [], identity) as record_epoch,
        tensorboard(partial_run / "tensorboard") as log,
    ):
        for record in member.history:
            record_epoch(member.state, record)
            log(member.state, record)
    checkpoints.save(
        checkpoints_folder(partial_run),
        member.state,
        configuration=checkpoint_settings(configuration, examples.fingerprint, identity),
        normalisation=examples.normalisation,
        validation_loss=member.row["validation_loss"],
    )
    solve_thresholds(partial_run, configuration, examples)
    write_metrics(partial_run, measure(open_run(partial_run), examples))
    os.rename(partial_run, run)


def _make(
    training: Training, objective: Objective, steps: int, at_most: int, values: Mapping[str, Any]
) -> Any:
    """Objective and optimizer of a member, whose values of traced settings may be traced."""
    if "dictionary.k" in values:
        objective = with_active_units(objective, training, values["dictionary.k"], at_most=at_most)
    level = values.get("corruption_level", training.corruption_level)
    penalties = {
        name: (_weight(values, name, weight), penalty)
        for name, (weight, penalty) in objective.penalties.items()
    }
    member = replace(
        objective,
        corruption=registry.corruption(training.corruption, level),
        penalties=penalties,
    )
    return member, make_optimizer(training, steps, learning_rate=values["learning_rate"])


def _weight(values: Mapping[str, Any], name: str, weight: Any) -> Any:
    """Weight of a penalty of a member, as given by name, or that of all members."""
    options = [f"dictionary.{name}", f"quantised.{name}", f"penalty.{name}"]
    options += ["variational.beta"] if name == "divergence" else []
    given = (values.get(option) for option in options)
    return next((value for value in given if value is not None), weight)


def _hyperparameters(configurations: Sequence[Training], traced: Sequence[str]) -> dict[str, Array]:
    """Values of the traced settings [members]; the learning rate is always one of them."""
    every = [without_settings(each, ()) for each in configurations]
    kinds = dict.fromkeys(("learning_rate", *traced), jnp.float32)
    kinds |= {"dictionary.k": jnp.int32} if "dictionary.k" in kinds else {}
    return {name: jnp.array([each[name] for each in every], kind) for name, kind in kinds.items()}
