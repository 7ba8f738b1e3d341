"""Logger that sends records to MLflow."""

import os
import time
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
def mlflow(
    folder: str | PathLike[str],
    *,
    experiment: str | None = None,
    run_name: str | None = None,
    tracking_uri: str | None = None,
    images: Mapping[str, ImageOf] | None = None,
    every: int = 1,
    hyperparameters: Mapping[str, Any] | None = None,
) -> Iterator[Callback]:
    """Log the epochs to MLflow; a resumed run continues there, without repeated steps.

    Args:
        folder: folder of the run; `mlflow.json` in it stores the identity and the last step.
        experiment: name of the experiment, which is created if there is none (default: that of the
            variable MLFLOW_EXPERIMENT_NAME, or "aejax").
        run_name: name of the run (default: chosen by MLflow).
        tracking_uri: address of the server, or of a local store (default: that of MLflow).
        images: functions of the parameters that return an image in [0, 1], by name, such as
            `aejax.runs.loggers.reconstructions`.
        every: number of epochs between images.
        hyperparameters: JSON values, stored as parameters of a new run.

    Yields:
        A function of (state, record).

    Raises:
        ImportError: if mlflow is missing.
        ConnectionError: if the store cannot be reached.
        ValueError: if `mlflow.json` has other contents, a hyperparameter is no JSON value, or
            `every` is not positive.
    """
    draw, settings = due_images(images, every), flat_settings(hyperparameters)
    package, path, tracked = start_tracking("mlflow", folder)
    with explained("MLflow", "check its address, MLFLOW_TRACKING_URI or tracking_uri"):
        client = package.MlflowClient(tracking_uri)
        if tracked is None:
            tracked = _new_run(client, experiment, run_name)
            params = [package.entities.Param(name, str(value)) for name, value in settings.items()]
            client.log_batch(tracked.identity, params=params)
        else:
            client.update_run(tracked.identity, status="RUNNING")
    identity = tracked.identity

    def send(state: TrainState, record: Record) -> None:
        now, step = int(1000 * time.time()), record["step"]
        metrics = [package.entities.Metric(*each, now, step) for each in flat_record(record)]
        client.log_batch(identity, metrics=metrics)
        for name, image in draw(state, record).items():
            client.log_image(identity, image, key=name, step=step, synchronous=True)

    try:
        yield send_once(path, tracked, send)
    except BaseException:
        client.set_terminated(identity, "FAILED")
        raise
    client.set_terminated(identity, "FINISHED")


def _new_run(client: Any, experiment: str | None, run_name: str | None) -> TrackedRun:
    """Create a run, and its experiment if there is none of this name."""
    name = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME", "aejax")
    found = client.get_experiment_by_name(name)
    number = client.create_experiment(name) if found is None else found.experiment_id
    return TrackedRun(client.create_run(number, run_name=run_name).info.run_id, -1)
