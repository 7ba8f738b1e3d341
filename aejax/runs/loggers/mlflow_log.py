"""Logger that sends records to MLflow."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from aejax.runs.loggers.flat_records import flat_record, flat_settings
from aejax.runs.loggers.tracked_runs import TrackedRun, read_tracked_run, send_once
from aejax.training.records import Callback, Record


@contextmanager
def mlflow(
    folder: str | PathLike[str],
    *,
    experiment: str = "aejax",
    run_name: str | None = None,
    tracking_uri: str | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
) -> Iterator[Callback]:
    """Log the epochs to MLflow; a resumed run continues there, without repeated steps.

    Args:
        folder: folder of the run; `mlflow.json` in it stores the identity and the last step.
        experiment: name of the experiment, which is created if there is none.
        run_name: name of the run (default: chosen by MLflow).
        tracking_uri: address of the server, or of a local store (default: that of MLflow).
        hyperparameters: JSON values, stored as parameters of a new run.

    Yields:
        A function of (state, record).

    Raises:
        ImportError: if mlflow is missing.
        ValueError: if `mlflow.json` has other contents, or a hyperparameter is no JSON value.
    """
    try:
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]
        from mlflow.entities import Metric, Param  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("this logger needs mlflow: pip install 'aejax[mlflow]'") from error
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mlflow.json"
    settings = flat_settings(hyperparameters)
    tracked, client = read_tracked_run(path), MlflowClient(tracking_uri)
    if tracked is None:
        found = client.get_experiment_by_name(experiment)
        number = client.create_experiment(experiment) if found is None else found.experiment_id
        run = client.create_run(number, run_name=run_name)
        tracked = TrackedRun(run.info.run_id, -1)
        client.log_batch(
            tracked.identity, params=[Param(name, str(value)) for name, value in settings.items()]
        )
    else:
        client.update_run(tracked.identity, status="RUNNING")
    identity = tracked.identity

    def send(record: Record) -> None:
        now, values = int(1000 * time.time()), dict(flat_record(record))
        metrics = [Metric(name, value, now, record["step"]) for name, value in values.items()]
        client.log_batch(identity, metrics=metrics)

    try:
        yield send_once(path, tracked, send)
    except BaseException:
        client.set_terminated(identity, "FAILED")
        raise
    client.set_terminated(identity, "FINISHED")
