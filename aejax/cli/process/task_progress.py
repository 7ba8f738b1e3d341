"""Progress of a number of tasks on stderr: a bar in a terminal, lines elsewhere."""

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from aejax.training.progress import SECONDS_BETWEEN_LINES

Show = Callable[[str], None]
"""Function to call with the name of each task before it starts."""


@contextmanager
def task_progress(noun: str, total: int) -> Iterator[Show]:
    """Show the number of finished tasks and the current task on stderr.

    A terminal shows a bar. Elsewhere, as in a log file, a line is printed every 10 seconds.

    Args:
        noun: name of one task.
        total: number of tasks.

    Yields:
        A function to call with the name of each task before it starts.
    """
    console = Console(stderr=True)
    with _bar(noun, total, console) if console.is_terminal else lines(noun, total) as show:
        yield show


@contextmanager
def _bar(noun: str, total: int, console: Console) -> Iterator[Show]:
    bar = Progress(
        TextColumn(noun),
        MofNCompleteColumn(),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[name]}"),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task(noun, total=total, name="")
        finished = itertools.count()
        yield lambda name: bar.update(task, completed=next(finished), name=name, refresh=True)


@contextmanager
def lines(noun: str, total: int, clock: Callable[[], float] = time.monotonic) -> Iterator[Show]:
    """Print a line about the task that starts, at most every 10 seconds.

    Args:
        noun: name of one task.
        total: number of tasks.
        clock: clock in seconds.

    Yields:
        A function to call with the name of each task before it starts.
    """
    printed_at, indices = clock(), itertools.count(1)

    def show(name: str) -> None:
        nonlocal printed_at
        index, now = next(indices), clock()
        if now - printed_at >= SECONDS_BETWEEN_LINES:
            print(f"{noun} {index}/{total}: {name}", file=sys.stderr, flush=True)
            printed_at = now

    yield show
