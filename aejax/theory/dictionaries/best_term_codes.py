"""Theorem on TopK codes, which are best for every x if and only if directions are orthogonal."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax.layers.code_activations import absolute_top_k
from aejax.models import dictionary
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Statement,
    certify,
    refuse,
)
from aejax.theory.checking.problem import Problem, pca_obstacle
from aejax.theory.dictionaries.sparse_coding import (
    Dictionary,
    Rows,
    best_codes,
    coherence,
    dictionary_params,
    instance_tolerance,
)
from aejax.types import Array

MAX_UNITS, MAX_EXAMPLES = 6, 64
"""Maximum number of directions, and of examples that are coded."""

ORTHOGONAL = Statement(
    claim="with orthonormal directions the k largest |d_l · x| are the best code of k units",
    formula="W_d W_dᵀ = I → ‖x − TopK_k(x W_dᵀ) W_d‖ = min_{‖h‖₀≤k} ‖x − h W_d‖ for every x, k",
    source="derived here, after Mallat & Zhang 1993",
)
COHERENT = Statement(
    claim="without orthogonal directions they are not, for some x and every k ≥ 2",
    formula="x = d_i ± d_j, μ = |d_i · d_j| > 0 → ‖x − TopK_k(x W_dᵀ) W_d‖² ≥ 2 μ² (1 + μ); "
    "min_{‖h‖₀≤2} ‖x − h W_d‖ = 0",
    source="derived here",
)
ONE_UNIT = Statement(
    claim="for k = 1 any directions of norm 1 will do",
    formula="‖d_l‖ = 1 → ‖x − TopK_1(x W_dᵀ) W_d‖ = min_{‖h‖₀≤1} ‖x − h W_d‖ for every x",
    source="Mallat & Zhang 1993",
)


def best_term_codes(problem: Problem) -> tuple[Certificate, ...]:
    """TopK of x W_dᵀ is the best code of k units for every x, k ≥ 2, only for orthogonal units.

    The code is h_l = d_l · x for the k units of largest |d_l · x|, and 0 for the others, with
    directions of norm 1. *If:* ‖x − Σ_S h_l d_l‖² = ‖x‖² − Σ_S (d_l · x)² + Σ_S (h_l − d_l · x)²
    for orthonormal directions, minimal for h_l = d_l · x and the largest squares. *Only if:* let
    μ = |d_i · d_j| > 0 and x = d_i + sign(d_i · d_j) d_j, which two units reproduce exactly. Then
    ‖x‖² = 2 + 2μ, and |d_i · x| = |d_j · x| = 1 + μ, so that the largest two or more squares have
    a sum of at least 2 (1 + μ)². That sum is x · x̂, so ‖x̂ − x‖ ≥ x · (x̂ − x)/‖x‖ is at least
    μ √(2 + 2μ). *One unit:* the error is ‖x‖² − (d_l · x)² + (h_l − d_l · x)² for one unit alone.

    Verification: TopK by `aejax.dictionary` with `absolute_top_k`, against least squares on all
    supports. The orthonormal directions are the first principal components, the others normalised
    examples of the data, which are coded too; x of the second statement is that of the pair with
    the largest μ.

    Controls: the first statement for normalised examples at x = d_i ± d_j; that x has a best code
    with an error; the third statement for directions of norm 2.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Three certificates: orthonormal, not orthogonal, one unit.

    Source: Mallat & Zhang 1993 (the best single direction).
    """
    statements = (ORTHOGONAL, COHERENT, ONE_UNIT)
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        return refuse(statements, obstacle)
    rows, examples = coded_rows(problem), normalised_examples(problem)
    axes = problem.pca.components[:MAX_UNITS]
    pair, overlap = pair_sum(examples)
    tolerance = instance_tolerance(problem.x.shape[1])

    def orthogonal() -> Evidence:
        residual = max(excess_error(axes, rows, size=size) for size in range(1, len(axes) + 1))
        return Evidence(residual, excess_error(examples, pair, size=2))

    def coherent() -> Evidence:
        bound = 2 * overlap**2 * (1 + overlap)
        errors = [
            float(top_k_errors(examples, pair, size=k)[0]) for k in range(2, len(examples) + 1)
        ]
        best = float(best_codes(examples, pair, size=2).errors[0])
        return Evidence(max(bound - min(errors), best, 0.0), min(errors))

    def one_unit() -> Evidence:
        residual, control = (excess_error(factor * examples, rows, size=1) for factor in (1.0, 2.0))
        return Evidence(residual, control)

    return tuple(
        certify(statement, tolerance, measure)
        for statement, measure in zip(statements, (orthogonal, coherent, one_unit), strict=True)
    )


def coded_rows(problem: Problem) -> Rows:
    """Up to 64 evenly spaced examples, centred, for a largest norm of 1."""
    rows = problem.centred[:: -(-len(problem.centred) // MAX_EXAMPLES)]
    largest = np.linalg.norm(problem.centred, axis=1).max()
    return rows / largest


def normalised_examples(problem: Problem) -> Dictionary:
    """Up to six evenly spaced centred examples that are not zero, divided by their norms."""
    rows = problem.centred / np.abs(problem.centred).max()
    rows = rows[np.any(rows != 0, axis=1)]
    chosen = rows[:: -(-len(rows) // MAX_UNITS)]
    scaled = chosen / np.abs(chosen).max(axis=1, keepdims=True)  # squares must not underflow
    return scaled / np.linalg.norm(scaled, axis=1, keepdims=True)


def pair_sum(directions: Dictionary) -> tuple[Rows, float]:
    """x = d_i ± d_j of the two directions of largest overlap, with d_i · (±d_j) = μ, and μ."""
    overlaps = np.triu(directions @ directions.T, 1)
    i, j = np.unravel_index(np.abs(overlaps).argmax(), overlaps.shape)
    sign = 1.0 if overlaps[i, j] >= 0 else -1.0
    return (directions[i] + sign * directions[j])[None], coherence(directions)


def top_k_errors(directions: Dictionary, x: Rows, *, size: int) -> Float64[np.ndarray, " examples"]:
    """‖x − TopK(x W_dᵀ) W_d‖² of each example, by `aejax.dictionary` with `absolute_top_k`."""
    with jax.enable_x64(True):
        kernel, rows = jnp.asarray(directions), jnp.asarray(x)
        x_hat = np.asarray(_reconstructed(kernel, rows, jnp.asarray(size)))
    return np.sum(np.square(x - x_hat), axis=1)


@jax.jit
def _reconstructed(kernel: Array, x: Array, size: Array) -> Array:
    units, features = kernel.shape
    activation = absolute_top_k(k=size, at_most=units)
    model = dictionary(features, units, activation=activation, centred=False)
    params = dictionary_params(kernel.T, kernel)
    return model.decode(params, model.encode(params, x))


def excess_error(directions: Dictionary, x: Rows, *, size: int) -> float:
    """Largest difference of the squared errors of TopK's code and of the best of all supports."""
    best = best_codes(directions, x, size=size).errors
    return float(np.abs(top_k_errors(directions, x, size=size) - best).max())
