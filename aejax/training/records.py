"""An epoch in plain numbers: its record, refused where it is not finite, and when to stop."""

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


def epoch_record(state: TrainState, means: Scalars, *, examples: int, seconds: float) -> Record:
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


def finite_steps(
    measurements: Scalars, params: Params, *, step: int, epoch: int
) -> Bool[np.ndarray, " steps"]:
    """Which steps had a finite loss and gradient, where the others have broken nothing.

    A plain optimizer takes a gradient that is not finite into the parameters, which then stay so.
    One that leaves such steps out (`optax.apply_if_finite`) keeps them finite, and training goes
    on. So the parameters decide, and a loss that is not finite although its gradient is: that no
    optimizer sees.

    Args:
        measurements: each [steps], or a scalar of one step.
        params: after these steps, or later.
        step: the last of them.
        epoch: its index.

    Returns:
        True for each finite step, [steps].

    Raises:
        NonFiniteLossError: with the first step that broke something, and its terms.
    """
    loss, norm = (np.atleast_1d(measurements[name]) for name in ("loss", "gradient_norm"))
    finite = np.isfinite(loss) & np.isfinite(norm)
    if finite.all():
        return finite
    survived = np.isfinite(_norm(params))
    broken = ~np.isfinite(loss) & np.isfinite(norm) if survived else ~finite
    if broken.any():
        first = int(np.argmax(broken))
        terms = {name: float(np.ravel(values)[first]) for name, values in measurements.items()}
        raise NonFiniteLossError(step - len(finite) + first + 1, epoch, terms)
    return finite


def means_of_finite(
    measurements: Scalars, finite: Bool[np.ndarray, " steps"], *, examples: int, batch_size: int
) -> dict[str, float]:
    """`batches.mean_over_examples` of the finite steps alone.

    Args:
        measurements: each [steps], the tail step last.
        finite: which steps enter, one or more.
        examples: how many the steps covered.
        batch_size: examples in a whole batch.

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
