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

NORMALISATION = "normalisation"
"""Entry of the exported parameters that contains the shift and scale of the data."""


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
    """Parameters of a run and, below "normalisation", its shift and scale.

    Args:
        run: trained run.

    Returns:
        Nested dicts of arrays.

    Raises:
        ValueError: if the parameters are a single array, or have an entry "normalisation".
    """
    advice = "return a dict from the model's init, such as {'kernel': array}"
    if jax.tree_util.treedef_is_leaf(jax.tree.structure(run.params)):
        raise ValueError(f"the parameters are one array, which has no name in a file: {advice}")
    nested = as_nested_dicts(run.params)
    if NORMALISATION in nested:
        raise ValueError(
            f"the parameters have an entry {NORMALISATION!r}, the name of the shift and scale of "
            "the data in exported files: rename it in the model's init"
        )
    normalisation = jax.tree.map(np.asarray, run.normalisation._asdict())
    return nested | {NORMALISATION: normalisation}
