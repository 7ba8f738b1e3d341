"""Convergence trajectories of the solvers: angles to the principal components per step.

Each point of a path is a separate run of the certified solver with fewer steps. The numbers of
steps are spaced geometrically, so all runs together cost about three times the longest one.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, Int

from aejax.theory.analysis.moments import moments
from aejax.theory.analysis.pca import leading_components, pca_of_moments
from aejax.theory.checking.problem import Problem
from aejax.theory.learning.dynamics import START_GAIN, num_modes
from aejax.theory.learning.online import needed_momentum, run_rule, unit_gaps
from aejax.theory.learning.streamed_moments import merge_moments
from aejax.theory.optimum.gradient import choose_solver
from aejax.theory.parameters.components import component_sines
from aejax.theory.parameters.tied import train_tied
from aejax.theory.solvers.lbfgs import MAX_STEPS
from aejax.theory.solvers.linear_solvers import (
    Solution,
    alternating_least_squares,
    squared_error_of_factor,
)
from aejax.theory.solvers.penalised import kernels
from aejax.types import Array, Params

MAX_STOPS = 16
"""Maximum number of points of a path."""

TRAINING_STEPS = 2000
"""Maximum number of steps of gradient training on a path."""


class Path(NamedTuple):
    """Angles after increasing numbers of steps of a solver.

    steps: number of steps at each point ("stop").
    sines: sines of the angles, in [0, 1].
    """

    steps: Int[np.ndarray, " stops"]
    sines: Float64[np.ndarray, "stops angles"]


def stops(last: int) -> Int[np.ndarray, " stops"]:
    """At most 16 integers from 1 to `last`, spaced geometrically."""
    return np.unique(np.geomspace(1, last, MAX_STOPS).round().astype(int))


def principal_sines(
    rows: Float64[np.ndarray, "k n"], components: Float64[np.ndarray, "k n"]
) -> Float64[np.ndarray, " k"]:
    """Sines of the principal angles between two row spaces, the largest first.

    Args:
        rows: linearly independent rows.
        components: orthonormal rows.

    Returns:
        Singular values of (I − P) Q, with an orthonormal basis Q of the rows and the projector P on
        the components; accurate for small angles.

    Source: Björck & Golub 1973.
    """
    basis, _ = np.linalg.qr(rows.T)
    outside = basis - components.T @ (components @ basis)
    return np.linalg.svd(outside, compute_uv=False)


def training_path(problem: Problem) -> Path:
    """Principal angles between decoder and principal subspace in gradient training."""
    solver, *_ = choose_solver(problem)

    def solve(steps: int) -> Solution:
        return solver(problem.key, problem.moments, problem.code, max_steps=steps)

    return _subspace_path(problem, solve, TRAINING_STEPS)


def least_squares_path(problem: Problem) -> Path:
    """Principal angles between decoder and principal subspace in alternating least squares."""

    def solve(steps: int) -> Solution:
        return alternating_least_squares(
            problem.key, problem.moments, problem.code, max_steps=steps
        )

    return _subspace_path(problem, solve, MAX_STEPS)


def tied_path(problem: Problem) -> tuple[Path, Float64[np.ndarray, " stops"]]:
    """Principal angles in training with tied weights, and ‖W_eᵀW_e − I‖₂, at each stop."""

    def kernel(steps: int) -> Float64[np.ndarray, "n k"]:
        params = train_tied(problem, max_steps=steps).params
        return np.asarray(params["encoder"]["layer_0"]["kernel"])

    components = leading_components(problem.pca, problem.code)
    steps = stops(train_tied(problem).steps)
    found = [kernel(int(step)) for step in steps]
    sines = np.stack([principal_sines(each.T, components) for each in found])
    unit = np.eye(problem.code)
    departures = [np.linalg.norm(each.T @ each - unit, ord=2) for each in found]
    return Path(steps, sines), np.array(departures)


def rule_path(problem: Problem, mask: Float64[np.ndarray, "k k"]) -> Path:
    """Angle between each unit and its component under an averaged online rule.

    Args:
        problem: data, code size and key.
        mask: M [k, k] of the rule, see `aejax.theory.solvers.hebbian.hebbian_update`.

    Returns:
        A `Path` with one angle per component, in order.
    """
    momentum = needed_momentum(problem, float(unit_gaps(problem).min()))

    def sines(steps: int) -> Float64[np.ndarray, " k"]:
        kernel = run_rule(problem, mask, momentum=momentum, max_steps=steps).kernel
        return component_sines((kernel / np.linalg.norm(kernel, axis=0)).T, problem.pca)

    steps = stops(run_rule(problem, mask, momentum=momentum).steps)
    return Path(steps, np.stack([sines(int(step)) for step in steps]))


def stream_path(problem: Problem, *, batches: int = 32) -> Path:
    """Principal angles between the subspace of the batches so far and that of all data.

    Args:
        problem: data, split into batches in a random order, code size and key.
        batches: number of batches; the first ones are omitted until there are k components.

    Returns:
        A `Path` whose steps are the numbers of examples so far.
    """
    order = np.asarray(jax.random.permutation(problem.key, len(problem.x)))
    components = leading_components(problem.pca, problem.code)
    seen, steps, sines = None, [], []
    for rows in np.array_split(order, min(batches, len(order))):
        batch = moments(problem.x[rows])
        seen = batch if seen is None else merge_moments(seen, batch)
        if seen.examples > problem.code:
            found = leading_components(pca_of_moments(seen), problem.code)
            steps.append(seen.examples)
            sines.append(principal_sines(found, components))
    return Path(np.array(steps), np.stack(sines))


def mode_curves(
    problem: Problem, *, duration: float, steps: int = 400
) -> tuple[Float64[np.ndarray, " times"], Float64[np.ndarray, "times modes"]]:
    """Gains v_iᵀ W_e W_d v_i under gradient descent from W_e = W_dᵀ = √a₀ V_k, for λ_1 = 1.

    Args:
        problem: data and code size.
        duration: final time t.
        steps: number of equal steps of the descent.

    Returns:
        The times from 0 to `duration`, and the gains of each started mode.
    """
    rows = problem.pca.components[: num_modes(problem)]
    start = np.sqrt(START_GAIN) * np.pad(rows, ((0, problem.code - len(rows)), (0, 0)))
    with jax.enable_x64(True):
        factor = jnp.asarray(problem.moments.factor / np.sqrt(problem.pca.eigenvalues[0]))
        params = {
            "encoder": {"layer_0": {"kernel": jnp.asarray(start.T)}},
            "decoder": {"layer_0": {"kernel": jnp.asarray(start)}},
        }
        _, gains = descend(
            params, factor, gains_of_modes, jnp.asarray(rows), step=duration / steps, steps=steps
        )
        return np.linspace(0, duration, steps + 1), np.asarray(gains)


def gains_of_modes(params: Params, rows: Float64[Array, "modes n"]) -> Float64[Array, " modes"]:
    """v_iᵀ W_e W_d v_i for each row v_i."""
    encoder, decoder = (params[side]["layer_0"]["kernel"] for side in ("encoder", "decoder"))
    return jnp.sum((rows @ encoder) * (decoder @ rows.T).T, axis=1)


@functools.partial(jax.jit, static_argnames=("observe", "steps"))
def descend(
    params: Params,
    factor: Array,
    observe: Callable[[Params, Array], Array],
    data: Array,
    *,
    step: float | Array,
    steps: int,
) -> tuple[Params, Array]:
    """Gradient descent on ‖T − T W_e W_d‖²_F with an observation of every step.

    Args:
        params: initial kernels of a linear autoencoder without biases.
        factor: T.
        observe: function of params and `data`.
        data: second argument of `observe`.
        step: step size.
        steps: number of steps.

    Returns:
        The final params, and the observations [steps + 1, …] from the initial to the final params.
    """

    def follow(params: Params, _: None) -> tuple[Params, Array]:
        gradient = jax.grad(squared_error_of_factor)(params, factor)
        moved = jax.tree.map(lambda leaf, slope: leaf - step * slope, params, gradient)
        return moved, observe(moved, data)

    end, seen = jax.lax.scan(follow, params, length=steps)
    return end, jnp.concatenate([observe(params, data)[None], seen])


def _subspace_path(problem: Problem, solve: Callable[[int], Solution], max_steps: int) -> Path:
    components = leading_components(problem.pca, problem.code)
    found = [solve(int(step)) for step in stops(min(solve(max_steps).steps, max_steps))]
    sines = [principal_sines(kernels(each)[1], components) for each in found]
    return Path(np.array([each.steps for each in found]), np.stack(sines))
