"""Logger that writes TensorBoard events: scalars, images and hyperparameters."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, cast

from aejax.runs.loggers.flat_records import flat_record, flat_settings
from aejax.runs.loggers.image_rows import ImageOf, due_images
from aejax.training import TrainState
from aejax.training.records import Callback, Record

OBJECTIVES = {"train/loss": 0.0, "validation/loss": 0.0}
"""Scalars that the table of hyperparameters shows; the values are placeholders."""


@contextmanager
def tensorboard(
    folder: str | PathLike[str],
    *,
    images: Mapping[str, ImageOf] | None = None,
    every: int = 1,
    hyperparameters: Mapping[str, Any] | None = None,
) -> Iterator[Callback]:
    """Log the epochs as TensorBoard events.

    A resumed run continues the curves: TensorBoard discards events from its first step on, which a
    run that was killed may have written.

    Args:
        folder: folder of the events, which is created.
        images: functions of the parameters that return an image in [0, 1], by name, such as
            `aejax.runs.loggers.reconstructions`.
        every: number of epochs between images.
        hyperparameters: JSON values for the table of hyperparameters.

    Yields:
        A function of (state, record).

    Raises:
        ValueError: if `every` is not positive, or a hyperparameter is no JSON value.
        OSError: if the folder cannot be written.
    """
    folder, draw = Path(folder).expanduser(), due_images(images, every)
    settings = flat_settings(hyperparameters)
    make_writer = _summary_writer()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        writer: Any = None

        def log(state: TrainState, record: Record) -> None:
            nonlocal writer
            step = record["step"]
            if writer is None:
                suffix = f".{step:012d}"  # file names differ only in it within a second
                writer = make_writer(str(folder), purge_step=step, filename_suffix=suffix)
                stack.enter_context(writer)
                _write_settings(writer, settings)
            for name, value in flat_record(record):
                writer.add_scalar(name, value, step)
            for name, image in draw(state, record).items():
                writer.add_image(name, image, step, dataformats="HWC")

        yield log


def _write_settings(writer: Any, settings: dict[str, Any]) -> None:
    """Write the hyperparameters to the same events as the scalars."""
    if settings:
        from tensorboardX.summary import hparams

        for summary in hparams(settings, OBJECTIVES):
            writer.file_writer.add_summary(summary)


def _summary_writer() -> Any:
    """Import tensorboardX's writer without PyTorch, whose unused import would take seconds."""
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = cast(Any, None)  # None makes `import torch` fail
    try:
        from tensorboardX import SummaryWriter
    finally:
        if hidden:
            del sys.modules["torch"]
    return SummaryWriter
