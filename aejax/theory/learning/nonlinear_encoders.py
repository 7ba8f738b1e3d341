"""Theorem on non-linear encoders at small scale: order of convergence of the loss to PCA's."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax import losses
from aejax.models import dense
from aejax.models.dense import Activation
from aejax.objectives import objective
from aejax.theory.analysis.pca import least_loss
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Obstacle,
    Statement,
    Tolerance,
    certify,
    refuse,
)
from aejax.theory.checking.problem import EPSILON, Problem, every_nth, last_component, pca_obstacle
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP, TRAINED_CAP
from aejax.theory.learning.dynamics import richardson
from aejax.types import Array, Batch

MAX_ELEMENTS = 2**20
"""Maximum number of elements of x; larger data are reduced to evenly spaced examples."""

NONZERO_BIAS = 0.5
"""Bias at which neither tanh nor the logistic function has an inflection point."""

NUM_SCALES = 8
"""Number of scales ε of the encoder, from which the limit is extrapolated."""

MIN_RELATIVE_EXCESS = 1e-20
"""Minimum excess relative to Σ λ; a smaller one is rounding error and has no order."""

INFLECTION = Statement(
    claim="tanh and logistic encoders without bias approach PCA as the fourth power of their scale",
    formula="min_{W_d, c} L − Σ_{i>k} λ_i ∝ ε⁴ for h = f(ε (x − x̄) V_k D), f''(0) = 0",
    source="Bourlard & Kamp 1988 (the limit); the order derived here",
)
CURVED = Statement(
    claim="tanh and logistic encoders with a bias approach PCA as the square of their scale only",
    formula="min_{W_d, c} L − Σ_{i>k} λ_i ∝ ε² for h = f(ε (x − x̄) V_k D + b), f''(b) ≠ 0",
    source="Bourlard & Kamp 1988 (the limit); the order derived here",
)
RECTIFIED = Statement(
    claim="a ReLU encoder is PCA with its bias beyond the data, and at no scale without a bias",
    formula="min_{W_d, c} L = Σ_{i>k} λ_i for h = max(0, z + b), b ≥ max |z|; and for b = 0 the "
    "excess is the same at every scale",
    source="derived here",
)


class Encoding(NamedTuple):
    """Encoder of one layer on scaled principal scores: h = f(ε z + b), |z| ≤ 1.

    activation: f.
    bias:       b, the same for every unit.
    """

    activation: Activation
    bias: float


def small_codes(problem: Problem) -> tuple[Certificate, ...]:
    """Order at which the excess over PCA's loss vanishes with the scale ε of a non-linear encoder.

    Let z be the k principal scores, each divided by its maximum magnitude, h = f(ε z + b), and the
    decoder the best linear one with a bias. With R = (x − x̄)/√m, the projector P on centred h,
    X_k = R V_k V_kᵀ and X' = R − X_k, the excess is ‖(I − P) X_k‖² − ‖P X'‖², as the rows of X_k
    and X' are orthogonal; this form has no cancellation. (h − f(b))/ε =
    f' z + ε f'' z²/2 + ε² f''' z³/6 + …, so the rotation of P is of order ε, or ε² if f''(b) = 0,
    and the excess is of the squared order: ε² or ε⁴. Bourlard & Kamp state that PCA's loss is
    attained in the linear range of f; it is only approached as ε → 0, at a rate that depends on the
    bias. ReLU is linear if b ≥ |ε z|, and without a bias max(0, ε z) = ε max(0, z) has the same
    span for every ε.

    Orders are limits by Richardson extrapolation. Between consecutive scales, ε² is halved if
    the expansion has only even powers, otherwise ε. If every z takes so few values that z³ (or z²)
    is linear, the excess is zero and has no order.

    At the largest scale, where both are accurate, the excess is also compared with its definition:
    `aejax.objective` with the least-squares decoder.

    Controls: the orders with the other bias, and of ReLU without a bias; the excess of ReLU.

    Args:
        problem: the user's data and code size.

    Returns:
        Three certificates: order four, order two, and ReLU.

    Source: Bourlard & Kamp 1988.
    """
    obstacle = pca_obstacle(problem) or _too_few_examples(problem)
    if obstacle is not None:
        return refuse((INFLECTION, CURVED, RECTIFIED), obstacle)
    part = representatives(problem)
    smooth = (jnp.tanh, jax.nn.sigmoid)
    straight, curved = ([Encoding(f, bias) for f in smooth] for bias in (0.0, NONZERO_BIAS))
    return (
        _order(INFLECTION, part, straight, curved, 4.0),
        _order(CURVED, part, curved, straight, 2.0),
        _rectified(part),
    )


def representatives(problem: Problem) -> Problem:
    """The problem itself, or one of evenly spaced examples if x is large."""
    step = min(-(-problem.x.size // MAX_ELEMENTS), len(problem.x) // (problem.code + 2))
    if step <= 1:
        return problem
    return every_nth(problem, step)


def relative_excess_loss(problem: Problem, encoding: Encoding, scale: float) -> float:
    """(L − Σ_{i>k} λ_i)/Σ λ_i of the encoding at a scale ε, by `aejax.dense`, without cancellation.

    Args:
        problem: data and code size.
        encoding: f and b.
        scale: ε.

    Returns:
        The relative excess loss with the best linear decoder.
    """
    rows = problem.pca.components
    units = last_component(problem) + 1
    centred = problem.centred / np.sqrt(len(problem.x))
    scores = centred @ rows.T
    kernel = scale * rows[:units].T / np.abs(scores[:, :units]).max(axis=0)
    code = encode(encoding, kernel, centred)
    basis, _ = np.linalg.qr((code - code.mean(axis=0)) / scale)
    kept, other_scores = scores[:, :units], scores[:, units:]
    lost = np.sum(np.square(kept - basis @ (basis.T @ kept)))
    gained = np.sum(np.square(basis.T @ other_scores))
    return float((lost - gained) / least_loss(problem.pca, 0))


def defined_excess_loss(problem: Problem, encoding: Encoding, scale: float) -> float:
    """Relative excess loss by `aejax.objective` and least squares, with cancellation.

    Args:
        problem: data and code size.
        encoding: f and b.
        scale: ε.

    Returns:
        The relative excess loss.
    """
    units, features = last_component(problem) + 1, problem.x.shape[1]
    centred, rows = problem.centred, problem.pca.components[:units]
    kernel = scale * rows.T / np.abs(centred @ rows.T).max(axis=0)
    bias = np.full(units, encoding.bias)
    model = dense((features, units), activation=encoding.activation)
    with jax.enable_x64(True):
        encoder = {"layer_0": {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}}
        batch = Batch(jnp.asarray(centred))
        code = np.asarray(model.encode({"encoder": encoder}, batch.x))
        affine = np.linalg.lstsq(np.c_[code, np.ones(len(code))], centred, rcond=None)[0]
        decoder = {"kernel": jnp.asarray(affine[:-1]), "bias": jnp.asarray(affine[-1])}
        params = {"encoder": encoder, "decoder": {"layer_0": decoder}}
        loss = float(objective(model, losses.squared)(params, batch, problem.key)[0])
    return (loss - least_loss(problem.pca, units)) / least_loss(problem.pca, 0)


def _definition_error(problem: Problem, encodings: list[Encoding], scale: float) -> float:
    """Maximum difference between relative and defined excess loss over the encodings."""
    return max(
        abs(
            relative_excess_loss(problem, encoding, scale)
            - defined_excess_loss(problem, encoding, scale)
        )
        for encoding in encodings
    )


def encode(
    encoding: Encoding,
    kernel: Float64[np.ndarray, "features units"],
    x: Float64[np.ndarray, "examples features"],
) -> Float64[np.ndarray, "examples units"]:
    """f(x W + b) by the encoder of `aejax.dense`, in float64."""
    with jax.enable_x64(True):
        arrays = (jnp.asarray(kernel), jnp.asarray(encoding.bias), jnp.asarray(x))
        return np.asarray(_encode(*arrays, encoding.activation))


@partial(jax.jit, static_argnames="activation")
def _encode(kernel: Array, bias: Array, x: Array, activation: Activation) -> Array:
    layer = {"kernel": kernel, "bias": jnp.broadcast_to(bias, kernel.shape[1])}
    model = dense(kernel.shape, activation=activation)
    return model.encode({"encoder": {"layer_0": layer}}, x)


def scales(encoding: Encoding) -> Float64[np.ndarray, " runs"]:
    """Scales ε in descending order from ½, with ratio √2 if b = 0 and ratio 2 otherwise."""
    ratio = np.sqrt(2) if encoding.bias == 0 else 2.0
    return 0.5 / ratio ** np.arange(NUM_SCALES)


def excess_orders(
    problem: Problem, encoding: Encoding
) -> tuple[Float64[np.ndarray, " ratios"], float]:
    """log(e_i/e_{i+1})/log(ε_i/ε_{i+1}) for consecutive scales, and the smallest excess e."""
    sizes = scales(encoding)
    excess = np.array([relative_excess_loss(problem, encoding, size) for size in sizes])
    positive = np.maximum(excess, np.finfo(np.float64).tiny)
    return -np.diff(np.log(positive)) / np.log(sizes[0] / sizes[1]), float(excess.min())


def _too_few_examples(problem: Problem) -> Obstacle | None:
    """Obstacle if there are at most k + 1 examples: every code of k units has PCA's loss."""
    examples = len(problem.x)
    if examples - 1 <= problem.code:
        reason = f"{examples} examples lie in the span of any code of {problem.code} units"
        return Obstacle("not identifiable", reason)
    return None


def _order(
    statement: Statement,
    problem: Problem,
    encodings: list[Encoding],
    others: list[Encoding],
    order: float,
) -> Certificate:
    """Certificate of the limit of the orders; tolerance: errors of extrapolation and rounding."""
    errors, limits, shown = [], [], []
    for encoding in encodings:
        measured, least = excess_orders(problem, encoding)
        size = scales(encoding)[-1]
        limits.append(float(richardson(measured)))
        moved = abs(limits[-1] - float(richardson(measured[:-1])))
        relative = (
            2
            * EPSILON
            * np.sqrt(len(problem.x))
            / size
            / np.sqrt(max(least, np.finfo(np.float64).tiny))
        )
        errors.append(float(10 * moved + 16 * relative))
        shown.append(f"{measured[-1]:.4f}")
    basis = f"orders {', '.join(shown)} between the last two scales of {len(problem.x)} examples"
    residual = max(abs(limit - order) for limit in limits)
    residual = max(residual, _definition_error(problem, encodings, scales(encodings[0])[0]))

    def measure() -> Evidence:
        constant = Encoding(jax.nn.relu, 0.0)
        pairs = [excess_orders(problem, other) for other in (*others, constant)]
        controls = [
            abs(richardson(found) - order) for found, least in pairs if least > MIN_RELATIVE_EXCESS
        ]
        return Evidence(residual, float(min(controls, default=0.0)))

    return certify(statement, Tolerance(max(errors), TRAINED_CAP, basis), measure)


def _rectified(problem: Problem) -> Certificate:
    """ReLU; tolerance 16 √(mn) ε σ_1/σ_k: z sums terms of order σ_1, and is divided by σ_k."""
    roots = np.sqrt(problem.pca.eigenvalues[: last_component(problem) + 1])
    error = 16 * EPSILON * float(np.sqrt(problem.x.size) * roots[0] / roots[-1])
    basis = f"rounding {error:.1e} of scores, on {len(problem.x)} examples"

    def measure() -> Evidence:
        beyond, without = Encoding(jax.nn.relu, 1.0), Encoding(jax.nn.relu, 0.0)
        linear = max(abs(relative_excess_loss(problem, beyond, size)) for size in (1.0, 0.1))
        large, small = (relative_excess_loss(problem, without, size) for size in (1.0, 0.1))
        defined = _definition_error(problem, [beyond, without], 1.0)
        return Evidence(max(linear, abs(large - small), defined), min(large, small))

    return certify(RECTIFIED, Tolerance(error, CLOSED_FORM_CAP, basis), measure)
