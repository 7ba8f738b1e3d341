"""Theorem on mixed features: where a dictionary that differs from the true one scores better."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float64

from aejax import losses, penalties
from aejax.layers.code_activations import top_k_relu
from aejax.models import dictionary
from aejax.objectives import objective
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
    dictionary_params,
    instance_tolerance,
)
from aejax.types import Array, Autoencoder, Batch, Params

TOTAL, FIRST, SECOND, BOTH = 10, 3, 1, 2
"""Number of examples, and of those with the first feature alone, the second alone, and both."""

PARENT, CHILD = 4, 2
"""Number of examples, of ten, with the parent alone, and with the parent and the child."""

FEW_UNITS = Statement(
    claim="with fewer active units than features a mixed dictionary has a lower loss than the true",
    formula="k = 1: J(θ) = p_2 sin² θ + p_12 (1 − sin 2θ), "
    "min J = p_2/2 + p_12 − ½ √(p_2² + 4 p_12²) < J(0) = p_12 if p_12 > 0",
    source="derived here, after Chanin & Garriga-Alonso 2025",
)
HEDGED = Statement(
    claim="a dictionary of fewer units than features mixes features whose activities correlate",
    formula="one unit: tan 2φ = 2c/(v_1 − v_2), min J = ½ (v_1 + v_2 − √((v_1 − v_2)² + 4c²)), "
    "below that of the true feature if c ≠ 0",
    source="derived here, after Chanin, Dulka & Garriga-Alonso 2025",
)
ABSORBED = Statement(
    claim="if a child implies its parent, absorbing the parent lowers L0 and L1 at no loss",
    formula="J(θ) = λ (p_1 + p_12 (1 + 1/cos θ − tan θ)), decreasing to λ (p_1 + √2 p_12) at π/4; "
    "L0 from p_1 + 2 p_12 to p_1 + p_12",
    source="derived here, after Chanin et al. 2024",
)


def mixed_features(problem: Problem) -> tuple[Certificate, ...]:
    """Loss and sparsity prefer mixed directions to the true features in three cases.

    The features f_1, f_2 are orthonormal, x = s_1 f_1 + s_2 f_2 with activities s of 0 or 1, where
    p_1, p_2 and p_12 are the shares of examples with the first alone, the second alone, and both.
    The directions are f_1 and d(θ) = cos θ f_2 + sin θ f_1, with d(0) = f_2.

    *Too few active units.* The best code of one unit leaves sin² θ of f_2 alone, and
    2 − (cos θ + sin θ)² = 1 − sin 2θ of both. J has the slope −2 p_12 at the true dictionary, and
    its minimum at tan 2θ = 2 p_12/p_2. With two active units the true dictionary has no loss.

    *Hedging.* A dictionary of one unit and an output bias has a loss of at least the second
    eigenvalue of the covariance [[v_1, c], [c, v_2]] of the activities, with any encoder
    (`encoders_bounded_by_pca`). Its first eigenvector attains it, with an encoder whose bias keeps
    the code positive. The true features leave v_2 and v_1. Without correlation, c = 0, they are
    optimal.

    *Absorption.* If s_2 = 1 implies s_1 = 1, a ReLU encoder has exact reconstructions with the
    values 1/cos θ of the child and 1 − tan θ of the parent. At θ = π/4 the parent is silent.

    Verification: f_1 and f_2 are the first two principal components; J, its gradient and its terms
    are those of `aejax.objective` for `aejax.dictionary` with `top_k_relu` or ReLU on ten examples.

    Controls: the true dictionary, with the formula of the minimum; the same for one unit; a child
    that is active in one example without its parent.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Three certificates: too few active units, hedging, absorption.

    Source: Chanin & Garriga-Alonso 2025; Chanin, Dulka & Garriga-Alonso 2025; Chanin et al. 2024.
    """
    statements = (FEW_UNITS, HEDGED, ABSORBED)
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        return refuse(statements, obstacle)
    features = problem.pca.components[:2]
    tolerance = instance_tolerance(problem.x.shape[1])
    measures = (_few_units_evidence, _hedged_evidence, _absorbed_evidence)
    return tuple(
        certify(statement, tolerance, lambda measure=measure: measure(features))
        for statement, measure in zip(statements, measures, strict=True)
    )


def activities(first: int, second: int, both: int) -> Float64[np.ndarray, "examples 2"]:
    """Activities of ten examples; the others are without features."""
    rows = [(1.0, 0.0)] * first + [(0.0, 1.0)] * second + [(1.0, 1.0)] * both
    return np.array(rows + [(0.0, 0.0)] * (TOTAL - len(rows)))


def mixed_directions(features: Dictionary | Array, angle: float | Array) -> Array:
    """f_1 and cos θ f_2 + sin θ f_1."""
    rotated = jnp.cos(angle) * features[1] + jnp.sin(angle) * features[0]
    return jnp.stack([jnp.asarray(features[0]), rotated])


def few_units_loss(features: Dictionary, angle: float, *, active: int) -> tuple[float, float]:
    """J of TopK with a mixed dictionary, and its derivative by the angle.

    Args:
        features: f_1 and f_2.
        angle: θ.
        active: number of active units.

    Returns:
        J and dJ/dθ.
    """
    x = activities(FIRST, SECOND, BOTH) @ features
    with jax.enable_x64(True):
        value, slope = _few_units(*map(jnp.asarray, (angle, active, features, x)))
        return float(value), float(slope)


@jax.jit
def _few_units(angle: Array, active: Array, features: Array, x: Array) -> tuple[Array, Array]:
    activation = top_k_relu(k=active, at_most=2)
    model = dictionary(features.shape[1], 2, activation=activation, centred=False)

    def loss(angle: Array) -> Array:
        kernel = mixed_directions(features, angle)
        return _value_and_terms(model, dictionary_params(kernel.T, kernel), x)[0]

    return jax.value_and_grad(loss)(angle)


def hedged_loss(features: Dictionary, angle: float) -> tuple[float, float]:
    """J of one unit of direction cos φ f_1 + sin φ f_2 with an output bias, and ‖∇J‖.

    The code is d · (x − x̄) plus a constant that keeps it at 1 or more, and the output bias
    subtracts the constant and adds x̄.

    Args:
        features: f_1 and f_2.
        angle: φ.

    Returns:
        J and the norm of its gradient by all parameters.
    """
    x = activities(FIRST, SECOND, BOTH) @ features
    direction = np.cos(angle) * features[0] + np.sin(angle) * features[1]
    threshold = float(np.min(x @ direction)) - 1
    bias = x.mean(axis=0) - (float(np.mean(x @ direction)) - threshold) * direction
    with jax.enable_x64(True):
        kernel = jnp.asarray(direction)[None]
        params = dictionary_params(kernel.T, kernel, threshold=threshold, bias=jnp.asarray(bias))
        terms, gradient, _ = _of_relu(params, jnp.asarray(x))
        return float(terms["reconstruction"]), float(gradient)


def absorbed_terms(
    features: Dictionary, angle: float, *, alone: int = 0
) -> tuple[float, float, float]:
    """Loss, L1 and L0 of a child that has absorbed its parent by an angle.

    Args:
        features: f_1 (parent) and f_2 (child).
        angle: θ.
        alone: number of examples with the child alone.

    Returns:
        The squared error, the L1 penalty and the number of active units, as means over examples.
    """
    x = activities(PARENT, alone, CHILD) @ features
    encoder = np.stack([features[0] - np.tan(angle) * features[1], features[1] / np.cos(angle)])
    with jax.enable_x64(True):
        params = dictionary_params(jnp.asarray(encoder.T), mixed_directions(features, angle))
        terms, _, code = _of_relu(params, jnp.asarray(x))
        is_active = np.asarray(code) > instance_tolerance(x.shape[1]).value
        active = float(np.mean(np.sum(is_active, axis=1)))
        return float(terms["reconstruction"]), float(terms["l1"]), active


@jax.jit
def _of_relu(params: Params, x: Array) -> tuple[dict[str, Array], Array, Array]:
    """Terms, norm of the gradient of the squared error, and code of a ReLU dictionary."""
    model = dictionary(x.shape[1], len(params["decoder"]["kernel"]), centred=False)
    (_, terms), gradient = jax.value_and_grad(
        lambda params: _value_and_terms(model, params, x), has_aux=True
    )(params)
    return terms, optax.tree.norm(gradient), model.encode(params, x)


def _value_and_terms(
    model: Autoencoder, params: Params, x: Array
) -> tuple[Array, dict[str, Array]]:
    """The squared error by `aejax.objective`, with the L1 penalty among the terms, not added."""
    call = objective(model, losses.squared, penalties={"l1": (0.0, penalties.l1())})
    return call(params, Batch(x), jax.random.key(0))


def _few_units_evidence(features: Dictionary) -> Evidence:
    second, both = SECOND / TOTAL, BOTH / TOTAL
    least = second / 2 + both - np.hypot(second, 2 * both) / 2
    mixed, slope = few_units_loss(features, np.arctan2(2 * both, second) / 2, active=1)
    true, _ = few_units_loss(features, 0.0, active=1)
    enough, _ = few_units_loss(features, 0.0, active=2)
    residual = max(abs(mixed - least), abs(slope), abs(true - both), enough)
    return Evidence(residual, abs(true - least))


def hedged_optimum() -> tuple[float, float]:
    """Angle φ of the first eigenvector of the activities' covariance, and its second eigenvalue."""
    first, second, both = FIRST / TOTAL, SECOND / TOTAL, BOTH / TOTAL
    variances = ((first + both) * (1 - first - both), (second + both) * (1 - second - both))
    covariance = both - (first + both) * (second + both)
    difference = variances[0] - variances[1]
    least = (sum(variances) - np.hypot(difference, 2 * covariance)) / 2
    return float(np.arctan2(2 * covariance, difference) / 2), float(least)


def _hedged_evidence(features: Dictionary) -> Evidence:
    angle, least = hedged_optimum()
    mixed, slope = hedged_loss(features, angle)
    true, _ = hedged_loss(features, 0.0)
    return Evidence(max(abs(mixed - least), slope), abs(true - least))


def absorbed_l1(angle: float) -> float:
    """p_1 + p_12 (1 + 1/cos θ − tan θ)."""
    return (PARENT + CHILD * (1 + 1 / np.cos(angle) - np.tan(angle))) / TOTAL


def _absorbed_evidence(features: Dictionary) -> Evidence:
    """Errors of the three terms at θ = 0, π/8 and π/4, and the loss if the child is alone once."""
    errors = []
    for eighths, active in ((0, 2), (1, 2), (2, 1)):
        angle = eighths * np.pi / 8
        loss, norm, units = absorbed_terms(features, angle)
        expected = (PARENT + CHILD * active) / TOTAL
        errors += [loss, abs(norm - absorbed_l1(angle)), abs(units - expected)]
    return Evidence(max(errors), absorbed_terms(features, np.pi / 4, alone=1)[0])
