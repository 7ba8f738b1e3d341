"""The linear autoencoder's optimum by three routes that know nothing of the data's spectrum.

They see the data through its moments' factor T alone, which is exact: the loss is a function of
S = RᵀR = TᵀT (see `moments`). They return parameters of `aejax.linear(n, k)` for x itself: the
best biases for kernels W_e, W_d are b = −x̄ W_e and c = x̄, which leave the centred problem.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from aejax import losses
from aejax.models import linear
from aejax.theory.analysis.moments import Moments
from aejax.theory.checking.tolerances import GRADIENT_TOLERANCE
from aejax.theory.solvers.lbfgs import Solution, minimise
from aejax.types import Array, Key, Params

MAX_STEPS = 30_000
"""Steps after which a solver that has not ended is given up."""


def train_linear(
    key: Key,
    data: Moments,
    code: int,
    *,
    gradient_tolerance: float = GRADIENT_TOLERANCE,
    max_steps: int = MAX_STEPS,
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
        trained = minimise(
            squared_error_of_factor,
            linear(factor.shape[1], code, bias=False).init(key),
            factor,
            gradient_tolerance=gradient_tolerance,
            max_steps=max_steps,
        )
        encoder, decoder = (
            trained.params[side]["layer_0"]["kernel"] for side in ("encoder", "decoder")
        )
        return trained._replace(params=centred_params(encoder, decoder, data))


def squared_error_of_factor(params: Params, factor: Array) -> Array:
    """‖T − T W_e W_d‖²_F, by the model's own encode and decode on the rows of T [rows, n]."""
    model = linear(*params["encoder"]["layer_0"]["kernel"].shape, bias=False)
    return losses.squared_error(model.decode(params, model.encode(params, factor)), factor).sum()


def train_preconditioned(
    key: Key,
    data: Moments,
    code: int,
    *,
    gradient_tolerance: float = GRADIENT_TOLERANCE,
    max_steps: int = MAX_STEPS,
) -> Solution:
    """Train a linear autoencoder from a random start with L-BFGS and a preconditioned encoder.

    With A = T W_e the loss is ‖T − A W_d‖²_F, and a gradient step of A is one of W_e along
    S⁻¹ ∂L/∂W_e = −2 (I − W_e W_d) W_dᵀ: what is flat for want of variance is flat no more, and S is
    never inverted. A change of code first makes the two sides balanced, AᵀA = W_d W_dᵀ, and once
    more near the end. There the curvatures are σ_i ± σ_j for i ≤ k < j: the condition is
    2σ_1/(σ_k − σ_{k+1}) in place of one that λ_1/(λ_k − λ_{k+1}) and λ_1/λ_n multiply.

    Args:
        key: for the start, which is the model's own `init`.
        data: moments of x, which varies.
        code: k ≥ 1.
        gradient_tolerance: stop where the gradient's norm is no greater, for T of unit norm.
        max_steps: stop here at the latest, before and after the second balance.

    Returns:
        The `Solution`, W_e of least norm for its A.

    Source: Liu & Nocedal 1989 (L-BFGS); the preconditioner derived here.
    """
    with jax.enable_x64(True):
        factor = jnp.asarray(data.factor / np.linalg.norm(data.factor))
        layers = linear(factor.shape[1], code, bias=False).init(key)
        encoder, decoder = (layers[side]["layer_0"]["kernel"] for side in ("encoder", "decoder"))
        start = balance(factor @ encoder, decoder)
        limits = {"gradient_tolerance": gradient_tolerance, "max_steps": max_steps}
        first = minimise(_factorisation_error, start, factor, **limits)
        last = minimise(_factorisation_error, balance(**first.params), factor, **limits)
        encoder = jnp.linalg.lstsq(factor, last.params["codes"])[0]
        params = centred_params(encoder, last.params["decoder"], data)
        return Solution(params, first.steps + last.steps, last.converged)


@jax.jit
def balance(codes: Array, decoder: Array) -> dict[str, Array]:
    """The pair A G, G⁻¹ W_d with the same Gram matrix on both sides.

    Args:
        codes: A [rows, k].
        decoder: W_d [k, n].

    Returns:
        A and W_d, of which A W_d is unchanged.
    """
    (left, upper), (right, lower) = jnp.linalg.qr(codes), jnp.linalg.qr(decoder.T)
    turn, sizes, other = jnp.linalg.svd(upper @ lower.T, full_matrices=False)
    unused = codes.shape[1] - len(sizes)
    return {
        "codes": jnp.pad(left @ (turn * jnp.sqrt(sizes)), ((0, 0), (0, unused))),
        "decoder": jnp.pad((jnp.sqrt(sizes)[:, None] * other) @ right.T, ((0, unused), (0, 0))),
    }


def _factorisation_error(params: Params, factor: Array) -> Array:
    return jnp.sum(jnp.square(params["codes"] @ params["decoder"] - factor))


def alternating_least_squares(
    key: Key,
    data: Moments,
    code: int,
    *,
    max_steps: int = MAX_STEPS,
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
