"""Learning dynamics of linear autoencoders: modes on logistic curves, conserved imbalance."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax import losses
from aejax.models import linear
from aejax.theory.analysis.linear_params import linear_params
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Statement,
    Tolerance,
    certify,
    refuse,
)
from aejax.theory.checking.problem import EPSILON, Problem, pca_obstacle, rank
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP, TRAINED_CAP, unit_factor
from aejax.types import Array, Params

RATE = 4.0
"""Rate c of the logistic curves for a loss without the factor ½; with the factor, c = 2."""

START_GAIN, END_GAIN = 0.01, 0.25
"""Initial gain a₀ of every mode, and final gain of the first mode."""

STEP_COUNTS = 16 * 2 ** np.arange(7)
"""Numbers of gradient steps, from which the limit is extrapolated."""

MIN_RELATIVE_EIGENVALUE = 0.15
"""Minimum λ/λ_1 of a mode with a nonzero initial gain; weaker modes would hardly grow."""

CURVE = Statement(
    claim="from a balanced start on the eigenvectors gradient flow learns each on a logistic curve",
    formula="v_iᵀ W_e W_d v_i = a_i(t) = 1/(1 + (1/a₀ − 1) e^{−4 λ_i t}), W_e W_d diagonal in v",
    source="Saxe, McClelland & Ganguli 2014",
)
ORDER = Statement(
    claim="gradient descent follows the logistic curves with an error of first order in its step",
    formula="log₂ (e(η)/e(η/2)) → 1 as η → 0, for every mode",
    source="Saxe, McClelland & Ganguli 2014; Hairer, Nørsett & Wanner 1993, §II.8",
)
CONSERVED = Statement(
    claim="gradient flow conserves the imbalance of decoder and encoder",
    formula="d/dt (W_d W_dᵀ − W_eᵀ W_e) = 0",
    source="Saxe, McClelland & Ganguli 2014; Arora, Cohen & Hazan 2018",
)


def learning_dynamics(problem: Problem) -> tuple[Certificate, ...]:
    """Under gradient flow from W_e = √a₀ V_k, W_d = √a₀ V_kᵀ, each gain a_i(t) is logistic.

    The flow Ẇ = −∇L preserves the form W_e = V diag(p), W_d = diag(p) Vᵀ, with ṗ = 2 λ p (1 − p²);
    so a = p² has ȧ = 4 λ a (1 − a), whose solution is the curve, with c = 4 for L without ½. For
    equal a₀ the modes are learned in descending order of λ. The start must be balanced and aligned;
    from small random weights the curves hold approximately. (Saxe et al. assume whitened inputs; in
    an autoencoder the correlation of input and target is S itself.) As W_eᵀ ∂L/∂W_e = ∂L/∂W_d W_dᵀ
    for any parameters, the flow conserves W_d W_dᵀ − W_eᵀ W_e (for kernels that multiply from the
    right); gradient descent conserves it to first order in its step size.

    The data are scaled to λ_1 = 1, and gradient descent on the model's own loss takes 16 to 1024
    equal steps up to a_1 = 1/4. Its error has an expansion in powers of the step, so Richardson
    extrapolation gives the curve and the order far more accurately than the finest run. Up to
    a = 1/3 the first-order coefficient, −½ f ln(f/f₀) for ṗ = f, does not vanish.

    Controls: the curves and the order for c = 2; the sum of the two Gram matrices.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Three certificates: the curves, the order and the conserved imbalance.

    Source: Saxe, McClelland & Ganguli 2014; Baldi & Hornik 1995.
    """
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        return refuse((CURVE, ORDER, CONSERVED), obstacle)
    maps = descent_maps(problem)
    error = 8 * EPSILON * float(np.sqrt(problem.moments.factor.size) * problem.code)
    conserved = Tolerance(error, CLOSED_FORM_CAP, f"rounding {error:.1e} of two gradients")
    return (
        certify(CURVE, _curve_tolerance(problem, maps), lambda: _curve_evidence(problem, maps)),
        certify(ORDER, _order_tolerance(problem, maps), lambda: _order_evidence(problem, maps)),
        certify(CONSERVED, conserved, lambda: _conservation_evidence(problem)),
    )


def num_modes(problem: Problem) -> int:
    """Number of modes with a nonzero initial gain: those of the code with λ ≥ 0.15 λ_1."""
    eigenvalues = problem.pca.eigenvalues[: min(problem.code, rank(problem))]
    return int(np.sum(eigenvalues >= MIN_RELATIVE_EIGENVALUE * eigenvalues[0]))


def logistic_gains(problem: Problem, *, rate: float = RATE) -> Float64[np.ndarray, " modes"]:
    """Final gains a_i = 1/(1 + (1/a₀ − 1) e^{−c λ_i t}), for λ_1 = 1."""
    eigenvalues = problem.pca.eigenvalues[: num_modes(problem)] / problem.pca.eigenvalues[0]
    return 1 / (1 + (1 / START_GAIN - 1) * np.exp(-rate * eigenvalues * duration()))


def duration() -> float:
    """Time in which a mode of λ = 1 grows from `START_GAIN` to `END_GAIN`, with c = 4."""
    return float(np.log((1 / START_GAIN - 1) / (1 / END_GAIN - 1)) / 4)


def descent_maps(problem: Problem) -> Float64[np.ndarray, "runs modes modes"]:
    """V_k W_e W_d V_kᵀ at the end of gradient descent, for each of `STEP_COUNTS`."""
    rows = problem.pca.components[: num_modes(problem)]
    decoder = np.zeros((problem.code, rows.shape[1]))
    decoder[: len(rows)] = np.sqrt(START_GAIN) * rows
    with jax.enable_x64(True):
        factor = jnp.asarray(problem.moments.factor / np.sqrt(problem.pca.eigenvalues[0]))
        start = linear_params(jnp.asarray(decoder.T), jnp.asarray(decoder))
        ends = [_descend(start, factor, duration() / steps, int(steps)) for steps in STEP_COUNTS]
        return np.stack([rows @ np.asarray(end) @ rows.T for end in ends])


def richardson(values: Float64[np.ndarray, "runs *shape"]) -> Float64[np.ndarray, "*shape"]:
    """Limit for η → 0 of values at steps η, η/2, η/4, … with an expansion in powers of η.

    Source: Hairer, Nørsett & Wanner 1993, §II.9.
    """
    for power in range(1, len(values)):
        values = (2**power * values[1:] - values[:-1]) / (2**power - 1)
    return np.asarray(values[0])


def _loss(params: Params, factor: Array) -> Array:
    decoder = params["decoder"]["layer_0"]["kernel"]
    model = linear(*decoder.shape[::-1], bias=False)
    return losses.squared_error(model.decode(params, model.encode(params, factor)), factor).sum()


@jax.jit
def _descend(params: Params, factor: Array, step: float | Array, steps: int | Array) -> Array:
    """W_e W_d after gradient descent."""

    def descend(_: Array, params: Params) -> Params:
        gradient = jax.grad(_loss)(params, factor)
        return jax.tree.map(lambda leaf, slope: leaf - step * slope, params, gradient)

    end = jax.lax.fori_loop(0, steps, descend, params)
    return end["encoder"]["layer_0"]["kernel"] @ end["decoder"]["layer_0"]["kernel"]


def _rounding(problem: Problem) -> float:
    """Rounding of a gain: √N ε for N steps, and 2 √n ε for two inner products of n terms."""
    return EPSILON * float(np.sqrt(STEP_COUNTS[-1]) + 2 * np.sqrt(problem.x.shape[1]))


def _curve_tolerance(problem: Problem, maps: Float64[np.ndarray, "runs modes modes"]) -> Tolerance:
    """Ten times the change of the limit by adding the finest run, plus ten times the rounding.

    The extrapolation amplifies rounding by Π (2^i + 1)/(2^i − 1) < 8.3.
    """
    moved = float(np.abs(richardson(maps) - richardson(maps[:-1])).max())
    error = _rounding(problem)
    started = (
        f"{num_modes(problem)} of {problem.code} units start, on modes of "
        f"λ ≥ {MIN_RELATIVE_EIGENVALUE} λ_1"
    )
    basis = f"{started}; the limit still moves by {moved:.1e}, rounding of a gain {error:.1e}"
    return Tolerance(10 * moved + 10 * error, CLOSED_FORM_CAP, basis)


def _order_tolerance(problem: Problem, maps: Float64[np.ndarray, "runs modes modes"]) -> Tolerance:
    """As `_curve_tolerance`, for orders: the rounding of two errors, relative to the smallest."""
    gains = logistic_gains(problem)
    measured = orders(maps, gains)
    moved = float(np.abs(richardson(measured) - richardson(measured[:-1])).max())
    least = float(np.abs(np.diagonal(maps[-1]) - gains).min())
    error = 2 * _rounding(problem) / (np.log(2) * least) if least > 0 else np.inf
    seen = f"orders {measured[-1].min():.4f} to {measured[-1].max():.4f} between the last two runs"
    basis = f"{seen}; their limit moves by {moved:.1e}, rounding of an order {error:.1e}"
    return Tolerance(float(10 * moved + 10 * error), TRAINED_CAP, basis)


def _curve_evidence(problem: Problem, maps: Float64[np.ndarray, "runs modes modes"]) -> Evidence:
    limit = richardson(maps)
    residual, control = (
        float(np.abs(limit - np.diag(logistic_gains(problem, rate=rate))).max())
        for rate in (RATE, 2.0)
    )
    return Evidence(residual, control)


def orders(
    maps: Float64[np.ndarray, "runs modes modes"], gains: Float64[np.ndarray, " modes"]
) -> Float64[np.ndarray, "ratios modes"]:
    """log₂ e(η)/e(η/2) of each mode, for each pair of consecutive runs."""
    errors = np.diagonal(maps, axis1=1, axis2=2) - gains
    return np.log2(np.abs(errors[:-1] / errors[1:]))


def _order_evidence(problem: Problem, maps: Float64[np.ndarray, "runs modes modes"]) -> Evidence:
    residual, control = (
        float(np.abs(richardson(orders(maps, logistic_gains(problem, rate=rate))) - 1).max())
        for rate in (RATE, 2.0)
    )
    return Evidence(residual, control)


def _conservation_evidence(problem: Problem) -> Evidence:
    """Rate of change of the imbalance, and of the sum of Gram matrices, at random parameters."""
    with jax.enable_x64(True):
        factor = jnp.asarray(unit_factor(problem))
        params = linear(factor.shape[1], problem.code, bias=False).init(problem.key)
        gradient = jax.grad(_loss)(params, factor)
    encoder, decoder, encoder_slope, decoder_slope = (
        np.asarray(tree[side]["layer_0"]["kernel"])
        for tree in (params, gradient)
        for side in ("encoder", "decoder")
    )
    from_encoder, from_decoder = encoder.T @ encoder_slope, decoder_slope @ decoder.T
    size = np.linalg.norm(from_encoder) + np.linalg.norm(from_decoder)
    residual, control = (
        float(np.linalg.norm(from_encoder + sign * from_decoder) / size) for sign in (-1, 1)
    )
    return Evidence(residual, control)
