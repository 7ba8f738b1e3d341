"""Training of one program of a sweep, and its best member as a run."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax import checkpoints, registry
from aejax.objectives import Objective
from aejax.runs.builders import make_objective, make_optimizer, make_trained_objective
from aejax.runs.configuration import Options, Training
from aejax.runs.environment import environment
from aejax.runs.examples import Examples, InMemory, total_steps
from aejax.runs.given_settings import given_settings
from aejax.runs.history import history_writer
from aejax.runs.inference import compiled_reconstruct
from aejax.runs.initial_state import data_start
from aejax.runs.integrity import new_identity
from aejax.runs.loggers.tensorboard_log import tensorboard
from aejax.runs.metrics import batch_blocks, mean_error, measure, pca_error
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
from aejax.training.records import Record, stalled
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


def train_program(
    options: Options, program: Program, examples: Examples, seeds: Sequence[int]
) -> list[Member]:
    """Train all members of a program, every setting with every seed.

    Members with the same seed have the same initial parameters, order of examples and noise.

    Args:
        options: settings that all members of the sweep share.
        program: the program.
        examples: examples in memory.
        seeds: seed of each repetition.

    Returns:
        The members, by setting and seed. Each has the state of its best validation epoch.

    Raises:
        ValueError: if the settings do not fit the data.
        OutOfMemoryError: if the members need more memory than there is.
    """
    settings = list(product(program.traced, seeds))
    given, configurations = _configurations(options, program, examples, seeds)
    first = configurations[0]
    steps = total_steps(first, examples)
    states, measured = _in_memory(examples).fit(
        partial(_make, first, _started(first, examples), steps),
        hyperparameters=_hyperparameters(configurations, program),
        key=jnp.stack([jax.random.key(seed) for _, seed in settings]),
        epochs=first.epochs,
        batch_size=first.batch_size,
        patience=first.patience,
        keep_best=True,
    )
    objective = make_objective(first, examples.shape, examples.columns)
    code = _code_size(objective, examples)
    pca = _pca_errors(examples, code)

    def member(index: int) -> Member:
        values, seed = settings[index]
        state, means = jax.tree.map(lambda leaf: leaf[index], (states, measured))
        history = _history(means, first, steps)
        params = with_solved_threshold(configurations[index], state.params, examples)
        errors = _errors(objective, state._replace(params=params), history, examples)
        row = {"code": code, **program.static, **values, "seed": seed, **errors, **pca}
        names = given_settings(given[index])
        return Member(configurations[index], names, state, history, row)

    return [member(index) for index in range(len(settings))]


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


def _make(training: Training, objective: Objective, steps: int, values: Mapping[str, Any]) -> Any:
    """Objective and optimizer of a member, whose values of traced settings may be traced."""
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


def _hyperparameters(configurations: Sequence[Training], program: Program) -> dict[str, Array]:
    """Values of the traced settings [members]; the learning rate is always one of them."""
    every = [without_settings(each, ()) for each in configurations]
    names = dict.fromkeys(("learning_rate", *program.traced[0]))
    return {name: jnp.array([each[name] for each in every], jnp.float32) for name in names}


def _history(means: Mapping[str, Any], training: Training, steps: int) -> list[Record]:
    """Records of the epochs of a member, without those that early stopping repeats."""
    columns = {name: np.asarray(values, float).tolist() for name, values in means.items()}
    validation = columns.pop("validation_loss")
    records: list[Record] = []
    for epoch, values in enumerate(zip(*columns.values(), strict=True), start=1):
        terms = dict(zip(columns, values, strict=True))
        loss = {"loss": validation[epoch - 1]}
        step = epoch * steps // training.epochs
        records.append({"epoch": epoch, "step": step, **terms, "validation": loss})
        if stalled(records, training.patience):
            break
    return records


def _errors(
    objective: Objective, state: TrainState, history: Sequence[Record], examples: Examples
) -> dict[str, Any]:
    """Figures of a member by column; None for a member that has diverged."""
    values = [
        value
        for record in history
        for value in (record | record["validation"]).values()
        if value is not record["validation"]
    ]
    if not np.isfinite(values).all():
        return dict.fromkeys(("epoch", "validation_loss", "validation_error", "test_error"))
    reconstructed = partial(compiled_reconstruct, objective, state.params)
    epoch = int(state.epoch)
    held_out = _in_memory(examples).validation
    assert held_out is not None, "a sweep needs validation examples"
    _, validation = mean_error(reconstructed, batch_blocks(held_out))
    _, test = mean_error(reconstructed, examples.test_batches())
    return {
        "epoch": epoch,
        "validation_loss": history[epoch - 1]["validation"]["loss"],
        "validation_error": validation,
        "test_error": test,
    }


def _pca_errors(examples: Examples, code: int) -> dict[str, Any]:
    """Validation and test error of PCA with as many components as there are code units.

    For the validation error, PCA is fitted without the validation examples.
    """
    data = _in_memory(examples)
    x_train, _ = examples.pca_examples()
    assert data.validation is not None, "a sweep needs validation examples"
    validation, _ = pca_error(np.asarray(data.train.x), [data.validation], code)
    test, _ = pca_error(x_train, examples.test_batches(), code)
    return {"pca_validation_error": validation, "pca_test_error": test}


def _code_size(objective: Objective, examples: Examples) -> int:
    example = jax.ShapeDtypeStruct((1, int(np.prod(examples.shape))), np.float32)
    params = jax.eval_shape(objective.model.init, jax.random.key(0))
    return jax.eval_shape(objective.model.encode, params, example).size


def _in_memory(examples: Examples) -> InMemory:
    assert examples.in_memory is not None, "a sweep refuses streams"
    return examples.in_memory
