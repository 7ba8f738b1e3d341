"""Recording of a training in its folder: checkpoints, history, loggers, graceful stops.

The command `aejax train` and `aejax.runs.train` use it.
"""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from aejax import checkpoints, training
from aejax.data import Normalisation
from aejax.runs.due_checkpoints import saver
from aejax.runs.error_messages import COMMAND, Caller, how_to_resume
from aejax.runs.history import check_length, history_writer, read_history
from aejax.runs.integrity import read_identity, with_identity
from aejax.runs.loggers.logging_contexts import Logger, opened
from aejax.runs.loggers.tensorboard_log import tensorboard
from aejax.runs.processes import is_main_process, max_over_processes
from aejax.runs.run import checkpoints_folder, history_file
from aejax.runs.signals import Interrupted, ReceivedSignals, defer_signals
from aejax.training import TrainState
from aejax.training.epoch_loop import is_stop
from aejax.training.records import Callback, Record


class Recording(NamedTuple):
    """Destination and settings of a recorded training.

    out:           folder of the run.
    settings:      settings that all checkpoints share, without the identity of the run.
    normalisation: normalisation of the data, stored with each checkpoint.
    epochs:        total number of epochs.
    patience:      patience of early stopping, or None.
    keep:          number of newest checkpoints to keep; the best is always kept.
    save_every:    number of epochs between checkpoints, or None for checkpoints by time; the best
                   and the last epoch are always saved.
    caller:        origin of the run, whose words messages use.
    """

    out: Path
    settings: Mapping[str, Any]
    normalisation: Normalisation
    epochs: int
    patience: int | None
    keep: int = 3
    save_every: int | None = None
    caller: Caller = COMMAND


def has_checkpoints(out: Path) -> bool:
    """Whether a run has saved a checkpoint; one that was killed before has not."""
    folder = checkpoints_folder(out)
    return bool(checkpoints.steps(folder) or checkpoints.read_index(folder))


def restore_recorded(
    recording: Recording, like: TrainState, *, step: int | None = None
) -> tuple[TrainState, list[Record]]:
    """Restore the state of a checkpoint and the history up to it.

    Args:
        recording: the recorded training.
        like: state with the same structure, shapes and dtypes.
        step: step of the checkpoint (default: the newest).

    Returns:
        State and history.

    Raises:
        ValueError: a file is damaged, or the checkpoint belongs to other settings or arrays.
    """
    folder, identity = checkpoints_folder(recording.out), read_identity(recording.out)
    state, _ = checkpoints.restore(
        folder,
        like,
        configuration=with_identity(recording.settings, identity),
        normalisation=recording.normalisation,
        step=step,
    )
    checkpoints.check_best(folder, last=int(state.step))
    path, epochs = history_file(recording.out), int(state.epoch)
    history = read_history(path, identity)[:epochs]
    check_length(path, history, epochs)
    return state, history


def fit_recorded(
    fit: Callable[..., Any],
    recording: Recording,
    state: TrainState,
    history: Sequence[Record],
    *,
    signals: ReceivedSignals,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] | None = None,
    progress: bool = False,
    **arguments: Any,
) -> None:
    """Train, record each epoch in the folder, which exists, and stop on a signal.

    Args:
        fit: function that trains, such as `training.fit` on the examples of the run.
        recording: the recorded training.
        state: state to train from.
        history: records of the epochs up to the state.
        signals: signals received so far; later ones are appended.
        callbacks: callbacks of the user. If one stops the training, its epoch is saved.
        loggers: loggers, called after each epoch is saved (default: TensorBoard events in the
            folder).
        progress: whether to show the progress.
        **arguments: further arguments of `fit`: objective, optimizer, placement, ….

    Raises:
        Interrupted: after an epoch in which a signal arrived.
    """
    with _observers(
        recording, state, history, signals, callbacks, loggers, progress=progress
    ) as observers:
        fit(
            **arguments,
            epochs=recording.epochs,
            patience=recording.patience,
            state=state,
            history=history,
            callbacks=observers,
        )


@contextmanager
def _observers(
    recording: Recording,
    state: TrainState,
    history: Sequence[Record],
    signals: ReceivedSignals,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger] | None,
    *,
    progress: bool,
) -> Iterator[list[Callback]]:
    """Callbacks that record the epochs; they raise `Interrupted` after one with a signal."""
    out, epochs, past = recording.out, recording.epochs, list(history)
    identity = read_identity(out) if is_main_process() else None
    settings = with_identity(recording.settings, identity)

    def write(state: TrainState, record: Record) -> None:
        save_soon(
            checkpoints_folder(out),
            state,
            configuration=settings,
            normalisation=recording.normalisation,
            validation_loss=record.get("validation", {}).get("loss"),
            keep=recording.keep,
        )

    save_due = saver(write, save_every=recording.save_every)

    def save(state: TrainState, record: Record) -> bool:
        past.append(record)
        results = [callback(state, record) for callback in callbacks]
        is_stopped = any(map(is_stop, results))
        stalled = training.stalled(past, recording.patience)
        last = record["epoch"] == epochs or is_stopped or stalled
        number = max_over_processes(pending_signal() or 0)  # all processes save, or none does
        stop = signal.Signals(number) if number and not last else None
        save_due(state, past, last or stop is not None)
        for log in logs:  # after the checkpoint, which a logger cannot lose
            log(state, record)
        if stop:
            raise Interrupted(
                f"{stop.name}: stopped after epoch {record['epoch']} of {epochs}, which is saved; "
                f"{how_to_resume(out, recording.caller)}",
                stop,
            )
        return is_stopped

    if loggers is None:
        loggers = [tensorboard(out / "tensorboard")]
    shown = training.progress(epochs, done=int(state.epoch))
    with (
        defer_signals(signals) as pending_signal,
        checkpoints.in_background() as save_soon,
        history_writer(history_file(out), history, identity)
        if is_main_process()
        else nullcontext() as record_epoch,
        opened(loggers if is_main_process() else ()) as logs,
        shown if progress and is_main_process() else nullcontext() as show,
    ):
        observers = (record_epoch, save, show)
        yield [observe for observe in observers if observe is not None]
