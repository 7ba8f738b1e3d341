"""Logger that sends records to Weights & Biases."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from typing import Any

from aejax.runs.loggers.flat_records import flat_record, flat_settings
from aejax.runs.loggers.image_rows import ImageOf, due_images
from aejax.runs.loggers.tracked_runs import TrackedRun, explained, send_once, start_tracking
from aejax.training import TrainState
from aejax.training.records import Callback, Record


@contextmanager
def wandb(
    folder: str | PathLike[str],
    *,
    images: Mapping[str, ImageOf] | None = None,
    every: int = 1,
    hyperparameters: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Iterator[Callback]:
    """Log the epochs to Weights & Biases; a resumed run continues there, without repeated steps.

    Args:
        folder: folder of the run; `wandb.json` in it stores the identity and the last step.
        images: functions of the parameters that return an image in [0, 1], by name, such as
            `aejax.runs.loggers.reconstructions`.
        every: number of epochs between images.
        hyperparameters: JSON values for the configuration that W&B shows.
        settings: other arguments of `wandb.init`, such as project, name, or mode="offline".

    Yields:
        A function of (state, record).

    Raises:
        ImportError: if wandb is missing.
        ConnectionError: if W&B cannot be reached, or does not know the user.
        ValueError: if `wandb.json` has other contents, a hyperparameter is no JSON value, or
            `every` is not positive.
    """
    draw, config = due_images(images, every), flat_settings(hyperparameters)
    client, path, tracked = start_tracking("wandb", folder)
    tracked = tracked or TrackedRun(settings.pop("id", None) or secrets.token_hex(4), -1)
    options = {"dir": str(path.parent), "config": config}
    with explained("W&B", "run wandb login, or set WANDB_MODE=offline"):
        run = client.init(**options | settings | {"id": tracked.identity, "resume": "allow"})

    def send(state: TrainState, record: Record) -> None:
        shown = {name: client.Image(image) for name, image in draw(state, record).items()}
        values = {"epoch": record["epoch"], **dict(flat_record(record))}
        run.log(values | shown, step=record["step"])

    try:
        yield send_once(path, tracked, send)
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()
