"""Theorem: gradient training from a random start converges to PCA."""

import functools
from collections.abc import Callable

from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Statement,
    Tolerance,
    certify,
    refuse,
)
from aejax.theory.checking.distances import map_error_on_data, projector, reconstruction_loss
from aejax.theory.checking.problem import Problem, last_component, pca_obstacle
from aejax.theory.checking.tolerances import (
    gradient_stop,
    map_obstacle,
    preconditioned_loss_tolerance,
    preconditioned_map_tolerance,
    trained_loss_tolerance,
    trained_map_tolerance,
)
from aejax.theory.optimum.optimum import relative_excess, swapped_components
from aejax.theory.solvers.lbfgs import Solution, convergence_doubt
from aejax.theory.solvers.linear_solvers import train_linear, train_preconditioned

LOSS = Statement(
    claim="a linear autoencoder trained by gradient from a random start reaches PCA's loss",
    formula="mean ‖x̂ − x‖² = Σ_{i>k} λ_i after training",
    source="Baldi & Hornik 1989",
)
MAP = Statement(
    claim="a linear autoencoder trained by gradient from a random start reaches PCA's map",
    formula="R W_e W_d = R V_k V_kᵀ after training",
    source="Baldi & Hornik 1989",
)


def gradient_training(problem: Problem) -> tuple[Certificate, ...]:
    """Gradient training from a random start converges to the loss Σ_{i>k} λ_i and map V_k V_kᵀ.

    The loss has no other local minima, and training escapes its saddles.

    Verification: L-BFGS (`train_linear`); the loss of the model on the user's data; and
    ‖R (W_e W_d − V_k V_kᵀ)‖₂/σ_k, which bounds the sine of the largest principal angle between the
    decoder's row space and the principal subspace. If the eigengap or the smallest variance is so
    small that the loss in float64 does not determine the map, the encoder's gradient is
    preconditioned by S⁻¹ (`train_preconditioned`), and the certificates report it.

    Tolerances: the error that the final gradient norm allows. If training does not converge, a
    residual above the tolerance does not refute the theorem.

    Controls: the loss for one code unit fewer; the map with component k + 1 in place of k.

    Args:
        problem: data, code size and key.

    Returns:
        Two certificates: the loss, and the map.

    Source: Baldi & Hornik 1989.
    """
    if obstacle := pca_obstacle(problem):
        return refuse((LOSS, MAP), obstacle)
    solver, loss_tolerance, map_tolerance = choose_solver(problem)
    stop = gradient_stop(problem)
    train = functools.cache(
        lambda: solver(problem.key, problem.moments, problem.code, gradient_tolerance=stop)
    )
    return (
        certify(LOSS, loss_tolerance, lambda: _loss_evidence(problem, train())),
        certify(
            MAP,
            map_tolerance,
            lambda: _map_evidence(problem, train()),
            obstacle=map_obstacle(problem),
        ),
    )


def choose_solver(problem: Problem) -> tuple[Callable[..., Solution], Tolerance, Tolerance]:
    """The solver, and the tolerances of the loss and of the map for it."""
    plain = trained_map_tolerance(problem)
    if plain.value <= plain.cap:
        return train_linear, trained_loss_tolerance(problem), plain
    loss, map_ = preconditioned_loss_tolerance(problem), preconditioned_map_tolerance(problem)
    return train_preconditioned, loss, map_


def _loss_evidence(problem: Problem, solution: Solution) -> Evidence:
    loss = reconstruction_loss(problem, solution.params)
    residual, control = (
        relative_excess(problem, loss, least_loss(problem.pca, code))
        for code in (problem.code, last_component(problem))
    )
    return Evidence(residual, control, convergence_doubt(solution))


def _map_evidence(problem: Problem, solution: Solution) -> Evidence:
    residual, control = (
        map_error_on_data(problem, solution.params, projector(components))
        for components in (
            leading_components(problem.pca, problem.code),
            swapped_components(problem),
        )
    )
    return Evidence(residual, control, convergence_doubt(solution))
