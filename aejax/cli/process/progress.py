"""Progress bar with loss, examples per second and remaining time."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from aejax.training import TrainState
from aejax.training.records import Callback, Record


@contextmanager
def progress_bar(epochs: int, *, done: int, quiet: bool) -> Iterator[Callback]:
    """Show a progress bar on stderr if stderr is a terminal.

    Args:
        epochs: total number of epochs.
        done: number of epochs before a resumed run starts.
        quiet: whether to hide the bar.

    Yields:
        A callback for `fit` that advances the bar.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[measured]}"),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
    )
    with bar:
        task = bar.add_task("train", total=epochs, completed=done, measured="compiling")

        def show(_: TrainState, record: Record) -> None:
            measured = f"loss {record['loss']:.4g}"
            if "validation" in record:
                measured += f", validation {record['validation']['loss']:.4g}"
            measured += f", {record['examples_per_second']:,.0f} examples/s"
            bar.update(task, completed=record["epoch"], measured=measured)

        yield show
