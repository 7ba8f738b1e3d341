"""Records of epochs, detection of non-finite values, and early stopping."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax
from jaxtyping import Bool

from aejax.training.errors import NonFiniteLossError
from aejax.training.steps import TrainState
from aejax.types import Params

Scalars = Mapping[str, Any]
"""Measurements by name: scalars or arrays, on the device or on the host."""

Record = dict[str, Any]
"""Record of one epoch: Python scalars by name, which can be printed and written to JSON."""

Callback = Callable[[TrainState, Record], bool | None]
"""Function called after each epoch, for checkpoints, history or progress. If it returns True,
training stops after this epoch; other results have no effect."""


def stalled(history: Sequence[Record], patience: int | None) -> bool:
    """Whether the best validation loss is at least `patience` epochs old.

    Args:
        history: records of `fit`; records without validation are ignored.
        patience: number of epochs to wait; None disables early stopping.

    Returns:
        True if training should stop. The result depends only on the history, so a resumed run
        stops at the same epoch as an uninterrupted one.
    """
    if patience is None:
        return False
    losses = losses_of(history)
    return bool(losses) and len(losses) - 1 - int(np.argmin(losses)) >= patience


def losses_of(history: Sequence[Record]) -> list[float]:
    """Validation losses of the epochs with validation, in order."""
    return [record["validation"]["loss"] for record in history if "validation" in record]


def epoch_record(state: TrainState, means: Scalars, *, examples: int, seconds: float) -> Record:
    """Record of an epoch.

    Args:
        state: state at the end of the epoch.
        means: mean measurements of the epoch.
        examples: number of examples processed.
        seconds: wall-clock duration.

    Returns:
        "epoch", "step", "seconds", "examples_per_second", all measurements, and "parameter_norm",
        the Euclidean norm of the final parameters.

    Raises:
        NonFiniteLossError: if that norm is not finite, which can happen at the last step even if
            all its measurements are finite.
    """
    record = {
        "epoch": int(state.epoch),
        "step": int(state.step),
        "seconds": seconds,
        "examples_per_second": examples / seconds,
        **_to_floats(means),
        "parameter_norm": float(_norm(state.params)),
    }
    if not np.isfinite(record["parameter_norm"]):
        terms = {"parameter_norm": record["parameter_norm"]}
        raise NonFiniteLossError(record["step"], record["epoch"], terms)
    return record


_norm = jax.jit(optax.tree.norm)


def finite_steps(
    measurements: Scalars, params: Params, *, step: int, epoch: int
) -> Bool[np.ndarray, " steps"]:
    """Mask of the steps with finite loss and gradient; raise if a non-finite step was applied.

    A plain optimizer applies non-finite gradients, and the parameters stay non-finite. An optimizer
    that skips such steps (`optax.apply_if_finite`) keeps them finite, and training continues. It is
    therefore an error if the parameters are not finite, or if a loss is not finite while its
    gradient is, which optimizers cannot detect.

    Args:
        measurements: measurements by name, each [steps], or scalars of one step.
        params: parameters after these steps, or later.
        step: index of the last step.
        epoch: index of the epoch.

    Returns:
        Boolean mask, [steps].

    Raises:
        NonFiniteLossError: for the first such step, with its terms.
    """
    loss, norm = (np.atleast_1d(measurements[name]) for name in ("loss", "gradient_norm"))
    finite = np.isfinite(loss) & np.isfinite(norm)
    if finite.all():
        return finite
    skipped = np.isfinite(_norm(params))  # by the optimizer
    fatal = ~np.isfinite(loss) & np.isfinite(norm) if skipped else ~finite
    if fatal.any():
        first = int(np.argmax(fatal))
        terms = {name: float(np.ravel(values)[first]) for name, values in measurements.items()}
        raise NonFiniteLossError(step - len(finite) + first + 1, epoch, terms)
    return finite


def means_of_finite(
    measurements: Scalars, finite: Bool[np.ndarray, " steps"], *, examples: int, batch_size: int
) -> dict[str, float]:
    """`batches.mean_over_examples`, restricted to the finite steps.

    Args:
        measurements: measurements by name, each [steps]; the last batch may be smaller.
        finite: mask of the steps to average, with at least one True.
        examples: number of examples of all steps.
        batch_size: number of examples in a full batch.

    Returns:
        The means.
    """
    sizes = np.full(len(finite), batch_size)
    sizes[-1] = examples - batch_size * (len(finite) - 1)
    return {
        name: float(np.average(np.asarray(values)[finite], weights=sizes[finite]))
        for name, values in measurements.items()
    }


def add_validation(record: Record, measurements: Scalars) -> None:
    """Add validation loss and terms to the record of an epoch.

    Args:
        record: record of the epoch, to which the entry "validation" is added.
        measurements: loss and terms, each a scalar.

    Raises:
        NonFiniteLossError: if one is not finite, as after a last step that diverged.
    """
    record["validation"] = _to_floats(measurements)
    if not np.isfinite(list(record["validation"].values())).all():
        terms = {f"validation {name}": value for name, value in record["validation"].items()}
        raise NonFiniteLossError(record["step"], record["epoch"], terms)


def _to_floats(measurements: Scalars) -> dict[str, float]:
    return {name: float(value) for name, value in measurements.items()}
