"""How a run that cannot go on says so, and what its user does then."""

import errno
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from aejax import checkpoints
from aejax.cli.process.signals import Interrupted, Noted, raised
from aejax.runs.run import checkpoints_folder, configuration_file
from aejax.training import NonFiniteLossError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def stoppable(out: Path) -> Iterator[Noted]:
    """Ctrl-C and SIGTERM end a run at once, with a word on how to go on.

    Args:
        out: the run's folder.

    Yields:
        The signals that came.
    """
    try:
        with raised() as noted:
            yield noted
    except KeyboardInterrupt as stop:
        if stop.args == (signal.SIGTERM,):
            raise Interrupted(f"SIGTERM: stopped; {_go_on(out)}", signal.SIGTERM) from stop
        raise KeyboardInterrupt(f"interrupted; {_go_on(out)}") from stop


class UnwritableError(OSError):
    """A run's folder cannot be written to; what threads have still to write there fails too."""


@contextmanager
def explained(out: Path) -> Iterator[None]:
    """What a run fails of is raised again with what to do about it.

    Args:
        out: the run's folder.

    Raises:
        UnwritableError: the process has to end by it at once: threads go on failing, in silence.
    """
    with ExitStack() as quiet:
        quiet.enter_context(_quiet_threads())
        try:
            yield
        except NonFiniteLossError as error:
            folder = checkpoints_folder(out)
            step = checkpoints.newest_intact_step(folder)
            good = "there is none" if step is None else str(folder / str(step))
            raise FloatingPointError(f"{error}\nLast good checkpoint: {good}") from error
        except OSError as error:
            if error.errno not in FULL | CLOSED:
                raise
            quiet.pop_all()
            advice = (
                f"\nMake room, and {_go_on(out)}"
                if error.errno in FULL
                else "; choose another --out"
            )
            raise UnwritableError(f"{out}: {error.strerror}{advice}") from error


def _go_on(out: Path) -> str:
    started = configuration_file(out).exists()
    return f"go on with: aejax train --resume --out {out}" if started else "start the run again"


@contextmanager
def _quiet_threads() -> Iterator[None]:
    """What fails in Orbax's threads is raised in ours too: their own accounts would flood it.

    Orbax says it by its log. TensorStore's threads, which end other writes after the first has
    failed, find the event loop closed in which Orbax waited for them.
    """
    log, hook = logging.getLogger("absl"), sys.unraisablehook
    level = log.level

    def drop(dropped: Any) -> None:
        late = (dropped.exc_type, str(dropped.exc_value)) == (RuntimeError, "Event loop is closed")
        if not late or threading.current_thread() is threading.main_thread():
            hook(dropped)

    sys.unraisablehook = drop
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        log.setLevel(level)
