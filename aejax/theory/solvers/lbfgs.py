"""Gradient training with L-BFGS."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from aejax.theory.checking.tolerances import GRADIENT_TOLERANCE
from aejax.types import Array, Params

MAX_STEPS = 5000
"""Maximum number of training steps."""


class Solution(NamedTuple):
    """The result of a solver.

    params:    parameters in float64, for use under `jax.enable_x64(True)`.
    steps:     number of steps.
    converged: whether the stopping criterion was met before the maximum number of steps.
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
        loss: function (params, data) -> scalar; compiled once for each function object and shape
            of data, so do not pass a new closure at each call.
        start: initial parameters.
        data: pytree of arrays, the second argument of the loss.
        gradient_tolerance: gradient norm at which to stop (default: 10⁻¹²).
        max_steps: maximum number of steps (default: 5000).

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

    def unconverged(carry: tuple) -> Array:
        _, _, steps, gradient_norm = carry
        return (gradient_norm > gradient_tolerance) & (steps < max_steps)

    carry = (start, optimizer.init(start), jnp.asarray(0), jnp.asarray(jnp.inf))
    params, _, steps, gradient_norm = jax.lax.while_loop(unconverged, step, carry)
    return params, steps, gradient_norm
