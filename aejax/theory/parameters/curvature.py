"""Minimum curvature at the optimum of unequal L2 and of nested dropout, for Σλ = 1."""

import numpy as np
from jaxtyping import Float64

Vector = Float64[np.ndarray, " code"]


def ordered_gains(eigenvalues: Vector, decays: Vector) -> Vector:
    """max(0, 1 − μ_i/λ_i), the gain of unit i; zero if μ_i ≥ λ_i."""
    return np.maximum(eigenvalues - decays, 0) / np.maximum(eigenvalues, decays)


def decayed_curvature(eigenvalues: Vector, next_eigenvalue: float, decays: Vector) -> float:
    """Minimum curvature h, J − min J ≳ h ‖(X, Y)‖², at W_e = W_dᵀ = V_k √g under unequal L2.

    Let X and Y be displacements of W_e and W_dᵀ in the eigenbasis: x_ac moves unit c towards v_a.
    To second order J splits into blocks, with m_a = λ_a (1 − g_a), which is μ_a if g_a > 0:

        a = c:      λ_c g_c (x + y)² − 2 m_c x y + μ_c (x² + y²);
        a < c ≤ k:  λ_a (√g_c x_ac + √g_a y_ca)² + λ_c (√g_a x_ca + √g_c y_ac)²
                    − 2 m_a x_ac y_ac − 2 m_c x_ca y_ca + μ_c (x_ac² + y_ac²) + μ_a (x_ca² + y_ca²);
        a > k:      (λ_a g_c + μ_c) x² + (λ_c g_c + μ_c) y² − 2 λ_a x y,

    the last with determinant (λ_c − λ_a)(λ_a + μ_c) if g_c > 0. Its smallest eigenvalue is concave
    in λ_a, as the block is linear in λ_a; so its minimum over 0 ≤ λ_a ≤ λ_{k+1} is at an end of the
    interval.

    Args:
        eigenvalues: λ_1 ≥ … ≥ λ_k.
        next_eigenvalue: λ_{k+1}.
        decays: μ_1 … μ_k, the weights of L2.

    Returns:
        h; zero if the optimum is not isolated.
    """
    gains = ordered_gains(eigenvalues, decays)
    missed = eigenvalues * (1 - gains)
    stretch = 2 * eigenvalues * gains - missed + decays  # the block's other eigenvalue is m + μ ≥ μ
    outside = [
        _min_eigenvalue(t * gains + decays, eigenvalues * gains + decays, t)
        for t in (0.0, float(next_eigenvalue))
    ]
    later, sooner = np.tril_indices(len(gains), -1)
    pairs = [
        _pair_block(eigenvalues[each], gains[each], missed[each], decays[each])
        for each in np.stack([sooner, later], axis=1)
    ]
    within = [np.linalg.eigvalsh(np.stack(pairs), UPLO="L").min()] if pairs else []
    return float(min(stretch.min(), *(values.min() for values in outside), *within))


def nested_curvature(eigenvalues: Vector, next_eigenvalue: float, survival: Vector) -> float:
    """Minimum curvature of nested dropout, for decoders with unit rows and their optimal encoders.

    With the encoder eliminated, moving unit c towards v_a, a > k, costs P_c (λ_c − λ_a) y²; moving
    units a < c towards each other costs (P_a − P_c) ((λ_c P_c/P_a) (y_ac + y_ca)² +
    (λ_a − λ_c) y_ca²). So the minimum is isolated, up to the lengths of the rows, if the
    eigenvalues are distinct and P_1 > … > P_k > 0.

    Args:
        eigenvalues: λ_1 ≥ … ≥ λ_k.
        next_eigenvalue: λ_{k+1}.
        survival: P_c, the probability that unit c is kept.

    Returns:
        The minimum curvature; zero if the optimum is not isolated.
    """
    outside = survival * (eigenvalues - next_eigenvalue)
    later, sooner = np.tril_indices(len(survival), -1)
    shared = eigenvalues[later] * survival[later] / survival[sooner]
    gap = eigenvalues[sooner] - eigenvalues[later]
    within = (survival[sooner] - survival[later]) * _min_eigenvalue(shared, shared + gap, shared)
    return float(np.append(outside, within).min())


def _min_eigenvalue(first: np.ndarray, second: np.ndarray, cross: np.ndarray | float) -> np.ndarray:
    """Smaller eigenvalue of [[first, ±cross], [±cross, second]], without cancellation."""
    half = (first + second) / 2
    return (first * second - np.square(cross)) / (half + np.hypot((first - second) / 2, cross))


def _pair_block(
    eigenvalues: Float64[np.ndarray, "2"],
    gains: Float64[np.ndarray, "2"],
    missed: Float64[np.ndarray, "2"],
    decays: Float64[np.ndarray, "2"],
) -> Float64[np.ndarray, "4 4"]:
    """Lower triangle of the symmetric block of a < c in (x_ac, y_ac, x_ca, y_ca)."""
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
