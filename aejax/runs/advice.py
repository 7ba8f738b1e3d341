"""One line of advice at the end of a run, where something better is likely."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aejax.runs.configuration import Training
from aejax.training.records import Record, losses_of

PCA_TOLERANCE = 0.05
"""Relative excess of the test error over that of PCA up to which a run is as good."""

LAST_EPOCHS = 10
"""Epochs of a run for each of its last epochs, in which a converged loss no longer decreases."""

DECREASE = 0.05
"""Minimum decrease in the last epochs, as a fraction of that of the whole run."""


def advice(
    configuration: Training, metrics: Mapping[str, Any], history: Sequence[Record], out: Path
) -> str | None:
    """Advice for a finished run: a longer one, or one that starts from PCA if PCA is better.

    Args:
        configuration: settings of the run.
        metrics: its metrics, as `measure` returns them.
        history: records of its epochs.
        out: folder of the run.

    Returns:
        One line, with a command where one helps; None if there is nothing to improve.
    """
    longer = _longer(configuration, out) if is_decreasing(history) else None
    pca_error, code = metrics["pca_test_error"], metrics["code"]
    if pca_error is not None and metrics["test_error"] > (1 + PCA_TOLERANCE) * pca_error:
        better = longer or _from_pca(configuration, code)
        return f"PCA with {code} components has a lower error: {better}"
    return longer and f"the validation loss was still decreasing: {longer}"


def is_decreasing(history: Sequence[Record]) -> bool:
    """Whether the validation loss decreased noticeably in the last tenth of the epochs."""
    losses = losses_of(history)
    last = -(-len(losses) // LAST_EPOCHS)
    if len(losses) <= last:
        return False
    least, earlier = min(losses[-last:]), min(losses[:-last])
    return earlier - least > DECREASE * (losses[0] - least)


def _longer(configuration: Training, out: Path) -> str:
    """Command that trains twice as long; a cosine schedule must start again."""
    folder, epochs = shlex.quote(str(out)), 2 * configuration.epochs
    if configuration.schedule == "constant":
        return f"resume with aejax train --resume --epochs {epochs} --out {folder}"
    return f"repeat with aejax train --from {folder} --epochs {epochs} --out ANOTHER"


def _from_pca(configuration: Training, code: int) -> str:
    if configuration.linear_path:
        return "try a lower --learning-rate, or noise such as --corruption masking"
    data = shlex.quote(configuration.data)
    return f"start from it with aejax train --data {data} --code {code} --out ANOTHER"
