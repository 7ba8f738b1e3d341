"""Penalties whose weight follows a schedule of the step, which a tracker counts."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from aejax.contracts import check_callable
from aejax.types import Array, Pass, Penalty, Tracked


def _unchanged(tracked: Tracked) -> Any:
    return tracked


def scheduled(
    penalty: Penalty,
    schedule: optax.Schedule,
    *,
    select: Callable[[Tracked], Array] = _unchanged,
) -> Penalty:
    """A penalty multiplied by a schedule of the step: Ω_t = s(t) Ω, with t = 0 at the first step.

    The step is the state of `trackers.steps()`, which is part of a checkpoint, so that a resumed
    run continues the schedule bit-identically. Reported values include the factor s(t).

    Args:
        penalty: the penalty, one value per example or a scalar.
        schedule: step -> factor s(t), such as `optax.linear_schedule(0.0, 1.0, 2000)`.
        select: state of the objective's tracker -> step (default: the state itself), such as
            `lambda tracked: tracked["steps"]` for `trackers.combined`.

    Returns:
        The penalty, of the shape of the given one.

    Raises:
        ValueError: if an argument is not a function of one argument. The penalty raises it if the
            objective has no tracker, or `select` does not give one scalar.

    Example:
        >>> import aejax, optax
        >>> posterior = aejax.posteriors.diagonal_gaussian()
        >>> warm_up = aejax.penalties.scheduled(
        ...     aejax.penalties.divergence(posterior), optax.linear_schedule(0.0, 1.0, 2000))
        >>> objective = aejax.objective(
        ...     aejax.variational((64, 8)), aejax.losses.bernoulli, perturbation=posterior.sample,
        ...     penalties={"divergence": (1.0, warm_up)}, tracker=aejax.trackers.steps())

    Source: Bowman et al. 2016, §3.1 (annealed weight of the divergence).
    """
    check_callable("penalty of scheduled", penalty, "record")
    check_callable("schedule of scheduled", schedule, "step")
    check_callable("select of scheduled", select, "tracked")

    def weighted(record: Pass) -> Array:
        if record.tracked is None:
            raise ValueError(
                "a scheduled penalty reads the step from the objective's tracker, and there is "
                "none; add tracker=trackers.steps()"
            )
        step = select(record.tracked)
        if isinstance(step, dict) or jnp.shape(step) != ():
            raise ValueError(
                "a scheduled penalty needs one step, but its select gives "
                f"{step if isinstance(step, dict) else f'shape {list(jnp.shape(step))}'}; select "
                "the state of trackers.steps()"
            )
        value = penalty(record)
        with jax.numpy_dtype_promotion("standard"):  # schedules mix floats and integer steps
            factor = jnp.asarray(schedule(step))
        return value * factor.astype(value.dtype)

    return weighted
