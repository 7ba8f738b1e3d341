"""A run that is asked to stop does so between two epochs, with everything saved."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818 -- it says what happened, and nothing went wrong
    """A run stopped as it was asked to; the message says how to go on."""

    def __init__(self, message: str, number: signal.Signals):
        super().__init__(message)
        self.number = number


@contextmanager
def sigterm_raised() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt(SIGTERM), as SIGINT raises it bare.

    Outside the main thread, where Python takes no handlers, nothing is changed.
    """

    def stop(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number))

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def deferred() -> Iterator[Callable[[], signal.Signals | None]]:
    """SIGINT and SIGTERM are noted instead of obeyed; the second one is obeyed at once.

    Outside the main thread, where Python takes no handlers, nothing is changed.

    Yields:
        A function that gives the signal noted, or None.
    """
    noted: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def note(number: int, _: FrameType | None) -> None:
        noted.append(signal.Signals(number))
        restore()

    def restore() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    before = {each: signal.signal(each, note) for each in SIGNALS}
    try:
        yield lambda: noted[0] if noted else None
    finally:
        restore()
