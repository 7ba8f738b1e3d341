"""SIGINT and SIGTERM handlers that stop a run at once, or after it has saved an epoch."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818 -- a requested stop is not an error
    """A run was stopped on request; the message says how to resume it."""

    def __init__(self, message: str, number: signal.Signals):
        super().__init__(message)
        self.number = number


ReceivedSignals = list[signal.Signals]
"""Signals in the order of their arrival."""

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def raise_on_signal() -> Iterator[ReceivedSignals]:
    """Record SIGINT and SIGTERM and raise KeyboardInterrupt(signal).

    Python swallows an exception that is raised during garbage collection, so the signal is recorded
    as well.

    Yields:
        The signals received; `defer_signals` takes them.
    """
    received: ReceivedSignals = []

    def stop(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number))
        raise KeyboardInterrupt(received[-1])

    def hide_interrupts(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            hook(unraisable)

    hook, sys.unraisablehook = sys.unraisablehook, hide_interrupts
    try:
        with _handler(stop):
            yield received
    finally:
        if sys.unraisablehook is hide_interrupts:  # `explain_errors` may have replaced it
            sys.unraisablehook = hook


@contextmanager
def defer_signals(
    received: ReceivedSignals,
) -> Iterator[Callable[[], signal.Signals | None]]:
    """Record the first SIGINT or SIGTERM without acting on it; the second has its former effect.

    Args:
        received: list that the signal is appended to; it contains the signals received before.

    Yields:
        A function that returns the first signal received, or None.
    """

    def record(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number))
        restore()

    with _handler(record) as restore:
        yield lambda: received[0] if received else None


@contextmanager
def _handler(handler: Handler) -> Iterator[Callable[[], None]]:
    """Install a handler of both signals; yields a function that restores the former handlers.

    Outside the main thread, where Python does not allow handlers, nothing is changed.
    """
    main = threading.current_thread() is threading.main_thread()
    before = {each: signal.signal(each, handler) for each in SIGNALS if main}

    def restore() -> None:
        for each, former in before.items():  # None: the handler was not installed by Python
            signal.signal(each, signal.SIG_DFL if former is None else former)

    try:
        yield restore
    finally:
        restore()
