"""An epoch of aejax's training as a way to be timed."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from aejax import Batch, Objective, training
from aejax.types import Array


def one_scan(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    x: Array,
    batch_size: int,
    *,
    compiler_options: Mapping[str, Any] | None = None,
) -> Callable[[], Any]:
    """A call that runs one epoch as one program, always from the same start.

    Args:
        objective: what is minimised.
        optimizer: how.
        x: all examples, [examples, features].
        batch_size: examples a step.
        compiler_options: XLA's, by name.

    Returns:
        The call, which the first time compiles, and returns when the epoch is done.
    """
    state = training.init_state(objective, optimizer, jax.random.key(0))
    run = jax.jit(
        lambda state, x: training.epoch(
            objective, optimizer, state, Batch(x), batch_size=batch_size
        )[0],
        compiler_options=dict(compiler_options or {}),
    )
    return lambda: jax.block_until_ready(run(state, x).params)
