"""Logger that sends records to Weights & Biases."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from aejax.runs.loggers.flat_records import flat_record, flat_settings
from aejax.runs.loggers.tracked_runs import TrackedRun, read_tracked_run, send_once
from aejax.training.records import Callback, Record


@contextmanager
def wandb(
    folder: str | PathLike[str],
    *,
    hyperparameters: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Iterator[Callback]:
    """Log the epochs to Weights & Biases; a resumed run continues there, without repeated steps.

    Args:
        folder: folder of the run; `wandb.json` in it stores the identity and the last step.
        hyperparameters: JSON values for the configuration that W&B shows.
        settings: other arguments of `wandb.init`, such as project, name, or mode="offline".

    Yields:
        A function of (state, record).

    Raises:
        ImportError: if wandb is missing.
        ValueError: if `wandb.json` has other contents, or a hyperparameter is no JSON value.
    """
    try:
        import wandb as client  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("this logger needs wandb: pip install 'aejax[wandb]'") from error
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "wandb.json"
    tracked = read_tracked_run(path)
    tracked = tracked or TrackedRun(settings.pop("id", None) or secrets.token_hex(4), -1)
    options = {"dir": str(folder), "config": flat_settings(hyperparameters)}
    run = client.init(**options | settings | {"id": tracked.identity, "resume": "allow"})

    def send(record: Record) -> None:
        run.log({"epoch": record["epoch"], **dict(flat_record(record))}, step=record["step"])

    try:
        yield send_once(path, tracked, send)
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()
