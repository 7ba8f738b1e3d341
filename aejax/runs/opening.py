"""Opening of trained runs, those of the command line and those of `aejax.runs.train`."""

from os import PathLike
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from aejax import checkpoints
from aejax.data import Normalisation
from aejax.objectives import Objective
from aejax.repr_text import entries_html, entries_text, tree_text, value_text
from aejax.runs.environment import check_platform
from aejax.runs.factory_source import warn_of_changed_source
from aejax.runs.history import read_run_history
from aejax.runs.integrity import read_identity, with_identity
from aejax.runs.model_shapes import params_like
from aejax.runs.objective_record import check_params, read_record, resolve_objective
from aejax.runs.run import (
    About,
    Run,
    check_location,
    checkpoints_folder,
    configuration_file,
    normalisation_like,
    open_run,
    read_about,
)
from aejax.training.records import Record
from aejax.types import Params


class ObjectiveRun(NamedTuple):
    """A trained run of `aejax.runs.train`.

    folder:        folder of the run.
    about:         environment and data.
    objective:     the objective.
    params:        parameters of the best checkpoint, or of the one that was asked for.
    normalisation: normalisation of raw examples; shift 0 and scale 1 if there is none.
    step:          step of the checkpoint.
    history:       records of all epochs.
    dtype:         dtype of examples for the model.
    """

    folder: Path
    about: About
    objective: Objective
    params: Params
    normalisation: Normalisation
    step: int
    history: list[Record]
    dtype: np.dtype

    def __repr__(self) -> str:
        epochs = {"epochs": str(len(self.history))}
        shown = ("objective", "params", "normalisation", "step")
        texts = {name: value_text(getattr(self, name)) for name in shown}
        return entries_text(type(self).__name__, {"folder": str(self.folder)} | epochs | texts)

    def _repr_html_(self) -> str:
        counts, _, _ = tree_text(self.params).partition("\n")
        entries = {"step": str(self.step), "epochs": str(len(self.history)), "parameters": counts}
        losses = [each["validation"]["loss"] for each in self.history if "validation" in each]
        if losses:
            entries["lowest validation loss"] = f"{min(losses):.4g}"
        return entries_html(f"Run {self.folder}", entries)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example for the model, which is that of the data."""
        return self.about.feature_shape


def open(  # noqa: A001 -- read as runs.open
    run: str | PathLike[str],
    objective: Objective | None = None,
    *,
    checkpoint: int | None = None,
) -> ObjectiveRun | Run:
    """Open a trained run.

    Args:
        run: folder of the run.
        objective: objective of a run of `train` that has no factory. A factory that a run records
            is imported and called if there is no objective: open only folders that you trust.
        checkpoint: step of the checkpoint (default: the best, or the newest without validation).

    Returns:
        An `ObjectiveRun`, or the `Run` of `aejax train`.

    Raises:
        FileNotFoundError: the folder is not a run, or there is no such checkpoint.
        ValueError: a file of the run is damaged; the objective has other parameters than the run;
            there is neither an objective nor a factory, or an objective for a run of `aejax train`.
    """
    folder = Path(run).expanduser()
    if objective is None and configuration_file(folder).exists():
        return open_run(folder, checkpoint=checkpoint)
    return open_objective_run(folder, objective, checkpoint=checkpoint)


def open_objective_run(
    folder: Path, objective: Objective | None = None, *, checkpoint: int | None = None
) -> ObjectiveRun:
    """Open a run of `train`, as `open` does."""
    check_platform()
    check_location(folder)
    record, about = read_record(folder), read_about(folder)
    if objective is None and record.factory is None:
        raise ValueError(
            f"{folder} does not record how its objective is made: pass it, "
            f"aejax.runs.open({str(folder)!r}, objective); for the command line, train it by the "
            "name of its factory: aejax.runs.train('my_models.py:make', …)"
        )
    if objective is None:
        warn_of_changed_source(folder, record.factory, about.source)
    objective = resolve_objective(
        record.factory if objective is None else objective, record.arguments
    )
    like = params_like(objective)
    check_params(folder, record, like)
    saved = checkpoints_folder(folder)
    params, normalisation, step = checkpoints.restore_params(
        saved,
        like,
        configuration=with_identity(record.settings, read_identity(folder)),
        normalisation=normalisation_like(about),
        step=checkpoints.best_step(saved) if checkpoint is None else checkpoint,
    )
    history = read_run_history(folder)
    dtype = np.dtype(jnp.dtype(record.dtype))
    return ObjectiveRun(folder, about, objective, params, normalisation, step, history, dtype)
