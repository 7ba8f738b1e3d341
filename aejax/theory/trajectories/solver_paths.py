"""How solvers come to their end: angles to the principal components, step by step.

A path is the same solver stopped early, again and again, so that what is shown is what is
certified. Stops are spaced geometrically: together they cost some three times the last.
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
from aejax.theory.learning.dynamics import START, modes
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

STOPS = 16
"""Most stops of a path."""

TRAINING_STEPS = 2000
"""Steps of gradient training that are followed, of which there may be many more."""


class Path(NamedTuple):
    """Angles on the way.

    steps: of each stop.
    sines: of the angles there, in [0, 1].
    """

    steps: Int[np.ndarray, " stops"]
    sines: Float64[np.ndarray, "stops angles"]


def stops(last: int) -> Int[np.ndarray, " stops"]:
    """Whole numbers from 1 to the last, spaced geometrically, 16 of them at most."""
    return np.unique(np.geomspace(1, last, STOPS).round().astype(int))


def principal_sines(
    rows: Float64[np.ndarray, "k n"], components: Float64[np.ndarray, "k n"]
) -> Float64[np.ndarray, " k"]:
    """Sines of the principal angles between two row spaces, the largest first.

    Args:
        rows: linearly independent.
        components: orthonormal.

    Returns:
        ‖Q − Q P‖'s singular values, Q an orthonormal basis and P the projector: exact if small.

    Source: Björck & Golub 1973.
    """
    basis, _ = np.linalg.qr(rows.T)
    apart = basis - components.T @ (components @ basis)
    return np.linalg.svd(apart, compute_uv=False)


def training_path(problem: Problem) -> Path:
    """Principal angles between decoder and subspace in gradient training, as it is certified."""
    solver, *_ = choose_solver(problem)

    def solve(steps: int) -> Solution:
        return solver(problem.key, problem.moments, problem.code, max_steps=steps)

    return _to_subspace(problem, solve, TRAINING_STEPS)


def least_squares_path(problem: Problem) -> Path:
    """Principal angles between decoder and principal subspace in alternating least squares."""

    def solve(steps: int) -> Solution:
        return alternating_least_squares(
            problem.key, problem.moments, problem.code, max_steps=steps
        )

    return _to_subspace(problem, solve, MAX_STEPS)


def tied_path(problem: Problem) -> tuple[Path, Float64[np.ndarray, " stops"]]:
    """The same in training with tied weights, and ‖W_eᵀW_e − I‖₂ there."""

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
    """Angles between each unit and its own component under an on-line rule, on average.

    Args:
        problem: the user's data, code size and key.
        listens: which units hear of which, see `aejax.theory.learning.online.hebbian_update`.

    Returns:
        A `Path` of one angle a component, in order.
    """
    momentum = needed_momentum(problem, float(unit_gaps(problem).min()))

    def sines(steps: int) -> Float64[np.ndarray, " k"]:
        kernel = run_rule(problem, mask, momentum=momentum, max_steps=steps).kernel
        return component_sines((kernel / np.linalg.norm(kernel, axis=0)).T, problem.pca)

    steps = stops(run_rule(problem, mask, momentum=momentum).steps)
    return Path(steps, np.stack([sines(int(step)) for step in steps]))


def stream_path(problem: Problem, *, batches: int = 32) -> Path:
    """Principal angles to the subspace of all the data, of that of the batches seen so far.

    Args:
        problem: the user's data, which is cut into batches in a random order, and code size.
        batches: how many; those without which there are not yet k components are passed over.

    Returns:
        A `Path` whose steps are the examples seen.
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
        problem: the user's data and code size.
        duration: t at the end.
        steps: of descent, of equal length.

    Returns:
        The times from 0 to the end, and the gains of each mode that is started.
    """
    rows = problem.pca.components[: modes(problem)]
    start = np.sqrt(START) * np.pad(rows, ((0, problem.code - len(rows)), (0, 0)))
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
    """Gradient descent on ‖T − T W_e W_d‖²_F, and what is seen of it.

    Args:
        params: kernels of a linear autoencoder without biases.
        factor: T.
        observe: of params and data.
        data: for `observe`.
        step: its size.
        steps: how many.

    Returns:
        The params at the end, and observations [steps + 1, …] from the start to the end.
    """

    def follow(params: Params, _: None) -> tuple[Params, Array]:
        gradient = jax.grad(squared_error_of_factor)(params, factor)
        moved = jax.tree.map(lambda leaf, slope: leaf - step * slope, params, gradient)
        return moved, observe(moved, data)

    end, seen = jax.lax.scan(follow, params, length=steps)
    return end, jnp.concatenate([observe(params, data)[None], seen])


def _to_subspace(problem: Problem, solve: Callable[[int], Solution], most: int) -> Path:
    components = leading_components(problem.pca, problem.code)
    found = [solve(int(step)) for step in stops(min(solve(most).steps, most))]
    sines = [principal_sines(kernels(each)[1], components) for each in found]
    return Path(np.array([each.steps for each in found]), np.stack(sines))
