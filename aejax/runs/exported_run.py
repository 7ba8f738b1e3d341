"""Folder of a run with its parameters instead of checkpoints, which `open_run` opens."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aejax import interchange
from aejax.interchange.nested_dicts import as_nested_dicts
from aejax.runs.inference import TrainedRun
from aejax.runs.integrity import write_files
from aejax.runs.run import Run, parameters_file, write_settings


def write_exported_run(
    folder: Path, run: Run, *, identity: str | None, description: Mapping[str, Any]
) -> None:
    """Write parameters, settings, data description and digests of a run.

    Args:
        folder: destination, which exists.
        run: trained run.
        identity: identity of the run.
        description: metadata of the parameters; its "step" is the step of the checkpoint.
    """
    path = parameters_file(folder)
    interchange.save_parameters(path, exported_parameters(run), description=description)
    write_settings(folder, run.configuration, run.about, identity=identity)
    write_files(folder, identity, {path.name: path.read_bytes()})


def exported_parameters(run: TrainedRun) -> dict[str, Any]:
    """Parameters of a run and, below "normalisation", its shift and scale."""
    normalisation = jax.tree.map(np.asarray, run.normalisation._asdict())
    return as_nested_dicts(run.params) | {"normalisation": normalisation}
