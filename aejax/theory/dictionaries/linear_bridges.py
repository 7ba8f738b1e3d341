"""Theorem on linear transcoders, crosscoders and prefix losses: classical methods as optima."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float64

from aejax import losses, penalties
from aejax.models import crosscoder, dictionary, transcoder
from aejax.objectives import objective
from aejax.theory.analysis.moments import equivalent_batch
from aejax.theory.analysis.pca import leading_components
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Obstacle,
    Statement,
    Tolerance,
    certify,
    refuse,
)
from aejax.theory.checking.problem import (
    DEFLATION,
    EPSILON,
    Problem,
    pca_obstacle,
    rank,
    rounding,
)
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP, unit_eigenvalues, unit_factor
from aejax.theory.dictionaries.sparse_coding import dictionary_params
from aejax.theory.dictionaries.transcoder_regression import (
    MIN_DEVIATION,
    Halves,
    halves,
    reduced_rank_regression,
    regression_loss,
)
from aejax.theory.noise.expectations import Kernels
from aejax.types import Array, Batch, Params

MAX_PREFIXES = 12
"""Maximum number of units of which each is the last of a prefix."""

TRANSCODER = Statement(
    claim="the best linear transcoder of k units is reduced-rank regression",
    formula="min ‖Y − X W_e W_d‖² = ‖Y − P_X Y‖² + Σ_{i>k} σ_i(P_X Y)²",
    source="Izenman 1975",
)
CROSSCODER = Statement(
    claim="the best linear crosscoder of k units is PCA of the layers one after another",
    formula="min Σ_l ‖X_l − (Σ_j X_j W_e,j) W_d,l‖² = Σ_{i>k} λ_i of [X_1 X_2]",
    source="derived here, after Eckart & Young 1936; Lindsey et al. 2024",
)
PREFIXES = Statement(
    claim="Matryoshka prefixes order the units of a linear dictionary as principal components",
    formula="min Σ_{m≤k} L(W_e,:m W_d,:m) = Σ_{m≤k} Σ_{i>m} λ_i at W_e = W_dᵀ = V_k, and more for "
    "V_k Q, which has the same L",
    source="derived here, after Rippel, Gelbart & Adams 2014; Bussmann et al. 2025",
)


def linear_bridges(problem: Problem) -> tuple[Certificate, ...]:
    """Linear transcoders, crosscoders and prefix losses have the optima of classical methods.

    *Transcoder.* With P_X Y the least squares fit of Y by X, ‖Y − X W‖² is
    ‖Y − P_X Y‖² + ‖P_X Y − X W‖², and by Eckart–Young the last term is at least Σ_{i>k} σ_i² of
    P_X Y for W of rank k, attained by W = X⁺ Y V_k V_kᵀ with its right singular vectors V_k.

    *Crosscoder.* The code is a linear function of all layers, and the loss the sum over the layers,
    so that it is the linear autoencoder of the layers one after another.

    *Prefixes.* Each prefix of m units is a linear autoencoder with m units, of loss at least
    Σ_{i>m} λ_i. V_k attains all bounds at once, so that a minimum attains each: its prefixes have
    the principal subspaces, and unit m is component m if the eigenvalues are distinct. The sum over
    prefixes is k times nested dropout with uniform probabilities (`ordered_recovery`). Without
    prefixes any V_k Q is optimal; a rotation of components 1 and r by 45° has (r − 1)(λ_1 − λ_r)/2
    more.

    Verification: value and gradient of `aejax.objective` for `aejax.transcoder`,
    `aejax.crosscoder` and `aejax.dictionary` with `penalties.matryoshka`, all without activation,
    at the stated parameters. The transcoder predicts the second half of the user's features from
    the first, without their components of small variance. The layers of the crosscoder are the two
    halves. The prefixes are those of the first 12 units, if there are more.

    Controls: the transcoder's bound for one unit fewer; separate PCA of each layer; the rotation.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Three certificates: transcoder, crosscoder, prefixes.

    Source: Izenman 1975; Eckart & Young 1936; Rippel, Gelbart & Adams 2014; Bussmann et al. 2025.
    """
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        return refuse((TRANSCODER, CROSSCODER, PREFIXES), obstacle)
    return (
        certify(
            TRANSCODER,
            _tolerance(problem, 1 / MIN_DEVIATION),
            lambda: _transcoder_evidence(problem),
            obstacle=_constant_half(problem),
        ),
        certify(
            CROSSCODER,
            _tolerance(problem, 1.0),
            lambda: _crosscoder_evidence(problem),
            obstacle=_lossless_layers(problem),
        ),
        certify(
            PREFIXES,
            _tolerance(problem, float(_num_units(problem))),
            lambda: _prefix_evidence(problem),
        ),
    )


def prefix_loss(problem: Problem) -> float:
    """Σ_m Σ_{i>m} λ_i over the prefixes m = 1 … r, for Σλ = 1."""
    eigenvalues = unit_eigenvalues(problem)
    return float(sum(eigenvalues[m:].sum() for m in range(1, _num_units(problem) + 1)))


def rotated_components(problem: Problem) -> Float64[np.ndarray, "units features"] | None:
    """The components with the first and the last that has variance rotated by 45°.

    None for one component, which has no order.
    """
    last = min(_num_units(problem), rank(problem)) - 1
    if last < 1:
        return None
    rows = leading_components(problem.pca, _num_units(problem)).copy()
    rows[[0, last]] = np.array([rows[0] + rows[last], rows[0] - rows[last]]) / np.sqrt(2)
    return rows


def _num_units(problem: Problem) -> int:
    return min(problem.code, MAX_PREFIXES)


def _constant_half(problem: Problem) -> Obstacle | None:
    factor = problem.moments.factor
    first = -(-factor.shape[1] // 2)
    for name, part in (("first", factor[:, :first]), ("second", factor[:, first:])):
        if np.linalg.norm(part) <= rounding(problem):
            return Obstacle("not applicable", f"no feature of the {name} half varies")
    return None


def _lossless_layers(problem: Problem) -> Obstacle | None:
    features = 2 * (problem.x.shape[1] // 2)
    if problem.code < features:
        return None
    return Obstacle("not applicable", f"code {problem.code} ≥ {features} features of two layers")


def _tolerance(problem: Problem, condition: float) -> Tolerance:
    """Rounding of losses and gradients for Σλ = 1: 4 (√(pn) + 50) ε (1 + κ), for p rows of T."""
    size = float(np.sqrt(problem.moments.factor.size)) + DEFLATION
    basis = f"rounding of the variance, for Σλ = 1, times a condition of {condition:.0e}"
    return Tolerance(4 * EPSILON * size * (1 + condition), CLOSED_FORM_CAP, basis)


def _transcoder_evidence(problem: Problem) -> Evidence:
    case = halves(problem)
    found = reduced_rank_regression(case, problem.code)
    least = regression_loss(found, problem.code)
    value, slope, _ = _measured(_transcoded, found.kernels, case)
    kept = found.singular_values[: problem.code]
    used = int(np.sum(kept >= MIN_DEVIATION * kept[0]))
    residual = max(abs(value - least), slope)
    return Evidence(residual, abs(value - regression_loss(found, used - 1)))


def _crosscoder_evidence(problem: Problem) -> Evidence:
    features = problem.x.shape[1] // 2
    layers = unit_factor(problem)[:, : 2 * features]
    _, deviations, components = np.linalg.svd(layers, full_matrices=False)
    rows = np.pad(components[: problem.code], ((0, max(problem.code - len(components), 0)), (0, 0)))
    least = float(np.sum(np.square(deviations[problem.code :])))
    value, slope, _ = _measured(_crosscoded, Kernels(rows.T, rows), Halves(layers, layers))
    separate = sum(
        float(np.sum(np.square(np.linalg.svd(layer, compute_uv=False)[problem.code :])))
        for layer in np.split(layers, 2, axis=1)
    )
    return Evidence(max(abs(value - least), slope), abs(value - separate))


def _prefix_evidence(problem: Problem) -> Evidence:
    """Errors of J, of its gradient and of the loss of a rotation; control: J of the rotation."""
    units, rotated = _num_units(problem), rotated_components(problem)
    rows = leading_components(problem.pca, units)
    case = Halves(unit_factor(problem), unit_factor(problem))
    least = prefix_loss(problem)
    value, slope, _ = _measured(_prefixed, Kernels(rows.T, rows), case)
    residual = max(abs(value - least), slope)
    if rotated is None:
        return Evidence(residual, "one component has no order")
    total, _, plain = _measured(_prefixed, Kernels(rotated.T, rotated), case)
    lost = float(unit_eigenvalues(problem)[units:].sum())
    return Evidence(max(residual, abs(plain - lost)), abs(total - least))


Call = Callable[[Params, Batch], tuple[Array, dict[str, Array]]]
"""A linear dictionary's objective: (params, batch) -> (value, terms)."""


def _measured(call: Call, kernels: Kernels, case: Halves) -> tuple[float, float, float]:
    """Value, norm of the gradient, and reconstruction term of an objective at kernels."""
    with jax.enable_x64(True):
        params = dictionary_params(*map(jnp.asarray, kernels))
        data = Batch(*(jnp.asarray(equivalent_batch(rows)) for rows in case))
        value, slope, loss = map(float, _value_slope_and_loss(call, params, data))
    return value, slope, loss


@partial(jax.jit, static_argnames="call")
def _value_slope_and_loss(call: Call, params: Params, data: Batch) -> tuple[Array, Array, Array]:
    (value, terms), gradient = jax.value_and_grad(call, has_aux=True)(params, data)
    kernels = [gradient[side]["kernel"] for side in ("encoder", "decoder")]
    return value, optax.tree.norm(kernels), terms["reconstruction"]


def _transcoded(params: Params, data: Batch) -> tuple[Array, dict[str, Array]]:
    features, units = params["encoder"]["kernel"].shape
    outputs = params["decoder"]["kernel"].shape[1]
    model = transcoder(features, units, outputs, activation=jax.nn.identity)
    return objective(model, losses.squared)(params, data, jax.random.key(0))


def _crosscoded(params: Params, data: Batch) -> tuple[Array, dict[str, Array]]:
    features, units = params["encoder"]["kernel"].shape
    model = crosscoder(2, features // 2, units, activation=jax.nn.identity)
    return objective(model, losses.squared)(params, data, jax.random.key(0))


def _prefixed(params: Params, data: Batch) -> tuple[Array, dict[str, Array]]:
    features, units = params["encoder"]["kernel"].shape
    model = dictionary(features, units, activation=jax.nn.identity, centred=False)
    prefixes = {"prefixes": (1.0, penalties.matryoshka(prefixes=range(1, units + 1)))}
    call = objective(model, losses.squared, penalties=prefixes)
    return call(params, data, jax.random.key(0))
