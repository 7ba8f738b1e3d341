"""Training of any objective as a run in a folder, from a script or notebook."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, SupportsIndex

import jax
import numpy as np
import optax

from aejax import sharding, training
from aejax.data import Normalisation
from aejax.hyperparameters import as_integer
from aejax.keys import typed_key
from aejax.objectives import Objective, noiseless
from aejax.runs.environment import check_platform, environment
from aejax.runs.error_messages import PYTHON, explain_errors
from aejax.runs.factories import absolute_factory
from aejax.runs.factory_source import check_source, factory_digest
from aejax.runs.integrity import identity_file, new_identity
from aejax.runs.lock import locked
from aejax.runs.loggers.logging_contexts import Logger, check_loggers
from aejax.runs.objective_record import (
    ObjectiveRecord,
    array_tables,
    as_json,
    read_record,
    resolve_objective,
    write_record,
)
from aejax.runs.opening import ObjectiveRun, open_objective_run
from aejax.runs.own_data import OwnData, normalised_batch, prepare
from aejax.runs.processes import is_main_process
from aejax.runs.recording import Recording, fit_recorded, has_checkpoints, restore_recorded
from aejax.runs.run import (
    About,
    check_location,
    checkpoints_folder,
    configuration_file,
    objective_file,
    parameters_file,
    read_about,
    write_metrics,
    write_source,
)
from aejax.runs.signals import Interrupted
from aejax.training import ONE_DEVICE, Placement, Stream, TrainState
from aejax.training.fit_arguments import check_callbacks, check_optimizer
from aejax.training.gradients import Gradient, whole_batch
from aejax.training.preflight_checks import clip_targets
from aejax.training.records import Callback, Record
from aejax.types import Batch, BatchLike, Key, KeyLike


def train(
    objective: Objective | str,
    optimizer: optax.GradientTransformation,
    data: BatchLike | Stream,
    *,
    out: str | PathLike[str],
    epochs: SupportsIndex,
    key: KeyLike,
    resume: bool = False,
    checkpoint: int | None = None,
    validation: BatchLike | Stream | None = None,
    test: BatchLike | None = None,
    patience: SupportsIndex | None = None,
    batch_size: SupportsIndex | None = None,
    steps_per_epoch: SupportsIndex | None = None,
    normalisation: Normalisation | None = None,
    settings: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
    keep: SupportsIndex = 3,
    save_every: SupportsIndex | None = None,
    progress: bool = False,
    loggers: Sequence[Logger] | None = None,
    callbacks: Sequence[Callback] = (),
    gradient_of: Gradient = whole_batch,
    placement: Placement = ONE_DEVICE,
) -> ObjectiveRun:
    """Train any objective as a run in a folder, or resume it bit-identically.

    The folder contains atomic checkpoints, `history.jsonl`, the environment, digests of all files,
    and TensorBoard events unless there are other loggers. The first Ctrl-C or SIGTERM stops after
    the current epoch, which is saved; a second one stops at once.

    Args:
        objective: objective to minimise, or a factory that returns it, "module:function" or
            "file.py:function". The run records a factory, so that `open` needs no objective.
        optimizer: optax gradient transformation.
        data: train examples: a `Batch`, x alone, or a `training.Stream`.
        out: folder of the run.
        epochs: total number of epochs, including those of a resumed run.
        key: PRNG key or integer seed.
        resume: whether to resume the run in `out`; it starts if there is none.
        checkpoint: step of the checkpoint to resume from (default: the newest).
        validation: validation examples. The run then returns the best of its checkpoints, the one
            with the lowest validation loss.
        test: test examples, whose noise-free loss `metrics.json` records.
        patience: number of epochs without a lower validation loss after which training stops.
        batch_size: number of examples per step (default: 128, or all examples if fewer).
        steps_per_epoch: number of steps of an epoch of a stream (default: one pass).
        normalisation: normalisation of x, for training and for the examples that the run encodes
            (default: none, x is used as it is).
        settings: JSON values that identify the run, such as the learning rate. They must be equal
            when it is resumed; an optimizer itself can only be compared by its arrays.
        arguments: keyword arguments of a factory, as JSON values.
        keep: number of newest checkpoints to keep; the best is always kept.
        save_every: number of epochs between checkpoints (default: a checkpoint every ten seconds).
            The best and the last epoch are always saved.
        progress: whether to show a bar (in a terminal or notebook) or lines on stderr.
        loggers: functions of (state, record), or context managers of these, such as
            `runs.loggers.csv(path)` (default: TensorBoard events in the folder). They are called
            after the epoch is saved, on the main process; one that fails is left out.
        callbacks: functions of (state, record), called after each epoch; True stops. A stopped run
            that is resumed trains at least one more epoch, after which they are called again.
        gradient_of: computation of the gradient, `whole_batch` or `accumulated`.
        placement: shardings of the arrays; see `aejax.sharding`.

    Returns:
        The trained run, as `open` returns it.

    Raises:
        ValueError: if the folder holds a run and `resume` is False, or another kind of run; if the
            run was trained with other data, settings, parameters, optimizer arrays or source of the
            factory; if another
            process writes to the folder; and as `training.fit`.
        FloatingPointError: if the loss is not finite; the message names the last good checkpoint.
        OSError: if the folder cannot be written.
        KeyboardInterrupt: after Ctrl-C, with the number of the epoch that is saved.
        SystemExit: after SIGTERM, likewise.

    Example:
        >>> import tempfile, aejax, jax, optax
        >>> from aejax import losses, runs
        >>> objective = aejax.objective(aejax.dense((8, 3)), losses.bernoulli)
        >>> x = jax.random.uniform(jax.random.key(0), (64, 8))
        >>> out = tempfile.mkdtemp() + "/mine"
        >>> run = runs.train(objective, optax.adam(1e-2), x, out=out, epochs=2, key=0)
        >>> run = runs.train(objective, optax.adam(1e-2), x, out=out, epochs=4, key=0, resume=True)
        >>> len(run.history), runs.encode(run, x).shape
        (4, (64, 3))
    """
    check_platform()
    out = Path(out).expanduser()
    check_location(out)
    factory = absolute_factory(objective) if isinstance(objective, str) else None
    arguments = as_json("arguments", arguments or {})
    if arguments and factory is None:
        raise ValueError("arguments need a factory, 'file.py:function', as the objective")
    objective = resolve_objective(objective, arguments)
    check_optimizer(optimizer)
    check_callbacks(callbacks)
    check_loggers(loggers)
    epochs = _count("epochs", epochs)
    prepared = prepare(
        data,
        validation=validation,
        normalisation=normalisation,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
    )
    recording = Recording(
        out,
        _settings(objective, prepared, typed_key(key), as_json("settings", settings or {}))
        | {f"arguments.{name}": value for name, value in arguments.items()},
        prepared.normalisation,
        epochs,
        None if patience is None else as_integer("patience", patience),
        _count("keep", keep),
        None if save_every is None else _count("save_every", save_every),
        PYTHON,
    )
    _check_unused(out, resume=resume, checkpoint=checkpoint)
    state = initial_state(objective, optimizer, key, placement)
    prepared.check(objective, state.params, patience=patience)
    if test is not None:
        test = normalised_batch(test, normalisation, "the test data")
        training.check_training(objective, state.params, test, batch_size=1)
        test = clip_targets(objective, test)
    with explain_errors(out, PYTHON), locked(out, option=PYTHON.out):
        _check_unused(out, resume=resume, checkpoint=checkpoint)
        history: list[Record] = []
        if checkpoint is not None or has_checkpoints(out):
            read_record(out)  # verifies its digest
            check_source(out, factory, read_about(out).source, digests=identity_file(out))
            state, history = restore_recorded(recording, state, step=checkpoint)
            if is_main_process():
                write_source(out, factory_digest(factory))
        elif is_main_process():
            tables = array_tables(state)
            record = ObjectiveRecord(
                factory, arguments, dict(recording.settings), prepared.dtype, *tables
            )
            about = About(environment(), prepared.fingerprint, prepared.shape)
            about = about._replace(source=factory_digest(factory))
            write_record(out, record, about, identity=new_identity())
        with _signals_as_exceptions():
            fit_recorded(
                prepared.fit,
                recording,
                state,
                history,
                signals=[],
                callbacks=callbacks,
                loggers=loggers,
                progress=progress,
                objective=objective,
                optimizer=optimizer,
                gradient_of=gradient_of,
                placement=placement,
            )
        run = open_objective_run(out, objective)
        if is_main_process():
            write_metrics(out, _metrics(run, test, prepared.batch_size))
    return run


@contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """Raise KeyboardInterrupt or SystemExit in place of `Interrupted`, as Python does."""
    try:
        yield
    except Interrupted as stop:
        kind = KeyboardInterrupt if stop.number.name == "SIGINT" else SystemExit
        raise kind(str(stop)) from None


def _settings(
    objective: Objective, prepared: OwnData, key: Key, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Settings that cannot change when a run is resumed."""
    weights = {
        f"weight of {name}": float(weight) for name, (weight, _) in objective.penalties.items()
    }
    return {
        "data fingerprint": prepared.fingerprint,
        "batch_size": prepared.batch_size,
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        **weights,
        **({"target": "given"} if prepared.has_target else {}),
        **{f"settings.{name}": value for name, value in given.items()},
    }


def _count(name: str, value: SupportsIndex) -> int:
    number = as_integer(name, value)
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}")
    return number


def initial_state(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    key: KeyLike,
    placement: Placement,
) -> TrainState:
    """Initial state as JAX arrays, identical to that of `fit` on one device.

    Args:
        objective: objective to minimise; on one device, its `init` need not be traceable.
        optimizer: optax gradient transformation.
        key: PRNG key or integer seed.
        placement: shardings of the arrays.

    Returns:
        The state.
    """
    if placement is ONE_DEVICE:
        state = training.init_state(objective, optimizer, key)
        return training.place_state(placement, state)
    return sharding.init_sharded(placement, objective, optimizer, typed_key(key))


def _check_unused(out: Path, *, resume: bool, checkpoint: int | None) -> None:
    """Raise ValueError if the folder contains something that the call does not resume."""
    if checkpoint is not None and not resume:
        raise ValueError("checkpoint names a checkpoint to resume from: say resume=True")
    if not is_main_process():
        return
    if configuration_file(out).exists() or parameters_file(out).exists():
        raise ValueError(
            f"{out} holds a run of aejax train: resume it with "
            f"aejax train --resume --out {out}, or choose another out"
        )
    used = objective_file(out).exists() or checkpoints_folder(out).exists()
    if used and not resume:
        raise ValueError(f"{out} holds a run: say resume=True, or choose another out")


def _metrics(run: ObjectiveRun, test: Batch | None, batch_size: int) -> dict[str, Any]:
    """Contents of `metrics.json`: the record of the opened checkpoint, and the test loss."""
    (record,) = [record for record in run.history if record["step"] == run.step]
    metrics = {
        "measure": "objective without noise, mean over examples",
        "step": run.step,
        "epoch": record["epoch"],
        "validation": record.get("validation"),
        "test": None,
    }
    if test is not None:
        key = jax.random.key(0)
        size = min(batch_size, test.x.shape[0])
        found = training.evaluate(noiseless(run.objective), run.params, test, key, batch_size=size)
        metrics["test"] = {name: float(value) for name, value in found.items()}
    return metrics
