"""Contexts of loggers: opened before a training, closed after it, and unable to stop it."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from aejax.training import TrainState
from aejax.training.records import Callback, Record

Logger = Callback | AbstractContextManager[Callback]
"""A function of (state, record), or a context manager of one; its result is ignored."""


class LoggerWarning(RuntimeWarning):
    """A logger failed; the training continues without it."""


def check_loggers(loggers: Any) -> None:
    """Check that loggers are a list of functions or context managers.

    Args:
        loggers: argument to check, or None.

    Raises:
        ValueError: if they are not.
    """
    if loggers is None:
        return
    is_list = isinstance(loggers, Sequence) and not isinstance(loggers, str)
    if not is_list or not all(callable(each) or hasattr(each, "__enter__") for each in loggers):
        raise ValueError(
            "loggers must be a list of functions of (state, record), or of context managers such "
            f"as aejax.runs.loggers.csv(path), got {loggers!r}"
        )


@contextmanager
def opened(loggers: Sequence[Logger]) -> Iterator[list[Callback]]:
    """Open loggers, and close them at the end.

    Args:
        loggers: loggers.

    Yields:
        A callback for each logger. A logger that raises an error is left out from then on, with a
        warning; the training continues.

    Raises:
        ValueError: if a logger is used a second time. Other errors of opening are not changed.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(_guarded(logger)) for logger in loggers]


@contextmanager
def _guarded(logger: Logger) -> Iterator[Callback]:
    context = logger if isinstance(logger, AbstractContextManager) else nullcontext(logger)
    name = getattr(logger, "__name__", getattr(getattr(logger, "func", None), "__name__", None))
    name = name or type(logger).__name__
    log = _enter(context, name)
    has_failed = False

    def observe(state: TrainState, record: Record) -> None:
        nonlocal has_failed
        if has_failed:
            return
        try:
            log(state, record)
        except Exception as error:
            has_failed = True
            _warn(name, f"failed at epoch {record['epoch']} and is left out from then on", error)

    try:
        yield observe
    except BaseException as error:
        _leave(context, name, type(error), error, error.__traceback__)
        raise
    _leave(context, name, None, None, None)


def _enter(context: AbstractContextManager[Callback], name: str) -> Callback:
    try:
        return context.__enter__()
    except AttributeError as error:  # of a generator that has ended
        if hasattr(context, "gen") and not hasattr(context, "args"):
            raise ValueError(
                f"the logger {name} was used before: make a new one for each training"
            ) from error
        raise


def _leave(context: AbstractContextManager[Callback], name: str, *error: Any) -> None:
    try:
        context.__exit__(*error)
    except Exception as failure:
        _warn(name, "could not be closed", failure)


def _warn(name: str, what: str, error: Exception) -> None:
    message = f"the logger {name} {what}: {type(error).__name__}: {error}"
    warnings.warn(message, LoggerWarning, stacklevel=3)
