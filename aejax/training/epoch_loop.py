"""Loop over epochs: validation, callbacks, early stopping, and the best state."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import jax
import numpy as np

from aejax.contracts import describe
from aejax.training.placement import ONE_DEVICE, Placement, copy_state, place_state
from aejax.training.progress import progress
from aejax.training.records import Callback, Record, Scalars, add_validation, losses_of, stalled
from aejax.training.steps import TrainState

BeforeEpoch = Callable[[TrainState], TrainState]
"""Pure function of the state before an epoch, such as a restart of codewords -> the state from
which the epoch starts. A checkpoint has the state before it, so that a resumed run applies it
again."""


def run_epochs(
    run_epoch: Callable[[TrainState], tuple[TrainState, Record]],
    state: TrainState,
    *,
    epochs: int,
    measure: Callable[[TrainState], Scalars] | None,
    history: Sequence[Record],
    patience: int | None,
    callbacks: Sequence[Callback],
    before_epoch: BeforeEpoch | None = None,
    placement: Placement = ONE_DEVICE,
    keep_best: bool = False,
    show_progress: bool = False,
) -> tuple[TrainState, list[Record]]:
    """Run epochs until their number is reached, the validation loss stalls or a callback stops.

    Args:
        run_epoch: state -> (next state, record) for one epoch.
        state: initial state, which `check_keep_best` accepts.
        epochs: total number of epochs, including those of `state`.
        measure: state -> loss and terms on validation data; None without validation.
        history: records of earlier epochs, which `up_to` has restricted to those of `state`.
        patience: patience of `stalled`.
        callbacks: functions of (state, record), called in order after each epoch.
        before_epoch: state -> state from which the next epoch starts.
        placement: shardings of the arrays of a state that `before_epoch` has changed.
        keep_best: whether to return the state of the best epoch.
        show_progress: whether to show `progress`.

    Returns:
        The final state, or that of the best epoch, and the extended history.
    """
    history, is_stopped = list(history), False
    # A resumed state can be the best one; its copy is kept, because epochs reuse its buffers.
    best = copy_state(state) if keep_best and losses_of(history) else None
    shown = progress(epochs, done=int(state.epoch)) if show_progress else nullcontext()
    with shown as show:
        observers = [*callbacks, show] if show else callbacks
        while int(state.epoch) < epochs and not is_stopped and not stalled(history, patience):
            if before_epoch is not None:
                state = _changed(before_epoch, state, placement)
            state, record = run_epoch(state)
            if measure is not None:
                add_validation(record, measure(state))
            history.append(record)
            if keep_best and is_best(history):
                best = copy_state(state)  # the next epoch reuses the buffers of the state
            results = [callback(state, record) for callback in observers]
            is_stopped = any(map(is_stop, results))
    return (state if best is None else best), history


def _changed(before_epoch: BeforeEpoch, state: TrainState, placement: Placement) -> TrainState:
    """State after `before_epoch`, with the shardings of the training; ValueError for another."""
    changed = before_epoch(state)
    if changed is state:
        return state
    if jax.tree.map(jax.typeof, changed) != jax.tree.map(jax.typeof, state):
        raise ValueError(
            "before_epoch must return a state with the same arrays, got "
            f"{describe(changed)} for {describe(state)}"
        )
    return place_state(placement, changed)


def is_stop(result: Any) -> bool:
    """Whether a callback asks to stop: it returned True, as a Python, NumPy or JAX boolean."""
    is_boolean = isinstance(result, bool) or (
        getattr(result, "dtype", None) == np.bool_ and result.ndim == 0
    )
    return is_boolean and bool(result)


def is_best(history: Sequence[Record]) -> bool:
    """Whether the last epoch has the lowest validation loss; of equal losses, the first counts."""
    losses = losses_of(history)
    return bool(losses) and int(np.argmin(losses)) == len(losses) - 1


def up_to(state: TrainState, history: Sequence[Record]) -> list[Record]:
    """Records of the epochs of a state, without later ones, which are trained again.

    Args:
        state: state from which training resumes.
        history: records of the earlier training, which may extend beyond the state.

    Returns:
        The records.
    """
    epoch = int(state.epoch)
    return [record for record in history if record.get("epoch", 0) <= epoch]


def check_keep_best(keep_best: bool, validation: Any, history: Sequence[Record]) -> None:
    """Check that the best state can be returned.

    Args:
        keep_best: whether it is asked for.
        validation: validation data, or None.
        history: records of the epochs up to the state from which training resumes.

    Raises:
        ValueError: if there are no validation data, or the best epoch in the history is earlier
            than the state, so that its parameters are unknown.
    """
    if not keep_best:
        return
    if validation is None:
        raise ValueError(
            "keep_best needs validation data: the best epoch has the lowest validation loss"
        )
    losses = losses_of(history)
    if losses and not is_best(history):
        epochs = [record["epoch"] for record in history if "validation" in record]
        best = epochs[int(np.argmin(losses))]
        raise ValueError(
            f"keep_best cannot return epoch {best}, the best in the history: the state is of epoch "
            f"{epochs[-1]}; resume from the state of epoch {best}, as keep_best returns it, or "
            "leave keep_best out"
        )
