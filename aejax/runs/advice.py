"""One line of advice at the end of a run, where something better is likely."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aejax.runs.configuration import DATA_OPTIONS, Training
from aejax.runs.default_settings import EPOCHS_PER_WARM_UP
from aejax.runs.given_settings import DEFAULTS
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
    pca_error, components = metrics["pca_test_error"], metrics.get("pca_components")
    if configuration.loss == "by-column":
        pca_error = None  # PCA minimises the squared error, which this loss does not
    if pca_error is not None and metrics["test_error"] > (1 + PCA_TOLERANCE) * pca_error:
        start = _denser if configuration.dictionary.activation is not None else _from_pca
        better = longer or start(configuration, metrics["code"])
        return f"PCA with {components or metrics['code']} components has a lower error: {better}"
    return longer and f"the validation loss was still decreasing: {longer}"


def is_decreasing(history: Sequence[Record]) -> bool:
    """Whether the validation loss decreased noticeably in the last tenth of the epochs."""
    losses = losses_of(history)
    last = -(-len(losses) // LAST_EPOCHS)
    if len(losses) <= last:
        return False
    least, earlier = min(losses[-last:]), min(losses[:-last])
    return earlier - least > DECREASE * (losses[0] - least)


def longer_command(configuration: Training, out: Path, epochs: int | str) -> str:
    """Command that trains a run for another number of epochs.

    A cosine schedule must start again, in another folder, and with a shorter warm-up if that of the
    run does not fit.

    Args:
        configuration: settings of the run.
        out: folder of the run.
        epochs: number of epochs, or a placeholder for it.

    Returns:
        The command.
    """
    folder = shlex.quote(str(out))
    if configuration.schedule == "constant":
        return f"aejax train --resume --epochs {epochs} --out {folder}"
    is_short = isinstance(epochs, int) and configuration.warm_up >= epochs
    warm_up = f" --warm-up {int(epochs) / EPOCHS_PER_WARM_UP:g}" if is_short else ""
    return f"aejax train --from {folder} --epochs {epochs}{warm_up} --out ANOTHER"


def _longer(configuration: Training, out: Path) -> str:
    """Advice to train twice as long."""
    verb = "resume" if configuration.schedule == "constant" else "repeat"
    return f"{verb} with {longer_command(configuration, out, 2 * configuration.epochs)}"


def _from_pca(configuration: Training, code: int) -> str:
    """Advice to start as PCA, which needs all values: missing ones are filled in."""
    if configuration.linear_path:
        return "try a lower --learning-rate, or noise such as --corruption masking"
    missing = "refuse" if configuration.missing == "refuse" else "mean"
    words = _data_options(replace(configuration, missing=missing))
    return f"start from it with aejax train {shlex.join(words)} --code {code} --out ANOTHER"


def _denser(configuration: Training, code: int) -> str:
    """Advice for a dictionary that explains less than PCA at equal sparsity."""
    if configuration.dictionary.activation in ("relu", "gated"):
        return "try --dictionary.activation topk, which has no L1 penalty on the code"
    return f"try --code {2 * code}"


def _data_options(configuration: Training) -> list[str]:
    """Options that define the data of a run, without those that have their default."""
    words = ["--data", configuration.data]
    for name in DATA_OPTIONS:
        value = getattr(configuration, name)
        if value == getattr(DEFAULTS, name):
            continue
        values = [] if value is True else value if isinstance(value, tuple) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return words
