"""Theorem on linear contractive autoencoders: no minimum if untied, shrunk components if tied."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float64

from aejax import losses, penalties
from aejax.models import linear
from aejax.objectives import objective
from aejax.theory.analysis.moments import equivalent_batch
from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Statement,
    Tolerance,
    certify,
    refuse,
    rescaled_residual,
)
from aejax.theory.checking.problem import DEFLATION, EPSILON, Problem, last_component, pca_obstacle
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP, unit_factor
from aejax.theory.noise.expectations import TRAINING_STEPS, enumerable_problem
from aejax.theory.solvers.lbfgs import minimise
from aejax.types import Array, Batch, Params

STRETCHES = tuple(2.0**power for power in range(0, 11, 2))
"""Factors t of the untied sequence (W_e/t, t W_d): powers of two, which scale exactly."""

UNTIED = Statement(
    claim="an untied linear encoder escapes the contractive penalty: PCA's loss, never attained",
    formula="J(V_k/t, t V_kᵀ) = Σ_{i>k} λ_i + μ k/t² → inf J = Σ_{i>k} λ_i < J(W_e, W_d)",
    source="derived here, after Rifai et al. 2011",
)
TIED = Statement(
    claim="the contractive penalty shrinks a tied linear autoencoder's gains, to zero below μ/2",
    formula="W Wᵀ = Σ_{i≤k} max(0, 1 − μ/(2λ_i)) v_i v_iᵀ is stationary; "
    "J = Σ λ_i − Σ_{i≤k} max(0, λ_i − μ/2)²/λ_i",
    source="derived here, after Rifai et al. 2011",
)


def contractive_optimum(problem: Problem) -> tuple[Certificate, ...]:
    """Optimum of J = L + μ mean ‖∂h/∂x‖²_F, which is L + μ ‖W_e‖²_F for a linear encoder.

    Untied: (W_e/t, t W_d) has the loss of (W_e, W_d) and 1/t² of its penalty, so inf J is PCA's
    loss. It is not attained: J = Σ_{i>k} λ_i requires W_e = 0, and then J = Σ λ_i. So a contractive
    autoencoder must be tied or have a bounded decoder. Tied: with the eigendecomposition
    W Wᵀ = Σ g_l u_l u_lᵀ (gains g_l) and s_l = u_lᵀ S u_l,
    J = tr S + Σ_l (g_l² − 2 g_l) s_l + μ g_l, minimal at g_l = max(0, 1 − μ/(2 s_l)) with the value
    tr S − Σ_l max(0, s_l − μ/2)²/s_l. The subtracted function of s_l is convex and increasing, and
    the eigenvalues of S majorise the s_l: so the u_l of the minimum are the k leading eigenvectors.

    Verification: both are evaluated by `aejax.objective` with `penalties.contractive` on examples
    with the data's moments, at μ/2 = min(√(λ_1 λ_k), λ_1/2), so that some gains vanish if k > 2.
    Training from a random start must not reach a lower J than the tied formula; if n > 8, it uses
    the 8 features of largest variance.

    Controls: the encoder shrunk without stretching the decoder; the gains 1 − μ/λ_i of an L2
    penalty on both kernels.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Two certificates, untied and tied.

    Source: Rifai et al. 2011 (the penalty; weight decay where the encoder is linear).
    """
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        return refuse((UNTIED, TIED), obstacle)
    return (
        certify(
            UNTIED,
            _tolerance(problem, untied_loss(problem, 1.0)),
            lambda: _untied_evidence(problem),
        ),
        certify(TIED, _tolerance(problem, tied_loss(problem)), lambda: _tied_evidence(problem)),
    )


def spectrum(problem: Problem) -> Float64[np.ndarray, " code"]:
    """λ_1 … λ_k for Σλ = 1; zero beyond the rank of the data."""
    kept = np.pad(problem.pca.eigenvalues, (0, problem.code))[: problem.code]
    return kept / least_loss(problem.pca, 0)


def penalty_weight(problem: Problem) -> float:
    """μ = min(2 √(λ_1 λ_k), λ_1) for Σλ = 1, with k at most the rank."""
    kept = spectrum(problem)
    return float(min(2 * np.sqrt(kept[0] * kept[last_component(problem)]), kept[0]))


def tied_gains(problem: Problem) -> Float64[np.ndarray, " code"]:
    """max(0, 1 − μ/(2λ_i))."""
    kept = spectrum(problem)
    half = penalty_weight(problem) / 2
    return np.maximum(0, 1 - half / np.maximum(kept, half))


def untied_loss(problem: Problem, stretch: float) -> float:
    """Σ_{i>k} λ_i + μ r/t² for Σλ = 1, with r = min(k, rank)."""
    lost = least_loss(problem.pca, problem.code) / least_loss(problem.pca, 0)
    units = min(problem.code, len(problem.pca.components))
    return lost + penalty_weight(problem) * units / stretch**2


def tied_loss(problem: Problem) -> float:
    """Σ_{i>k} λ_i + Σ_{i≤k} (μ − μ²/(4λ_i), or λ_i if λ_i ≤ μ/2), for Σλ = 1.

    Equal to Σ λ_i − Σ_{i≤k} max(0, λ_i − μ/2)²/λ_i, but without cancellation.
    """
    kept, weight = spectrum(problem), penalty_weight(problem)
    shrunk = weight - weight**2 / (4 * np.maximum(kept, weight / 2))
    lost = least_loss(problem.pca, problem.code) / least_loss(problem.pca, 0)
    return lost + float(np.sum(np.where(kept > weight / 2, shrunk, kept)))


def contractive_objective(
    problem: Problem,
    encoder: Float64[np.ndarray, "n k"],
    decoder: Float64[np.ndarray, "k n"] | None = None,
) -> tuple[float, float]:
    """J by `aejax.objective` and the norm of its gradient, for Σλ = 1.

    Args:
        problem: data; the objective is evaluated on the p rows √p T, where TᵀT = S/Σλ.
        encoder: W_e.
        decoder: W_d (default: tied kernels).

    Returns:
        J, and ‖∇J‖.
    """
    rows = equivalent_batch(unit_factor(problem))
    with jax.enable_x64(True):
        params = {
            "encoder": {"layer_0": {"kernel": jnp.asarray(encoder)}},
            "decoder": {"layer_0": {} if decoder is None else {"kernel": jnp.asarray(decoder)}},
        }
        loss, gradient = _objective(params, jnp.asarray(rows), penalty_weight(problem))
        return float(loss), float(gradient)


def _contracted(params: Params, data: tuple[Array, float | Array]) -> Array:
    """J by `aejax.objective`; the model is tied if the decoder has no kernel."""
    rows, weight = data
    shape = params["encoder"]["layer_0"]["kernel"].shape
    model = linear(*shape, tied=not params["decoder"]["layer_0"], bias=False)
    contraction = {"contraction": (weight, penalties.contractive())}
    call = objective(model, losses.squared, penalties=contraction)
    return call(params, Batch(rows), jax.random.key(0))[0]


@jax.jit
def _objective(params: Params, rows: Array, weight: float | Array) -> tuple[Array, Array]:
    value, gradient = jax.value_and_grad(_contracted)(params, (rows, weight))
    return value, optax.tree.norm(gradient)


def _tolerance(problem: Problem, loss: float) -> Tolerance:
    """Rounding of the loss and of the penalty of k units, 4 (√(mn + n²) + 50) ε (1 + μ k)/J.

    A backward error of S in the components leaves a gradient of that size, whatever the eigengap.
    """
    energy = 1 + penalty_weight(problem) * problem.code
    basis = f"rounding of variance and penalty {energy:.1e} against J = {loss:.1e}, for Σλ = 1"
    size = float(np.sqrt(problem.x.size + problem.x.shape[1] ** 2)) + DEFLATION
    return Tolerance(4 * EPSILON * size * energy / loss, CLOSED_FORM_CAP, basis)


def _untied_evidence(problem: Problem) -> Evidence:
    rows = leading_components(problem.pca, problem.code)
    scale = untied_loss(problem, 1.0)
    stretched, unstretched = (
        max(
            abs(
                contractive_objective(problem, rows.T / t, rows * t**power)[0]
                - untied_loss(problem, t)
            )
            for t in STRETCHES
        )
        for power in (1, 0)
    )
    return Evidence(stretched / scale, unstretched / scale)


def _tied_evidence(problem: Problem) -> Evidence:
    rows = leading_components(problem.pca, problem.code)
    half = penalty_weight(problem) / 2
    l2_gains = np.maximum(0, 1 - 2 * half / np.maximum(spectrum(problem), half))
    residual, control = (
        max(abs(loss - tied_loss(problem)), gradient) / tied_loss(problem)
        for loss, gradient in (
            contractive_objective(problem, rows.T * np.sqrt(gains))
            for gains in (tied_gains(problem), l2_gains)
        )
    )
    part = enumerable_problem(problem)
    below = rescaled_residual(
        amount_below_formula(part),
        _tolerance(part, tied_loss(part)),
        _tolerance(problem, tied_loss(problem)),
    )
    return Evidence(max(residual, below), control)


def amount_below_formula(problem: Problem) -> float:
    """Relative amount by which J of trained tied kernels is below the formula; zero if above."""
    with jax.enable_x64(True):
        data = (jnp.asarray(equivalent_batch(unit_factor(problem))), penalty_weight(problem))
        start = linear(problem.x.shape[1], problem.code, tied=True, bias=False).init(problem.key)
        trained = minimise(_contracted, start, data, max_steps=TRAINING_STEPS).params
        loss = float(_contracted(trained, data))
    return max(0.0, tied_loss(problem) - loss) / tied_loss(problem)
