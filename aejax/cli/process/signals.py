"""A run that is asked to stop does so between two epochs, with everything saved."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818 -- it says what happened, and nothing went wrong
    """A run stopped as it was asked to; the message says how to go on."""

    def __init__(self, message: str, number: signal.Signals):
        super().__init__(message)
        self.number = number


Noted = list[signal.Signals]
"""Signals that came, in their order."""

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def raised() -> Iterator[Noted]:
    """SIGINT and SIGTERM raise KeyboardInterrupt(signal), and are noted.

    Python drops what is raised while it collects garbage: then the note is all that is left.

    Yields:
        The signals noted; `deferred` takes them.
    """
    noted: Noted = []

    def stop(number: int, _: FrameType | None) -> None:
        noted.append(signal.Signals(number))
        raise KeyboardInterrupt(noted[-1])

    def drop(dropped: Any) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            hook(dropped)

    hook, sys.unraisablehook = sys.unraisablehook, drop
    try:
        with _handled(stop):
            yield noted
    finally:
        if sys.unraisablehook is drop:  # not where a run that fails has put another in its place
            sys.unraisablehook = hook


@contextmanager
def deferred(noted: Noted) -> Iterator[Callable[[], signal.Signals | None]]:
    """SIGINT and SIGTERM are noted instead of obeyed; the second one is obeyed at once.

    Args:
        noted: where; what it holds already has come before.

    Yields:
        A function that gives the first signal noted, or None.
    """

    def note(number: int, _: FrameType | None) -> None:
        noted.append(signal.Signals(number))
        restore()

    with _handled(note) as restore:
        yield lambda: noted[0] if noted else None


@contextmanager
def _handled(handler: Handler) -> Iterator[Callable[[], None]]:
    """Another handler of both; it yields what brings the former back.

    Outside the main thread, where Python takes no handlers, nothing is changed.
    """
    main = threading.current_thread() is threading.main_thread()
    before = {each: signal.signal(each, handler) for each in SIGNALS if main}

    def restore() -> None:
        for each, former in before.items():
            signal.signal(each, former)

    try:
        yield restore
    finally:
        restore()
