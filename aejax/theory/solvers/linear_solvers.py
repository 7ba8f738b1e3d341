"""Solvers of the linear autoencoder: L-BFGS, preconditioned L-BFGS, alternating least squares.

None of them computes an eigendecomposition. They use the data through the factor T only, which is
exact, because the loss is a function of S = RᵀR = TᵀT (see `moments`). They return parameters of
`aejax.linear(n, k)` for x: the optimal biases b = −x̄ W_e and c = x̄ reduce it to centred data.
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
"""Maximum number of solver steps."""


def train_linear(
    key: Key,
    data: Moments,
    code: int,
    *,
    gradient_tolerance: float = GRADIENT_TOLERANCE,
    max_steps: int = MAX_STEPS,
) -> Solution:
    """Train a linear autoencoder from a random start with L-BFGS, in float64.

    Minimises ‖T − T W_e W_d‖²_F = ‖R − R W_e W_d‖²_F over both kernels, by the model's `encode` and
    `decode` on the rows of T. T is divided by its norm, which rescales the loss only.

    Args:
        key: PRNG key of the model's `init`.
        data: moments of data with variance.
        code: code size k ≥ 1.
        gradient_tolerance: gradient norm at which to stop, for T of unit norm (default: 10⁻¹²).
        max_steps: maximum number of steps (default: 30 000).

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
    """‖T − T W_e W_d‖²_F, by the model's encode and decode on the rows of T [rows, n]."""
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

    With A = T W_e the loss is ‖T − A W_d‖²_F. A gradient step of A is a step of W_e along
    S⁻¹ ∂L/∂W_e = −2 (I − W_e W_d) W_dᵀ, without the inversion of S, so that directions of small
    variance are no longer flat. The pair is balanced, AᵀA = W_d W_dᵀ, at the start and once more
    near the end. The curvatures at the end are σ_i ± σ_j for i ≤ k < j: the condition number is
    2σ_1/(σ_k − σ_{k+1}) instead of the product of λ_1/(λ_k − λ_{k+1}) and λ_1/λ_n.

    Args:
        key: PRNG key of the model's `init`.
        data: moments of data with variance.
        code: code size k ≥ 1.
        gradient_tolerance: gradient norm at which to stop, for T of unit norm (default: 10⁻¹²).
        max_steps: maximum number of steps before the second balancing, and again after it
            (default: 30 000).

    Returns:
        The `Solution`; W_e has minimum norm for its A.

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
    """Replace A, W_d by A G, G⁻¹ W_d with equal Gram matrices, AᵀA = W_d W_dᵀ.

    Args:
        codes: A [rows, k].
        decoder: W_d [k, n].

    Returns:
        The new A and W_d, with the same product.
    """
    (left, upper), (right, lower) = jnp.linalg.qr(codes), jnp.linalg.qr(decoder.T)
    u, sizes, v_transposed = jnp.linalg.svd(upper @ lower.T, full_matrices=False)
    unused = codes.shape[1] - len(sizes)
    return {
        "codes": jnp.pad(left @ (u * jnp.sqrt(sizes)), ((0, 0), (0, unused))),
        "decoder": jnp.pad(
            (jnp.sqrt(sizes)[:, None] * v_transposed) @ right.T, ((0, unused), (0, 0))
        ),
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
    """Alternate between the optimal decoder and the optimal encoder, in float64.

    Given W_e, the optimal decoder is the regression of T on T W_e; given W_d, the optimal encoder
    of minimum norm is the pseudo-inverse W_d⁺. Both are determined up to an invertible map of the
    code, chosen so that W_e has orthonormal columns (QR): this is subspace iteration. The error of
    the row space decays as (λ_{k+1}/λ_k)^steps. The iteration stops when it moves by no more than
    rounding, 2 ε √N max ŝ/min ŝ, for N entries of T and the diagonal ŝ of the QR triangle of T W_e.

    Args:
        key: PRNG key of the initial Gaussian encoder.
        data: moments of data of rank ≥ k.
        code: code size k ≥ 1.
        max_steps: maximum number of steps (default: 30 000).

    Returns:
        The `Solution`: W_e with orthonormal columns, and its least-squares decoder W_d.

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

    def unconverged(carry: tuple) -> Array:
        _, steps, movement = carry
        return (movement > step_tolerance) & (steps < max_steps)

    start, _ = jnp.linalg.qr(jax.random.normal(key, (factor.shape[1], code), factor.dtype))
    carry = (start, jnp.asarray(0), jnp.asarray(jnp.inf))
    encoder, steps, movement = jax.lax.while_loop(unconverged, step, carry)
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
