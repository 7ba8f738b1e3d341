"""Thresholds of a BatchTopK dictionary in use, which a run stores for each of its checkpoints."""

from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp

from aejax.runs.configuration import Training
from aejax.runs.integrity import check_digest, read_identity, write_files
from aejax.runs.json_files import json_text, read_json
from aejax.types import Params


def has_threshold(configuration: Training) -> bool:
    """Whether a model in use has a threshold that training does not have.

    Args:
        configuration: settings of the run.

    Returns:
        True for a BatchTopK dictionary.
    """
    return configuration.dictionary.activation == "batchtopk"


def thresholds_file(run: Path) -> Path:
    """Path of the thresholds of a run, by the step of the checkpoint."""
    return run / "thresholds.json"


def with_threshold(params: Params, threshold: float) -> Params:
    """Parameters in use of a dictionary.

    Args:
        params: trained parameters.
        threshold: threshold of every unit.

    Returns:
        The parameters with "threshold" [units] in the encoder.
    """
    encoder = params["encoder"]
    thresholds = jnp.full_like(encoder["bias"], threshold)
    return params | {"encoder": encoder | {"threshold": thresholds}}


def write_thresholds(run: Path, thresholds: Mapping[int, float]) -> None:
    """Write the thresholds of a run.

    Args:
        run: folder of the run.
        thresholds: threshold of each checkpoint, by its step.
    """
    document = {str(step): threshold for step, threshold in thresholds.items()}
    data = json_text(document).encode()
    write_files(run, read_identity(run), {thresholds_file(run).name: data})


def with_stored_threshold(run: Path, configuration: Training, params: Params, step: int) -> Params:
    """Parameters in use, with the threshold that a run has stored.

    Args:
        run: folder of the run.
        configuration: its settings.
        params: parameters of a checkpoint.
        step: step of the checkpoint.

    Returns:
        The parameters of the model in use; those given unless it has a threshold.

    Raises:
        ValueError: if the run has stored no threshold for the step, or the file is damaged.
    """
    if not has_threshold(configuration):
        return params
    path = thresholds_file(run)
    check_digest(path)
    threshold = (read_json(path) if path.exists() else {}).get(str(step))
    if not isinstance(threshold, float):
        raise ValueError(
            f"{run} has no threshold for step {step}; thresholds are solved for at the end of the "
            f"training: say aejax train --resume --out {run}"
        )
    return with_threshold(params, threshold)
