"""Long calls into compiled code that Ctrl-C and SIGTERM can still interrupt."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def interruptible(function: Callable[..., T], *args: Any) -> T:
    """Call a function so that Python handles signals while it runs.

    Python runs signal handlers in the main thread, and between two of its own instructions: a call
    into LAPACK holds them up for minutes. Here the call runs in a daemon thread. Where a handler
    raises, the exception leaves at once, and the thread ends with its call or with the process.

    Args:
        function: one that releases the global interpreter lock: NumPy's linear algebra does,
            SciPy's does not.
        args: its arguments.

    Returns:
        What the function returns.

    Raises:
        BaseException: what the function, or a signal handler, raises.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function(*args))
        except BaseException as error:  # raised again in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
