"""An epoch of aejax's training as a variant for `benchmarks.interleaved`."""

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
    """Make a function that runs one epoch as one program, from the same initial state each time.

    Args:
        objective: objective to minimise.
        optimizer: gradient transformation of optax.
        x: all examples, [examples, features].
        batch_size: number of examples per step.
        compiler_options: options of XLA by name (default: none).

    Returns:
        A function that compiles at its first call and returns when the epoch is complete.
    """
    state = training.init_state(objective, optimizer, jax.random.key(0))
    run = jax.jit(
        lambda state, x: training.epoch(
            objective, optimizer, state, Batch(x), batch_size=batch_size
        )[0],
        compiler_options=dict(compiler_options or {}),
    )
    return lambda: jax.block_until_ready(run(state, x).params)
