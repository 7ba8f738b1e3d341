"""The theorem that the landscape has no other critical points: a search that looks for them."""

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
"""Random starts of the search, and the steps that each may take."""

SCALED_TOLERANCE = 1e-12
"""Gradient times kernel norm at which a search has found a critical point, for λ_1 = 1."""

MAX_KERNEL_NORM = 10.0
"""Norm of the kernels beyond which a point is left out: gradients vanish at infinity too."""

EVERY = Statement(
    claim="whatever critical point a search finds is a projector on k or fewer eigenvectors",
    formula="∇L = 0 ⇒ W_e W_d = Σ_{i∈I} v_i v_iᵀ for some I, |I| ≤ k",
    source="Baldi & Hornik 1989",
)


def critical_point_search(problem: Problem) -> tuple[Certificate, ...]:
    """Where the gradient vanishes, saddles included, W_e W_d is a projector on eigenvectors.

    Levenberg–Marquardt steps lower ‖∇L‖, and not L, from random starts: they end at saddles as
    gladly as at minima. With λ_n > 0 and λ_1 = 1, ‖∇L‖ ≤ g leaves W = W_e W_d within
    ‖W_e‖ g/(2 λ_n) of W Wᵀ, and P S (I − P) within ‖W_d‖ g/2 beyond that of zero, so
    ‖W − P_I‖ ≤ 16 g max(‖W_e‖, ‖W_d‖)/(λ_n · gap) to first order. The landscape is that of
    `landscape_index`. Where a search ends elsewhere, in a valley of ‖∇L‖, it says nothing.

    Control: the eigenvectors, turned by a random rotation; the least distance of a map to them.

    Args:
        problem: the user's data, code size and key.

    Returns:
        One certificate.

    Source: Baldi & Hornik 1989; Yamashita & Fukushima 2001 (the steps converge quadratically to
    critical points that are not isolated).
    """
    case, obstacle = landscape_or_obstacle(problem)
    least = case.eigenvalues[-1]
    gap = float(np.min(-np.diff(case.eigenvalues), initial=1.0))
    basis = f"gradient {SCALED_TOLERANCE:.0e} against λ_n {least:.1e} and gap {gap:.1e} of λ_1"
    tolerance = Tolerance(
        float(16 * SCALED_TOLERANCE / max(least * gap, SCALED_TOLERANCE)),
        CLOSED_FORM_CAP,
        basis,
    )
    return (certify(EVERY, tolerance, lambda: _recognised(problem.key, case), obstacle=obstacle),)


def find_critical_points(key: Key, case: Landscape) -> Float64[np.ndarray, "found n n"]:
    """The maps W_e W_d of the critical points that the search finds from `STARTS` starts."""
    with jax.enable_x64(True):
        size = (NUM_STARTS, len(case.eigenvalues), case.code)
        key_encoder, key_decoder = jax.random.split(key)
        encoder = 0.5 * jax.random.normal(key_encoder, size)
        decoder = 0.5 * jax.random.normal(key_decoder, size).mT
        ends, scaled = _descend(
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
    """Frobenius distance of each map to the nearest projector on k or fewer of the components."""
    rows = [components[list(subset)] for subset in subsets(case)]
    projectors = np.stack([each.T @ each for each in rows])
    return np.linalg.norm(maps[:, None] - projectors, axis=(2, 3)).min(axis=1)


@partial(jax.jit, static_argnames="code")
def _descend(points: Params, factor: Array, code: int) -> tuple[Params, Array]:
    """Lower ‖∇L‖ from each point; the ends, and gradient norm times kernel norm at each."""
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


def _recognised(key: Key, case: Landscape) -> Evidence:
    maps = find_critical_points(key, case)
    if not len(maps):
        return Evidence(float("inf"), 0.0, f"no search of {NUM_STARTS} ended at a critical point")
    with jax.enable_x64(True):
        turn = np.asarray(jax.random.orthogonal(key, len(case.eigenvalues)))
    residual = distance_to_projectors(maps, case.components, case).max()
    projecting = maps[np.trace(maps, axis1=1, axis2=2) > 0.5]  # zero belongs to every basis
    turned = distance_to_projectors(projecting, turn @ case.components, case)
    return Evidence(float(residual), float(turned.min(initial=np.inf)))
