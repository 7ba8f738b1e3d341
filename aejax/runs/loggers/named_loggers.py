"""Loggers of `aejax train`: chosen by name, with the files of a run in its folder."""

import os
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import jax

from aejax.data.image_size import is_image_shape
from aejax.objectives import Objective
from aejax.runs.examples import Examples
from aejax.runs.loggers.csv_log import csv
from aejax.runs.loggers.image_rows import ImageOf, reconstructions
from aejax.runs.loggers.logging_contexts import Logger
from aejax.runs.loggers.mlflow_log import mlflow
from aejax.runs.loggers.tensorboard_log import tensorboard
from aejax.runs.loggers.wandb_log import wandb

LoggerName = Literal["csv", "tensorboard", "wandb", "mlflow"]

FILES: Mapping[LoggerName, str] = {
    "csv": "epochs.csv",
    "tensorboard": "tensorboard",
    "wandb": "wandb.json",
    "mlflow": "mlflow.json",
}
"""File or folder in that of a run, by which a resumed run recognises its loggers."""

DEFAULT: tuple[LoggerName, ...] = ("tensorboard",)
"""Loggers of a new run."""

SHOWN_EXAMPLES = 8
"""Number of test examples in an image."""

IMAGES_PER_RUN = 10
"""Number of images of a run that is not stopped early."""


def check_installed(names: Iterable[LoggerName]) -> None:
    """Raise ImportError if the package of a logger is missing."""
    for name in names:
        if name in ("wandb", "mlflow") and find_spec(name) is None:
            raise ImportError(f"--loggers {name} needs {name}: pip install 'aejax[{name}]'")


def used_loggers(out: Path) -> tuple[LoggerName, ...]:
    """Names of the loggers that wrote to the folder of a run."""
    return tuple(name for name, file in FILES.items() if (out / file).exists())


def named_loggers(
    names: Iterable[LoggerName],
    out: Path,
    *,
    settings: Mapping[str, Any],
    images: Mapping[str, ImageOf],
    epochs: int,
) -> list[Logger]:
    """Make loggers with their files in the folder of a run.

    Args:
        names: names of loggers; repeated ones count once.
        out: folder of the run, whose name is that of the run at a tracker.
        settings: hyperparameters, as JSON values.
        images: images of the parameters by name.
        epochs: number of epochs of the run.

    Returns:
        The loggers. W&B and MLflow read their variables, such as WANDB_PROJECT, WANDB_MODE,
        MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME.
    """
    every = -(-epochs // IMAGES_PER_RUN)
    shown: dict[str, Any] = {"images": images, "every": every, "hyperparameters": settings}
    name, project = out.resolve().name, os.environ.get("WANDB_PROJECT", "aejax")
    makers = {
        "csv": lambda: csv(out / FILES["csv"]),
        "tensorboard": lambda: tensorboard(out / FILES["tensorboard"], **shown),
        "wandb": lambda: wandb(out, project=project, name=name, **shown),
        "mlflow": lambda: mlflow(out, run_name=name, **shown),
    }
    return [makers[each]() for each in dict.fromkeys(names)]


def example_images(objective: Objective, examples: Examples) -> dict[str, ImageOf]:
    """Images of the first test examples above their reconstructions.

    Args:
        objective: objective of the run.
        examples: its examples.

    Returns:
        The image by its name; none for examples that are no images, or in several processes, each
        of which has only a part of the parameters.
    """
    if not is_image_shape(examples.shape) or jax.process_count() > 1:
        return {}
    first = next(iter(examples.test_batches())).x[:SHOWN_EXAMPLES]
    return {"reconstructions": reconstructions(objective, first, image_shape=examples.shape)}
