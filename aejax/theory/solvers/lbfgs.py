"""Gradient training of any objective from any start, and how near its end is to a minimum."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from aejax.theory.checking.tolerances import GRADIENT_TOLERANCE
from aejax.types import Array, Params

MAX_STEPS = 5000
"""Steps after which a training that has not ended is given up."""


class Solution(NamedTuple):
    """Where a solver stopped.

    params:    float64, for use under `jax.enable_x64(True)`.
    steps:     how many it took.
    converged: whether it stopped by its own measure, not at the last step allowed.
    """

    params: Params
    steps: int
    converged: bool


def minimise(
    loss: Callable[[Params, Any], Array],
    start: Params,
    data: Any,
    *,
    gradient_tolerance: float = GRADIENT_TOLERANCE,
    max_steps: int = MAX_STEPS,
) -> Solution:
    """Minimise loss(params, data) with L-BFGS, in the precision of its arguments.

    Args:
        loss: to be minimised; compiled once for each loss and each shape of data, so it should be
            one function, and not a new closure at each call.
        start: where to start.
        data: a tree of arrays and numbers that the loss is given.
        gradient_tolerance: stop where the gradient's norm is no greater.
        max_steps: stop here at the latest.

    Returns:
        The `Solution`.

    Source: Liu & Nocedal 1989.
    """
    with jax.numpy_dtype_promotion("standard"):  # optax adds int32 counters to 64-bit integers
        params, steps, gradient_norm = _lbfgs(loss, start, data, gradient_tolerance, max_steps)
    return Solution(params, int(steps), bool(gradient_norm <= gradient_tolerance))


def convergence_doubt(solution: Solution, *, method: str = "training") -> str:
    """`Evidence.doubt` of a solver that stopped before it converged; empty if it converged."""
    return "" if solution.converged else f"{method} had not converged after {solution.steps} steps"


@partial(jax.jit, static_argnames="loss")
def _lbfgs(
    loss: Callable[[Params, Any], Array],
    start: Params,
    data: Any,
    gradient_tolerance: float | Array,
    max_steps: int | Array,
) -> tuple[Params, Array, Array]:
    optimizer = optax.lbfgs()

    def value_fn(params: Params) -> Array:
        return loss(params, data)

    value_and_grad = optax.value_and_grad_from_state(value_fn)

    def step(carry: tuple) -> tuple:
        params, state, steps, _ = carry
        value, grad = value_and_grad(params, state=state)
        updates, state = optimizer.update(
            grad, state, params, value=value, grad=grad, value_fn=value_fn
        )
        gradient_norm = optax.tree.norm(optax.tree.get(state, "grad"))
        return optax.apply_updates(params, updates), state, steps + 1, gradient_norm

    def going(carry: tuple) -> Array:
        _, _, steps, gradient_norm = carry
        return (gradient_norm > gradient_tolerance) & (steps < max_steps)

    carry = (start, optimizer.init(start), jnp.asarray(0), jnp.asarray(jnp.inf))
    params, _, steps, gradient_norm = jax.lax.while_loop(going, step, carry)
    return params, steps, gradient_norm
