"""Theorem: every critical point is a projector on eigenvectors, tested by numerical search."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float64

from aejax import losses
from aejax.models import linear
from aejax.theory.analysis.linear_params import linear_params
from aejax.theory.checking.certificate import Certificate, Evidence, Statement, Tolerance, certify
from aejax.theory.checking.problem import Problem
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP
from aejax.theory.optimum.landscape import Landscape, landscape_or_obstacle, subsets
from aejax.types import Array, Key, Params

NUM_STARTS, MAX_STEPS = 48, 100
"""Number of random starts of the search, and maximum number of steps from each."""

SCALED_TOLERANCE = 1e-12
"""Gradient norm times kernel norm at which a critical point is accepted, for λ_1 = 1."""

MAX_KERNEL_NORM = 10.0
"""Maximum norm of the kernels at a critical point: gradients also vanish at infinity."""

EVERY = Statement(
    claim="whatever critical point a search finds is a projector on k or fewer eigenvectors",
    formula="∇L = 0 ⇒ W_e W_d = Σ_{i∈I} v_i v_iᵀ for some I, |I| ≤ k",
    source="Baldi & Hornik 1989",
)


def critical_point_search(problem: Problem) -> tuple[Certificate, ...]:
    """If ∇L = 0, at saddles too, then W_e W_d = Σ_{i∈I} v_i v_iᵀ for some set I, |I| ≤ k.

    Verification: Levenberg–Marquardt steps minimise ‖∇L‖, not L, from random starts, so that they
    converge to saddles as well as to minima; searches that end at a nonzero local minimum of ‖∇L‖
    are discarded. The data and the code size are those of `landscape_index`.

    Tolerance: with λ_n > 0 and λ_1 = 1, ‖∇L‖ ≤ g implies that W = W_e W_d differs from W Wᵀ by at
    most ‖W_e‖ g/(2 λ_n), and P S (I − P), with the nearest projector P, from zero by at most
    ‖W_d‖ g/2 more. To first order ‖W − P_I‖ ≤ 16 g max(‖W_e‖, ‖W_d‖)/(λ_n · gap).

    Control: the minimum distance of a map to projectors on randomly rotated eigenvectors.

    Args:
        problem: data, code size and key.

    Returns:
        One certificate.

    Source: Baldi & Hornik 1989; Yamashita & Fukushima 2001 (quadratic convergence to critical
    points that are not isolated).
    """
    case, obstacle = landscape_or_obstacle(problem)
    smallest = case.eigenvalues[-1]
    gap = float(np.min(-np.diff(case.eigenvalues), initial=1.0))
    basis = f"gradient {SCALED_TOLERANCE:.0e} against λ_n {smallest:.1e} and gap {gap:.1e} of λ_1"
    tolerance = Tolerance(
        float(16 * SCALED_TOLERANCE / max(smallest * gap, SCALED_TOLERANCE)),
        CLOSED_FORM_CAP,
        basis,
    )
    return (
        certify(EVERY, tolerance, lambda: _search_evidence(problem.key, case), obstacle=obstacle),
    )


def find_critical_points(key: Key, case: Landscape) -> Float64[np.ndarray, "found n n"]:
    """The maps W_e W_d of the critical points found from `NUM_STARTS` random starts."""
    with jax.enable_x64(True):
        size = (NUM_STARTS, len(case.eigenvalues), case.code)
        key_encoder, key_decoder = jax.random.split(key)
        encoder = 0.5 * jax.random.normal(key_encoder, size)
        decoder = 0.5 * jax.random.normal(key_decoder, size).mT
        ends, scaled = _levenberg_marquardt(
            linear_params(encoder, decoder), jnp.asarray(case.factor), case.code
        )
        encoder, decoder = (ends[side]["layer_0"]["kernel"] for side in ("encoder", "decoder"))
        maps = np.asarray(encoder @ decoder)
    return maps[np.asarray(scaled) <= SCALED_TOLERANCE]


def distance_to_projectors(
    maps: Float64[np.ndarray, "found n n"],
    components: Float64[np.ndarray, "n n"],
    case: Landscape,
) -> Float64[np.ndarray, " found"]:
    """Frobenius distance of each map to the nearest projector on at most k of the components."""
    rows = [components[list(subset)] for subset in subsets(case)]
    projectors = np.stack([each.T @ each for each in rows])
    return np.linalg.norm(maps[:, None] - projectors, axis=(2, 3)).min(axis=1)


@partial(jax.jit, static_argnames="code")
def _levenberg_marquardt(points: Params, factor: Array, code: int) -> tuple[Params, Array]:
    """Levenberg–Marquardt on ‖∇L‖ from each point; final points, and ‖∇L‖ times the kernel norm."""
    model = linear(factor.shape[1], code, bias=False)
    _, unravel = ravel_pytree(jax.tree.map(lambda leaf: leaf[0], points))

    def loss(flat: Array) -> Array:
        params = unravel(flat)
        x_hat = model.decode(params, model.encode(params, factor))
        return losses.squared_error(x_hat, factor).sum()

    gradient = jax.grad(loss)

    def step(carry: tuple) -> tuple:
        flat, damping, steps = carry
        slope, curvature = gradient(flat), jax.hessian(loss)(flat)
        norm = jnp.linalg.norm(slope)
        damped = curvature @ curvature + damping * norm * jnp.eye(len(flat))
        proposal = flat - jnp.linalg.solve(damped, curvature @ slope)
        better = jnp.linalg.norm(gradient(proposal)) < norm
        flat = jnp.where(better, proposal, flat)
        return flat, jnp.where(better, damping / 4, damping * 4), steps + 1

    def scaled(flat: Array) -> Array:
        size = jnp.linalg.norm(flat)
        return jnp.where(size < MAX_KERNEL_NORM, jnp.linalg.norm(gradient(flat)) * size, jnp.inf)

    def unfinished(carry: tuple) -> Array:
        flat, _, steps = carry
        return (scaled(flat) > SCALED_TOLERANCE / 100) & (steps < MAX_STEPS)

    def from_start(params: Params) -> tuple[Params, Array]:
        flat, _ = ravel_pytree(params)
        flat, _, _ = jax.lax.while_loop(unfinished, step, (flat, jnp.asarray(1.0), jnp.asarray(0)))
        return unravel(flat), scaled(flat)

    return jax.vmap(from_start)(points)


def _search_evidence(key: Key, case: Landscape) -> Evidence:
    maps = find_critical_points(key, case)
    if not len(maps):
        return Evidence(float("inf"), 0.0, f"none of {NUM_STARTS} searches found a critical point")
    with jax.enable_x64(True):
        rotation = np.asarray(jax.random.orthogonal(key, len(case.eigenvalues)))
    residual = distance_to_projectors(maps, case.components, case).max()
    projecting = maps[np.trace(maps, axis1=1, axis2=2) > 0.5]  # the zero map fits every basis
    rotated = distance_to_projectors(projecting, rotation @ case.components, case)
    return Evidence(float(residual), float(rotated.min(initial=np.inf)))
