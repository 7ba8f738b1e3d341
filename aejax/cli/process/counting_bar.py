"""Progress bar of a number of tasks, on stderr."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def counting_bar(noun: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show the number of finished tasks and the current task on stderr if it is a terminal.

    Args:
        noun: name of one task.
        total: number of tasks.

    Yields:
        A function to call with the name of each task before it starts.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn(noun),
        MofNCompleteColumn(),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[name]}"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with bar:
        task = bar.add_task(noun, total=total, name="")
        finished = itertools.count()
        yield lambda name: bar.update(task, completed=next(finished), name=name, refresh=True)
