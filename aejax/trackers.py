"""Trackers: state beside the parameters, for `aejax.objective(…, tracker=…)`."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from aejax.contracts import check_callable, check_tracker
from aejax.hyperparameters import as_integer
from aejax.types import Array, Code, Params, Pass, Tracked, Tracker


def steps_since_active(units: int, *, select: Callable[[Code], Array] = jax.nn.identity) -> Tracker:
    """Number of steps since each unit was last active: 0 if h_l ≠ 0 in the last batch.

    Args:
        units: number of code units.
        select: code -> the array [batch, units] of the code's pytree (default: the code itself).

    Returns:
        The tracker, whose state is an int32 array [units]. All units start as active.

    Raises:
        ValueError: if `units` is not an integer of at least 1, or `select` is not a function. The
            tracker raises it for a code of another width.

    Example:
        >>> import aejax, jax
        >>> model = aejax.dictionary(8, 32)
        >>> objective = aejax.objective(
        ...     model, aejax.losses.squared, tracker=aejax.trackers.steps_since_active(32))
        >>> objective.tracker.init(model.init(jax.random.key(0))).shape
        (32,)

    Source: Gao et al. 2024 (dead latents).
    """
    units = as_integer("units of steps_since_active", units)
    if units < 1:
        raise ValueError(f"steps_since_active needs at least 1 unit, got {units}")
    check_callable("select of steps_since_active", select, "code")

    def measure(record: Pass) -> Array:
        code = select(record.code)
        if code.shape[1:] != (units,):
            raise ValueError(
                f"steps_since_active({units}) needs a code [batch, {units}], got shape "
                f"{list(code.shape)}"
            )
        return jnp.mean(code != 0, axis=0)

    def update(steps: Array, share_active: Array) -> Array:
        return jnp.where(share_active > 0, 0, steps + 1)

    return Tracker(lambda _: jnp.zeros(units, jnp.int32), measure, update)


def steps() -> Tracker:
    """Number of completed steps, for schedules: 0 in the first step.

    Returns:
        The tracker, whose state is an int32 scalar.

    Example:
        >>> import aejax
        >>> int(aejax.trackers.steps().init(None))
        0
    """
    return Tracker(
        lambda _: jnp.zeros((), jnp.int32), lambda _: (), lambda count, _: count + jnp.int32(1)
    )


def combined(trackers: Mapping[str, Tracker]) -> Tracker:
    """Several trackers in one, each with its own state.

    Args:
        trackers: name -> tracker.

    Returns:
        The tracker, whose state is a dict of name -> state.

    Raises:
        ValueError: if there are none, or one is not a tracker.

    Example:
        >>> from aejax import trackers
        >>> tracker = trackers.combined(
        ...     {"steps": trackers.steps(), "active": trackers.steps_since_active(8)})
        >>> sorted(tracker.init(None))
        ['active', 'steps']
    """
    trackers = dict(trackers)
    if not trackers or None in trackers.values():
        raise ValueError(f"combined needs one or more trackers, got {trackers}")
    for tracker in trackers.values():
        check_tracker(tracker)

    def init(params: Params) -> Tracked:
        return {name: tracker.init(params) for name, tracker in trackers.items()}

    def measure(record: Pass) -> dict[str, Any]:
        return {
            name: tracker.measure(record._replace(tracked=record.tracked[name]))
            for name, tracker in trackers.items()
        }

    def update(tracked: Tracked, statistics: Any) -> Tracked:
        return {
            name: tracker.update(tracked[name], statistics[name])
            for name, tracker in trackers.items()
        }

    return Tracker(init, measure, update)
