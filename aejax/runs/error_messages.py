"""Messages for fatal errors and signals: the cause, and how to resume the run."""

import errno
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from aejax import checkpoints
from aejax.runs.run import checkpoints_folder, configuration_file, objective_file, sweep_file
from aejax.runs.signals import Interrupted, ReceivedSignals, raise_on_signal
from aejax.training import NonFiniteLossError

DISK_FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
PERMISSION_ERRORS = {errno.EROFS, errno.EACCES, errno.EPERM}


class Caller(NamedTuple):
    """Origin of a run, whose words messages use.

    resume: advice for resuming the run in the folder `{out}`.
    out:    the option that names the folder.
    steady: advice for a loss that is not finite.
    """

    resume: str
    out: str
    steady: str


COMMAND = Caller(
    "resume with: aejax train --resume --out {out}",
    "--out",
    "lower --learning-rate, or clip the gradient, as with --clip 1",
)
PYTHON = Caller(
    "resume with: aejax.runs.train(..., out='{out}', resume=True)",
    "out",
    "lower the learning rate, or clip the gradient (optax.clip_by_global_norm)",
)


@contextmanager
def interruptible(out: Path) -> Iterator[ReceivedSignals]:
    """Stop a run at Ctrl-C or SIGTERM with a message that says how to resume it.

    Args:
        out: folder of the run.

    Yields:
        The signals received.
    """
    try:
        with raise_on_signal() as received:
            yield received
    except KeyboardInterrupt as stop:
        if stop.args == (signal.SIGTERM,):
            raise Interrupted(f"SIGTERM: stopped; {how_to_resume(out)}", signal.SIGTERM) from stop
        raise KeyboardInterrupt(f"interrupted; {how_to_resume(out)}") from stop


class UnwritableError(OSError):
    """The folder of a run cannot be written; pending writes of other threads fail as well."""


@contextmanager
def explain_errors(out: Path, caller: Caller = COMMAND) -> Iterator[None]:
    """Re-raise the error of a run with a message that says what to do.

    Args:
        out: folder of the run.
        caller: origin of the run.

    Raises:
        FloatingPointError: the loss is not finite; the message names the last good checkpoint.
        UnwritableError: the folder cannot be written. The process must exit at once, since errors
            in other threads remain silenced.
    """
    with ExitStack() as quiet:
        quiet.enter_context(_quiet_threads())
        try:
            yield
        except NonFiniteLossError as error:
            folder = checkpoints_folder(out)
            step = checkpoints.newest_intact_step(folder)
            good = "there is none" if step is None else str(folder / str(step))
            raise FloatingPointError(
                f"{error.finding}; {caller.steady}\nLast good checkpoint: {good}"
            ) from error
        except OSError as error:
            if error.errno not in DISK_FULL_ERRORS | PERMISSION_ERRORS:
                raise
            quiet.pop_all()
            advice = (
                f"\nFree some space, then {how_to_resume(out, caller)}"
                if error.errno in DISK_FULL_ERRORS
                else f"; choose another {caller.out}"
            )
            raise UnwritableError(f"{out}: {error.strerror}{advice}") from error


def how_to_resume(out: Path, caller: Caller = COMMAND) -> str:
    """Advice that ends the message about a stopped run or sweep."""
    if sweep_file(out).exists():
        return "run it again with the same settings: finished programs are kept"
    started = configuration_file(out).exists() or objective_file(out).exists()
    return caller.resume.format(out=out) if started else "start the run again"


@contextmanager
def _quiet_threads() -> Iterator[None]:
    """Silence duplicate tracebacks of Orbax worker threads; the main thread re-raises the error.

    Orbax logs its errors. TensorStore's threads, which finish other writes after the first failure,
    raise because Orbax has closed its event loop.
    """
    log, hook = logging.getLogger("absl"), sys.unraisablehook
    level = log.level

    def hide_late_errors(unraisable: Any) -> None:
        error = (unraisable.exc_type, str(unraisable.exc_value))
        is_late = error == (RuntimeError, "Event loop is closed")
        if not is_late or threading.current_thread() is threading.main_thread():
            hook(unraisable)

    sys.unraisablehook = hide_late_errors
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        log.setLevel(level)
