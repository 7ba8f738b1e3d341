"""The linear autoencoder's optimum by two routes that know nothing of singular values.

Both see the data through its moments' factor T alone, which is exact: the loss is a function of
S = RᵀR = TᵀT (see `moments`). Both return parameters of `aejax.linear(n, k)` for x itself: the
best biases for kernels W_e, W_d are b = −x̄ W_e and c = x̄, which leave the centred problem.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from aejax.models import linear
from aejax.theory.moments import Moments
from aejax.types import Array, Key, Params

GRADIENT_TOLERANCE = 1e-12
"""The gradient's norm at which training ends, for data whose variances sum to one."""


class Solution(NamedTuple):
    """Where a solver stopped.

    params:    of `aejax.linear(features, code)`, float64, for use under `jax.enable_x64(True)`.
    steps:     how many it took.
    converged: whether it stopped by its own measure, not at the last step allowed.
    """

    params: Params
    steps: int
    converged: bool


def train_linear(
    key: Key,
    data: Moments,
    code: int,
    *,
    gradient_tolerance: float = GRADIENT_TOLERANCE,
    max_steps: int = 30_000,
) -> Solution:
    """Train a linear autoencoder from a random start with L-BFGS, in float64.

    Minimises ‖T − T W_e W_d‖²_F, which is ‖R − R W_e W_d‖²_F, over both kernels, by the model's
    own `encode` and `decode` on the rows of T. T is divided by its norm first: that scales the
    loss and moves no optimum.

    Args:
        key: for the start, which is the model's own `init`.
        data: moments of x, which varies.
        code: k ≥ 1.
        gradient_tolerance: stop where the gradient's norm is no greater, for T of unit norm.
        max_steps: stop here at the latest.

    Returns:
        The `Solution`.

    Source: Liu & Nocedal 1989 (L-BFGS).
    """
    with jax.enable_x64(True):
        factor = jnp.asarray(data.factor / np.linalg.norm(data.factor))
        params, steps, gradient_norm = _lbfgs(key, factor, code, gradient_tolerance, max_steps)
        encoder, decoder = (params[side]["layer_0"]["kernel"] for side in ("encoder", "decoder"))
        converged = bool(gradient_norm <= gradient_tolerance)
        return Solution(centred_params(encoder, decoder, data), int(steps), converged)


@partial(jax.jit, static_argnames="code")
def _lbfgs(
    key: Key, factor: Array, code: int, gradient_tolerance: float | Array, max_steps: int | Array
) -> tuple[Params, Array, Array]:
    model = linear(factor.shape[1], code, bias=False)
    optimizer = optax.lbfgs()

    def loss(params: Params) -> Array:
        return jnp.sum(jnp.square(model.decode(params, model.encode(params, factor)) - factor))

    value_and_grad = optax.value_and_grad_from_state(loss)

    def step(carry: tuple) -> tuple:
        params, state, steps, _ = carry
        value, grad = value_and_grad(params, state=state)
        updates, state = optimizer.update(
            grad, state, params, value=value, grad=grad, value_fn=loss
        )
        gradient_norm = optax.tree.norm(optax.tree.get(state, "grad"))
        return optax.apply_updates(params, updates), state, steps + 1, gradient_norm

    def unfinished(carry: tuple) -> Array:
        _, _, steps, gradient_norm = carry
        return (gradient_norm > gradient_tolerance) & (steps < max_steps)

    start = model.init(key)
    carry = (start, optimizer.init(start), jnp.asarray(0), jnp.asarray(jnp.inf))
    params, _, steps, gradient_norm = jax.lax.while_loop(unfinished, step, carry)
    return params, steps, gradient_norm


def alternating_least_squares(
    key: Key,
    data: Moments,
    code: int,
    *,
    max_steps: int = 30_000,
) -> Solution:
    """Alternate between the best decoder and the best encoder, in float64, from a random start.

    Given W_e, the best decoder regresses T on T W_e; given W_d, the best encoder of least norm is
    the pseudo-inverse W_d⁺, whose map projects on W_d's row space. A change of code alters
    neither, so it is chosen to make W_e orthonormal, by QR. The row space converges as
    (λ_{k+1}/λ_k)^steps. The stop is where it moves no more than rounding moves it, which is
    2 ε √N σ̂_1/σ̂_k for the N entries of T, with the ratio from the code's QR.

    Args:
        key: for the start, a Gaussian encoder.
        data: moments of x, of rank ≥ k.
        code: k ≥ 1.
        max_steps: stop here at the latest.

    Returns:
        The `Solution`, W_e orthonormal and W_d the least-squares decoder of it.

    Source: Baldi & Hornik 1989 (the two conditions of a critical point).
    """
    with jax.enable_x64(True):
        factor = jnp.asarray(data.factor)
        encoder, decoder, steps, converged = _alternate(key, factor, code, max_steps)
        return Solution(centred_params(encoder, decoder, data), int(steps), bool(converged))


@partial(jax.jit, static_argnames="code")
def _alternate(
    key: Key, factor: Array, code: int, max_steps: int | Array
) -> tuple[Array, Array, Array, Array]:
    step_tolerance = 2 * jnp.finfo(factor.dtype).eps * np.sqrt(factor.size)

    def step(carry: tuple) -> tuple:
        encoder, steps, _ = carry
        basis, triangle = jnp.linalg.qr(factor @ encoder)
        following, _ = jnp.linalg.qr(factor.T @ basis)
        movement = jnp.linalg.norm(following - encoder @ (encoder.T @ following))
        sizes = jnp.abs(jnp.diagonal(triangle))
        return following, steps + 1, movement * sizes.min() / sizes.max()

    def unfinished(carry: tuple) -> Array:
        _, steps, movement = carry
        return (movement > step_tolerance) & (steps < max_steps)

    start, _ = jnp.linalg.qr(jax.random.normal(key, (factor.shape[1], code), factor.dtype))
    carry = (start, jnp.asarray(0), jnp.asarray(jnp.inf))
    encoder, steps, movement = jax.lax.while_loop(unfinished, step, carry)
    basis, triangle = jnp.linalg.qr(factor @ encoder)
    decoder = jax.scipy.linalg.solve_triangular(triangle, basis.T @ factor)
    return encoder, decoder, steps, movement <= step_tolerance


def centred_params(encoder: Array, decoder: Array, data: Moments) -> Params:
    """Parameters of `aejax.linear` from kernels for centred data: b = −x̄ W_e, c = x̄."""
    mean = jnp.asarray(data.mean)
    return {
        "encoder": {"layer_0": {"kernel": encoder, "bias": -mean @ encoder}},
        "decoder": {"layer_0": {"kernel": decoder, "bias": mean}},
    }
