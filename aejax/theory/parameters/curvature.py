"""How sharply an ordered code is held: the least curvature about each of its optima, for Σλ = 1."""

import numpy as np
from jaxtyping import Float64

Vector = Float64[np.ndarray, " code"]


def ordered_gains(eigenvalues: Vector, decays: Vector) -> Vector:
    """max(0, 1 − μ_i/λ_i): of unit i, and so zero where μ_i reaches λ_i."""
    return np.maximum(eigenvalues - decays, 0) / np.maximum(eigenvalues, decays)


def decayed_curvature(eigenvalues: Vector, left: float, decays: Vector) -> float:
    """Least h with J − min J ≈ h ‖step‖² or more about W_e = W_dᵀ = V_k √g, under unequal L2.

    Let X and Y be the steps of W_e and W_dᵀ in the eigenbasis: x_ac that of unit c towards v_a. To
    second order J falls into blocks, with m_a = λ_a (1 − g_a), which is μ_a for a unit kept:

        a = c:      λ_c g_c (x + y)² − 2 m_c x y + μ_c (x² + y²);
        a < c ≤ k:  λ_a (√g_c x_ac + √g_a y_ca)² + λ_c (√g_a x_ca + √g_c y_ac)²
                    − 2 m_a x_ac y_ac − 2 m_c x_ca y_ca + μ_c (x_ac² + y_ac²) + μ_a (x_ca² + y_ca²);
        a > k:      (λ_a g_c + μ_c) x² + (λ_c g_c + μ_c) y² − 2 λ_a x y,

    the last of determinant (λ_c − λ_a)(λ_a + μ_c) for a unit that is kept. It is least at an end of
    0 ≤ λ_a ≤ λ_{k+1}: the least eigenvalue of a matrix that is linear in λ_a is concave in it.

    Args:
        eigenvalues: λ_1 ≥ … ≥ λ_k.
        left: λ_{k+1}.
        decays: μ.

    Returns:
        h, which is zero where the optimum is not isolated.
    """
    gains = ordered_gains(eigenvalues, decays)
    missed = eigenvalues * (1 - gains)
    own = 2 * eigenvalues * gains - missed + decays  # the other value, m + μ, exceeds an outside μ
    outside = [
        _least(t * gains + decays, eigenvalues * gains + decays, t) for t in (0.0, float(left))
    ]
    later, sooner = np.tril_indices(len(gains), -1)
    pairs = [
        _pair(eigenvalues[each], gains[each], missed[each], decays[each])
        for each in np.stack([sooner, later], axis=1)
    ]
    within = [np.linalg.eigvalsh(np.stack(pairs), UPLO="L").min()] if pairs else []
    return float(min(own.min(), *(values.min() for values in outside), *within))


def nested_curvature(eigenvalues: Vector, left: float, survival: Vector) -> float:
    """The same of nested dropout, in steps of a decoder of unit rows with its best encoder.

    With the encoder eliminated, unit c towards v_a, a > k, costs P_c (λ_c − λ_a) y²; and units
    a < c towards each other (P_a − P_c) ((λ_c P_c/P_a) (y_ac + y_ca)² + (λ_a − λ_c) y_ca²). So it
    needs distinct eigenvalues and p_b > 0, and its minimum is isolated but for the rows' lengths.

    Args:
        eigenvalues: λ_1 ≥ … ≥ λ_k.
        left: λ_{k+1}.
        survival: P.

    Returns:
        h, which is zero where the optimum is not isolated.
    """
    outside = survival * (eigenvalues - left)
    later, sooner = np.tril_indices(len(survival), -1)
    shared = eigenvalues[later] * survival[later] / survival[sooner]
    gap = eigenvalues[sooner] - eigenvalues[later]
    within = (survival[sooner] - survival[later]) * _least(shared, shared + gap, shared)
    return float(np.append(outside, within).min())


def _least(first: np.ndarray, second: np.ndarray, cross: np.ndarray | float) -> np.ndarray:
    """Lesser eigenvalue of [[first, ±cross], [±cross, second]], without cancellation."""
    half = (first + second) / 2
    return (first * second - np.square(cross)) / (half + np.hypot((first - second) / 2, cross))


def _pair(
    eigenvalues: Float64[np.ndarray, "2"],
    gains: Float64[np.ndarray, "2"],
    missed: Float64[np.ndarray, "2"],
    decays: Float64[np.ndarray, "2"],
) -> Float64[np.ndarray, "4 4"]:
    """The block of a < c in (x_ac, y_ac, x_ca, y_ca): its lower triangle, which says all."""
    (upper, lower), (kept_a, kept_c), root = eigenvalues, gains, np.sqrt(gains.prod())
    (missed_a, missed_c), (decay_a, decay_c) = missed, decays
    return np.array(
        [
            [upper * kept_c + decay_c, 0, 0, 0],
            [-missed_a, lower * kept_c + decay_c, 0, 0],
            [0, lower * root, lower * kept_a + decay_a, 0],
            [upper * root, 0, -missed_c, upper * kept_a + decay_a],
        ]
    )
