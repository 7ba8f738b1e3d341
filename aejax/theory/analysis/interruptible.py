"""Long calls into compiled code that Ctrl-C and SIGTERM can interrupt."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def interruptible(function: Callable[..., T], *args: Any) -> T:
    """Call a function in a daemon thread, so that signals are handled while it runs.

    Python runs signal handlers in the main thread between bytecode instructions, so that a call
    into LAPACK delays them for minutes. If a handler raises, the exception propagates immediately;
    the thread ends when its call returns, or with the process.

    Args:
        function: function that releases the GIL; NumPy's linear algebra does, SciPy's does not.
        args: positional arguments.

    Returns:
        The result of the function.

    Raises:
        BaseException: any exception raised by the function or by a signal handler.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function(*args))
        except BaseException as error:  # re-raised in the calling thread
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
