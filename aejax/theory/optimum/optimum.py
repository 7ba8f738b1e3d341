"""Theorems: loss and map of the optimal linear autoencoder.

S may be singular. The literature assumes that it is invertible; if it is not (one constant feature
suffices), the optimal map is unique on the data only, because W_e is arbitrary in directions
without variance. V_k V_kᵀ is then the optimal map of minimum norm.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax.models import pca_params
from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.certificate import Certificate, Evidence, Statement, certify
from aejax.theory.checking.distances import map_error, projector, reconstruction_loss
from aejax.theory.checking.problem import Problem, last_component, pca_obstacle
from aejax.theory.checking.tolerances import (
    bound_tolerance,
    loss_scale,
    loss_tolerance,
    map_obstacle,
    map_tolerance,
)
from aejax.theory.solvers.lbfgs import convergence_doubt
from aejax.theory.solvers.linear_solvers import alternating_least_squares
from aejax.types import Params

ATTAINED = Statement(
    claim="the linear autoencoder made of k principal components loses the variance of the others",
    formula="mean ‖x̂ − x‖² = Σ_{i>k} λ_i",
    source="Eckart & Young 1936; Baldi & Hornik 1989",
)
MINIMAL = Statement(
    claim="no linear autoencoder with k code units loses less",
    formula="min L = max_t {tr S − kt − tr(S − tI)₊}, at W = V_k V_kᵀ and t = λ_{k+1}",
    source="Eckart & Young 1936; Fan 1949",
)
PROJECTOR = Statement(
    claim="the optimal map is the orthogonal projector on the k leading principal components",
    formula="W_e W_d = V_k V_kᵀ",
    source="Baldi & Hornik 1989",
)


def optimal_loss(problem: Problem) -> tuple[Certificate, ...]:
    """The minimum loss is Σ_{i>k} λ_i: PCA's parameters attain it, and no others have a lower loss.

    Lower bound, by duality: a map W of rank k has a loss of at least tr S − tr P S, with P the
    projector on its row space, and S ≼ tI + (S − tI)₊, with the positive part ₊, gives
    tr P S ≤ kt + tr(S − tI)₊ for every t ≥ 0. Repeated eigenvalues are allowed.

    Verification: the loss of `aejax.linear` with `pca_params`, through its encode and decode on the
    user's data, is compared with Σ_{i>k} λ_i, and with the bound at t = λ_{k+1} from eigenvalues of
    `numpy.cov` instead of the SVD. Both residuals are relative to the loss, or to Σ λ if
    rank ≤ k and the loss is zero.

    Controls: PCA without its last component; the bound for one code unit fewer.

    Args:
        problem: data and code size.

    Returns:
        Two certificates: the loss is attained, and it is minimal.

    Source: Eckart & Young 1936; Fan 1949; Baldi & Hornik 1989.
    """
    obstacle = pca_obstacle(problem)
    return (
        certify(ATTAINED, loss_tolerance(problem), lambda: _attained(problem), obstacle=obstacle),
        certify(MINIMAL, bound_tolerance(problem), lambda: _minimal(problem), obstacle=obstacle),
    )


def optimal_map(problem: Problem) -> tuple[Certificate, ...]:
    """The optimal map is W_e W_d = V_k V_kᵀ; for λ_k = λ_{k+1} it is not identifiable.

    Verification: the map found by alternating least squares. The residual is the spectral norm of
    the difference; between projectors this is the sine of the largest principal angle.

    Control: the projector in which component k + 1 replaces component k.

    Args:
        problem: data, code size and key.

    Returns:
        One certificate.

    Source: Baldi & Hornik 1989.
    """
    obstacle = map_obstacle(problem)
    return (
        certify(PROJECTOR, map_tolerance(problem), lambda: _projects(problem), obstacle=obstacle),
    )


def swapped_components(problem: Problem) -> Float64[np.ndarray, "code features"]:
    """The k leading components with component k + 1 in place of component k: a control."""
    components = leading_components(problem.pca, problem.code)
    components[-1] = problem.pca.components[problem.code]
    return components


def principal_params(problem: Problem, components: Float64[np.ndarray, "code features"]) -> Params:
    """Parameters of `aejax.linear` from principal components, in float64."""
    with jax.enable_x64(True):
        return pca_params(jnp.asarray(components), jnp.asarray(problem.pca.mean))


def relative_excess(problem: Problem, loss: float, minimum: float) -> float:
    """|L − min L|/`loss_scale`."""
    return abs(loss - minimum) / loss_scale(problem)


def _attained(problem: Problem) -> Evidence:
    components = leading_components(problem.pca, problem.code)
    fewer = components.copy()
    fewer[last_component(problem)] = 0
    residual, control = (
        relative_excess(
            problem,
            reconstruction_loss(problem, principal_params(problem, rows)),
            least_loss(problem.pca, problem.code),
        )
        for rows in (components, fewer)
    )
    return Evidence(residual, control)


def _minimal(problem: Problem) -> Evidence:
    components = leading_components(problem.pca, problem.code)
    loss = reconstruction_loss(problem, principal_params(problem, components))
    spectrum = np.linalg.eigvalsh(np.atleast_2d(np.cov(problem.centred, rowvar=False, ddof=0)))
    residual, control = (
        relative_excess(problem, loss, _dual_bound(spectrum, problem.pca.eigenvalues, code))
        for code in (problem.code, last_component(problem))
    )
    return Evidence(residual, control)


def _dual_bound(
    spectrum: Float64[np.ndarray, " features"],
    eigenvalues: Float64[np.ndarray, " components"],
    code: int,
) -> float:
    """tr S − kt − tr(S − tI)₊ at t = λ_{k+1}, a lower bound of the loss of maps of rank k."""
    threshold = eigenvalues[code] if code < len(eigenvalues) else 0.0
    excess = np.maximum(spectrum - threshold, 0).sum()
    return float(spectrum.sum() - code * threshold - excess)


def _projects(problem: Problem) -> Evidence:
    solution = alternating_least_squares(problem.key, problem.moments, problem.code)
    residual, control = (
        map_error(solution.params, projector(components))
        for components in (
            leading_components(problem.pca, problem.code),
            swapped_components(problem),
        )
    )
    return Evidence(residual, control, convergence_doubt(solution, method="least squares"))
