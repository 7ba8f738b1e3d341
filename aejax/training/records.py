"""An epoch in plain numbers: its record, refused where it is not finite, and when to stop."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax

from aejax.training.failures import NonFiniteLossError
from aejax.training.steps import TrainState

Scalars = Mapping[str, Any]
"""Measurements on the device, or of it: numbers by name."""

Record = dict[str, Any]
"""One epoch, for people and files: plain numbers by name."""

Callback = Callable[[TrainState, Record], None]
"""Called after every epoch: where checkpoints, history and progress come in."""


def stalled(history: Sequence[Record], patience: int | None) -> bool:
    """Whether the validation loss has not fallen for `patience` epochs in a row.

    Args:
        history: `fit`'s records; those without validation count for nothing.
        patience: epochs to wait; None waits for ever.

    Returns:
        True where training should stop. It follows from the history alone, so a resumed run
        stops where the run never interrupted does.
    """
    if patience is None:
        return False
    losses = [record["validation"]["loss"] for record in history if "validation" in record]
    return bool(losses) and len(losses) - 1 - int(np.argmin(losses)) >= patience


def record_of(state: TrainState, means: Scalars, *, examples: int, seconds: float) -> Record:
    """The record of the epoch that ends in a state.

    Args:
        state: after the epoch.
        means: of the epoch's measurements.
        examples: how many it saw.
        seconds: that it took.

    Returns:
        "epoch", "step", "seconds", "examples_per_second", every measurement, and "parameter_norm",
        the Euclidean norm of all parameters that the epoch ends with.

    Raises:
        NonFiniteLossError: where that norm is not finite, which the epoch's last step alone can do
            unseen.
    """
    record = {
        "epoch": int(state.epoch),
        "step": int(state.step),
        "seconds": seconds,
        "examples_per_second": examples / seconds,
        **_numbers(means),
        "parameter_norm": float(_norm(state.params)),
    }
    if not np.isfinite(record["parameter_norm"]):
        terms = {"parameter_norm": record["parameter_norm"]}
        raise NonFiniteLossError(record["step"], record["epoch"], terms)
    return record


_norm = jax.jit(optax.tree.norm)


def refuse_non_finite(measurements: Scalars, *, step: int, epoch: int) -> None:
    """Refuse steps whose loss or gradient is not finite.

    Args:
        measurements: each [steps], or a scalar of one step.
        step: the last of them.
        epoch: that they belong to.

    Raises:
        NonFiniteLossError: with the first such step and its terms.
    """
    loss, norm = (np.atleast_1d(measurements[name]) for name in ("loss", "gradient_norm"))
    finite = np.isfinite(loss) & np.isfinite(norm)
    if not finite.all():
        first = int(np.argmin(finite))
        terms = {name: float(np.ravel(values)[first]) for name, values in measurements.items()}
        raise NonFiniteLossError(step - len(finite) + first + 1, epoch, terms)


def validate(record: Record, measurements: Scalars) -> None:
    """Put the validation's loss and terms into a record.

    The last step of an epoch can break what was finite before it: validation sees that.

    Args:
        record: of an epoch; it gets an entry "validation".
        measurements: each a scalar.

    Raises:
        NonFiniteLossError: where one is not finite.
    """
    record["validation"] = _numbers(measurements)
    if not np.isfinite(list(record["validation"].values())).all():
        terms = {f"validation {name}": value for name, value in record["validation"].items()}
        raise NonFiniteLossError(record["step"], record["epoch"], terms)


def _numbers(measurements: Scalars) -> dict[str, float]:
    return {name: float(value) for name, value in measurements.items()}
