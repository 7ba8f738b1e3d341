"""Trackers: state beside the parameters, for `aejax.objective(…, tracker=…)`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from aejax.contracts import check_callable
from aejax.hyperparameters import as_integer
from aejax.types import Array, Code, Pass, Tracker


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
