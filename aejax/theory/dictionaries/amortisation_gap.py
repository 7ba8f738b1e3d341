"""Theorem on amortised inference: sparse coding finds codes that a one-layer encoder cannot."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float64

from aejax.models import dictionary, matching_pursuit
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Statement,
    certify,
    refuse,
)
from aejax.theory.checking.problem import Problem, pca_obstacle
from aejax.theory.dictionaries.sparse_coding import (
    Codes,
    Dictionary,
    dictionary_params,
    fista,
    instance_tolerance,
)
from aejax.types import Array, Params

WEIGHT, FISTA_STEPS = 0.1, 300
"""λ of the sparse codes, and steps of FISTA."""

CODES: Codes = np.concatenate([np.eye(3), 2 * np.eye(3)])
"""The codes of the instance: each unit alone, with the values 1 and 2."""

LEAST_ERROR = 2 / 3
"""Least squared error of the six codes by a one-layer encoder."""

GAP = Statement(
    claim="a one-layer ReLU encoder cannot find the codes of more directions than features",
    formula="d_2 = d_1 + d_3, s ∈ {e_l, 2 e_l}: min Σ_s ‖relu(s W_d W_e + b) − s‖² = 2/3",
    source="derived here, after O'Neill, Gumran & Klindt 2025",
)
CLOSED = Statement(
    claim="iterative sparse coding finds the same codes exactly",
    formula="FISTA: h = s − λ/2 on the support of s; matching pursuit: h = s",
    source="derived here, after Beck & Teboulle 2009; O'Neill, Gumran & Klindt 2025",
)


def amortisation_gap(problem: Problem) -> tuple[Certificate, ...]:
    """Codes that iterative coding finds are beyond any encoder of one ReLU layer.

    Three directions of norm 1 in a plane at 0°, 60° and 120°, so that d_2 = d_1 + d_3, and the six
    examples x = α d_l with α of 1 or 2. x = d_2 is the midpoint of 2 d_1 and 2 d_3, where unit 2
    must be silent. As relu(w · x + b) is convex, its value u at d_2 is at most the mean of its
    values at the other two, a and b: the squared errors of unit 2 at these examples are at least
    (1 − u)² + a² + b² ≥ (1 − u)² + 2u² ≥ 2/3. Equality holds for w = 5/3 d_2 and b = −4/3, which
    code 2 d_2 exactly, and units 1 and 3 have no error with w_1 = −w_3 orthogonal to d_2 and
    w_1 · d_1 = 1. The bound is that of any code that is convex in x.

    The code is determined by x: the direction of largest d_l · x is that of x, so that one step of
    matching pursuit finds it. It is also the code of least L1: the subgradients of the others,
    λ d_j · d_l, are at most λ/2, and the code is α − λ/2.

    More generally, let N > n directions, and let an encoder find all codes of two units whose
    values fill an interval, with active units that are affine in x (ReLU, TopK, JumpReLU). Unit l
    is active with any other unit, and does not depend on its value: W_d W_e = I of rank N, which is
    impossible.

    Verification: the plane of the first two principal components, where `aejax.dictionary` with the
    stated parameters has the error 2/3 and a gradient of zero. If relu(w · x + b) is positive at
    d_2 and 2 d_2, the error of unit 2 is convex in w and b, so that this is its minimum; if it is
    zero at one of them, the error is at least 1.

    Controls: the code of `aejax.matching_pursuit`, of error zero instead of 2/3; the code of the
    one-layer encoder instead of that of sparse coding.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Two certificates: the gap, and that sparse coding closes it.

    Source: O'Neill, Gumran & Klindt 2025; Beck & Teboulle 2009.
    """
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        return refuse((GAP, CLOSED), obstacle)
    directions = three_directions(problem.pca.components[:2])
    tolerance = instance_tolerance(problem.x.shape[1])

    def gap() -> Evidence:
        attained, slope = encoder_error(directions)
        control = abs(squared_error(pursued(directions)) - LEAST_ERROR)
        return Evidence(max(abs(attained - LEAST_ERROR), slope), control)

    def closed() -> Evidence:
        shrunk = CODES - WEIGHT / 2 * (CODES > 0)
        found = fista(directions, CODES @ directions, weight=WEIGHT, steps=FISTA_STEPS)
        errors = (found - shrunk, pursued(directions) - CODES)
        residual = max(float(np.abs(error).max()) for error in errors)
        one_layer, _ = encoder_error(directions)
        return Evidence(residual, float(np.sqrt(one_layer)))

    return certify(GAP, tolerance, gap), certify(CLOSED, tolerance, closed)


def three_directions(
    plane: Float64[np.ndarray, "2 features"],
) -> Float64[np.ndarray, "3 features"]:
    """Directions of norm 1 at 0°, 60° and 120° in the plane of two orthonormal rows."""
    angles = np.pi / 3 * np.arange(3)[:, None]
    return np.hstack([np.cos(angles), np.sin(angles)]) @ plane


def optimal_encoder(directions: Dictionary) -> tuple[Dictionary, list[float]]:
    """Columns of W_e as rows, and thresholds, of least error.

    Args:
        directions: d_1, d_2 and d_3.

    Returns:
        The rows w_1, 5/3 d_2, −w_1, with w_1 orthogonal to d_2 and w_1 · d_1 = 1; the thresholds.
    """
    first = directions[0] - directions[1] / 2
    first = first / (first @ directions[0])
    return np.stack([first, 5 / 3 * directions[1], -first]), [0.0, 4 / 3, 0.0]


def encoder_error(directions: Dictionary) -> tuple[float, float]:
    """Σ ‖h − s‖² of `aejax.dictionary` with the optimal encoder, and the norm of its gradient."""
    rows, thresholds = optimal_encoder(directions)
    with jax.enable_x64(True):
        encoder, decoder, threshold = map(jnp.asarray, (rows.T, directions, thresholds))
        params = dictionary_params(encoder, decoder, threshold=threshold)
        value, slope = _error_and_slope(params, jnp.asarray(CODES @ directions))
        return float(value), float(slope)


@jax.jit
def _error_and_slope(params: Params, x: Array) -> tuple[Array, Array]:
    model = dictionary(*params["encoder"]["kernel"].shape, centred=False)

    def error(params: Params) -> Array:
        return jnp.sum(jnp.square(model.encode(params, x) - CODES))

    value, gradient = jax.value_and_grad(error)(params)
    return value, optax.tree.norm(gradient)


def pursued(directions: Dictionary) -> Codes:
    """Codes of the six examples by one step of `aejax.matching_pursuit`."""
    features = directions.shape[1]
    model = matching_pursuit(features, 3, k=1)
    with jax.enable_x64(True):
        params = {
            "decoder": {"kernel": jnp.asarray(directions)},
            "centre": {"bias": jnp.zeros(features)},
        }
        return np.asarray(jax.jit(model.encode)(params, jnp.asarray(CODES @ directions)))


def squared_error(codes: Codes) -> float:
    """Σ ‖h − s‖² over the six examples."""
    return float(np.sum(np.square(codes - CODES)))
