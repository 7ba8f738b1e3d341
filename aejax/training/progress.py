"""Progress of a training on stderr: a bar in a terminal or notebook, lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aejax.training.records import Callback, Record
from aejax.training.steps import TrainState

SECONDS_BETWEEN_LINES = 10.0
"""Minimum time between two lines where there is no bar, such as in a log file."""

BAR_LENGTH = 30
"""Number of characters of the bar in a notebook."""


@contextmanager
def progress(epochs: int, *, done: int = 0) -> Iterator[Callback]:
    """Show the progress of a training: epoch, losses, examples per second.

    A terminal shows a bar with the remaining time, a notebook a bar. Elsewhere, as in a log file,
    lines are printed: after the first epoch, then every 10 seconds, and after the last epoch.

    Args:
        epochs: total number of epochs.
        done: number of epochs before a resumed training starts.

    Yields:
        A callback for `fit`.

    Example:
        >>> from aejax import training
        >>> with training.progress(epochs=20) as show:
        ...     callbacks = [show]  # of training.fit
    """
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter:
        shown = _notebook_bar(epochs)
    elif console.is_terminal:
        shown = _terminal_bar(epochs, done, console)
    else:
        shown = _lines(epochs)
    with shown as show:
        yield show


@contextmanager
def _terminal_bar(epochs: int, done: int, console: Any) -> Iterator[Callback]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[measured]}"),
        TimeRemainingColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task("train", total=epochs, completed=done, measured="compiling")

        def show(_: TrainState, record: Record) -> None:
            bar.update(task, completed=record["epoch"], measured=_measured(record))

        yield show


@contextmanager
def _notebook_bar(epochs: int) -> Iterator[Callback]:
    """One line that is overwritten; rich's bar would need ipywidgets."""
    width = 0

    def show(_: TrainState, record: Record) -> None:
        nonlocal width
        filled = BAR_LENGTH * record["epoch"] // epochs
        bar = "#" * filled + "-" * (BAR_LENGTH - filled)
        line = f"epoch {record['epoch']}/{epochs} {bar} {_measured(record)}"
        print(f"\r{line:{width}}", end="", file=sys.stderr, flush=True)
        width = len(line)

    try:
        yield show
    finally:
        if width:
            print(file=sys.stderr, flush=True)


@contextmanager
def _lines(epochs: int, clock: Callable[[], float] = time.monotonic) -> Iterator[Callback]:
    """Lines at intervals, and one for the last epoch, which early stopping does not announce."""
    printed_at, pending = None, None

    def print_line(record: Record) -> None:
        line = f"epoch {record['epoch']}/{epochs}: {_measured(record)}"
        print(line, file=sys.stderr, flush=True)

    def show(_: TrainState, record: Record) -> None:
        nonlocal printed_at, pending
        pending, now = record, clock()
        if printed_at is None or now - printed_at >= SECONDS_BETWEEN_LINES:
            print_line(record)
            printed_at, pending = now, None

    try:
        yield show
    finally:
        if pending is not None:
            print_line(pending)


def _measured(record: Record) -> str:
    """Losses and speed of an epoch."""
    measured = f"loss {record['loss']:.4g}"
    if "validation" in record:
        measured += f", validation {record['validation']['loss']:.4g}"
    return f"{measured}, {record['examples_per_second']:,.0f} examples/s"
