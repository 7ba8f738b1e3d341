"""Figures of component gains under penalties and noise (theorems 5, 8 and 9)."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from aejax import plots
from aejax.report.page import CaptionedFigure
from aejax.report.theorem_figures.optimum_figures import Found, numbers
from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.problem import Problem, last_component
from aejax.theory.noise.contraction import (
    STRETCHES,
    contractive_objective,
    penalty_weight,
    untied_loss,
)
from aejax.theory.noise.gaussian import Regression, noise_variance
from aejax.theory.noise.masking import (
    RATE,
    masking_regression,
    reduced_rank_regression,
    varying_features,
)
from aejax.theory.parameters.l2_on_each_kernel import vanishing_decay
from aejax.theory.parameters.l2_on_the_product import ridge_least_squares
from aejax.theory.solvers.penalised import (
    half_decay,
    kernels,
    product_gains,
    sum_gains,
    train_penalised,
)
from aejax.theory.trajectories.learned_gains import (
    contractive_gains,
    denoising_gains,
    gains_of_map,
)
from aejax.theory.trajectories.solver_paths import principal_sines

Formula = Callable[[np.ndarray], np.ndarray]

RATES = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75)
"""Masking rates at which the subspace angle is drawn."""


def sum_loss(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw squared singular values under L2 on both kernels, for a small and a large μ."""
    learned, formula = {}, {}
    for name, decay in (("μ = λ_k/2", half_decay(problem)), ("μ > λ_k", vanishing_decay(problem))):
        encoder = kernels(train_penalised(problem, decay=decay))[0]
        learned[f"trained, {name}"] = np.square(np.linalg.svd(encoder, compute_uv=False))
        formula[f"max(0, 1 − μ/λ), {name}"] = lambda x, decay=decay: sum_gains(x, decay)
    return CaptionedFigure(
        _gains(problem, learned, formula, "squared singular value of W_e"),
        "Spectrum and learned gains: L2 on both kernels",
        "Each component is scaled by 1 − μ/λ; components with λ ≤ μ vanish.",
        "Trained squared singular values against the eigenvalues, on the curves of the formula.",
    )


def product_loss(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw gains under L2 on the product of the kernels."""
    decay = half_decay(problem)
    learned = {"found": gains_of_map(problem, ridge_least_squares(problem, decay)[1])}
    formula: dict[str, Formula] = {
        "1/(1 + μ/λ)": lambda x: product_gains(x, decay),
        "1 − μ/λ, of L2 on both kernels": lambda x: sum_gains(x, decay),
    }
    return CaptionedFigure(
        _gains(problem, learned, formula, "gain v_iᵀ W v_i"),
        "Spectrum and learned gains: L2 on the product",
        "Gains from alternating ridge regressions with μ = λ_k/2. No component vanishes.",
        "Gains against eigenvalues: they follow their formula, not that of L2 on both kernels.",
    )


def gaussian_noise(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw gains learned by training on the expectation over Gaussian noise."""
    variance = noise_variance(problem)
    learned = {"trained": denoising_gains(problem)}
    formula: dict[str, Formula] = {"λ/(λ + s²)": lambda x: x / (x + variance)}
    return CaptionedFigure(
        _gains(problem, learned, formula, "gain v_iᵀ W v_i"),
        "Spectrum and learned gains: denoising",
        "A linear autoencoder, trained from a random start on the expected loss under noise of "
        "variance s² = λ_k, shrinks each component according to its signal-to-noise ratio.",
        "Trained gains against the eigenvalues, on the curve of the formula.",
    )


def masks(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the rotation of the optimal subspace by masking, for raw and unit-variance features."""
    factor = problem.moments.factor[:, varying_features(problem)]
    scaled = factor / np.linalg.norm(factor, axis=0)
    curves = {
        name: (np.array(RATES), np.array([_rotation(rows, problem.code, rate) for rate in RATES]))
        for name, rows in (("the data", factor), ("features of unit variance", scaled))
    }
    return CaptionedFigure(
        plots.against_formula(
            curves,
            {},
            xlabel="masking rate q",
            ylabel="sine of the largest angle",
            yscale="log",
        ),
        "Masking rotates the subspace, unless variances are equal",
        "The largest angle between the subspace of the best linear autoencoder under masking and "
        f"the principal subspace. The certificates use q = {RATE}.",
        "Sine of an angle against the rate: of order one on the data, rounding at unit variance.",
    )


def draws(_: Problem, found: Found) -> CaptionedFigure:
    """Draw distances of sampled means from their expectation."""
    names = ("Gaussian noise", "masks")
    return CaptionedFigure(
        plots.certificates(dict(zip(names, map(numbers, found[:2]), strict=True))),
        "Sampled noise and its expectation",
        "The distance between the mean over draws and its prediction from the moments, and the "
        "bound of six standard errors, which decreases with the inverse square root of the "
        "number of draws.",
        "Rows of residual and tolerance for Gaussian noise and for masks.",
    )


def stretched(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the loss of an untied sequence that approaches an infimum without attaining it."""
    rows = leading_components(problem.pca, problem.code)
    lost = least_loss(problem.pca, problem.code) / least_loss(problem.pca, 0)
    t = np.array(STRETCHES)
    found = [contractive_objective(problem, rows.T / each, rows * each)[0] - lost for each in t]
    excess = [untied_loss(problem, each) - lost for each in t]
    return CaptionedFigure(
        plots.against_formula(
            {"J − PCA's loss, by the objective": (t, np.array(found))},
            {"μ k/t²": (t, np.array(excess))},
            xlabel="scale t of the decoder",
            ylabel="excess loss, for Σλ = 1",
            xscale="log",
            yscale="log",
        ),
        "An infimum that is not attained",
        "If the decoder of an untied linear autoencoder is scaled up and its encoder is scaled "
        "down by the same factor, the contractive penalty tends to zero.",
        "An excess loss that decreases with the inverse square of t, on the line of its formula.",
    )


def contracted(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw gains of tied kernels under the contractive penalty."""
    half = penalty_weight(problem) / 2
    total = least_loss(problem.pca, 0)
    learned = {"trained": contractive_gains(problem)}
    formula: dict[str, Formula] = {"max(0, 1 − μ/(2λ))": lambda x: sum_gains(x / total, half)}
    return CaptionedFigure(
        _gains(problem, learned, formula, "gain v_iᵀ W v_i"),
        "Spectrum and learned gains: contraction",
        "A tied linear autoencoder, trained from a random start with the contractive penalty.",
        "Trained gains against the eigenvalues, on the curve of the formula.",
    )


def _gains(
    problem: Problem, learned: dict[str, np.ndarray], formula: dict[str, Formula], ylabel: str
) -> Figure:
    """Draw gains of the retained components against their eigenvalues, and the formulas."""
    kept = problem.pca.eigenvalues[: last_component(problem) + 1]
    between = np.geomspace(kept[-1] / 1.5, kept[0] * 1.5, 200)
    return plots.against_formula(
        {name: (kept, gains[: len(kept)]) for name, gains in learned.items()},
        {name: (between, curve(between)) for name, curve in formula.items()},
        xlabel="eigenvalue λ",
        ylabel=ylabel,
        xscale="log",
    )


def _rotation(factor: np.ndarray, code: int, rate: float) -> float:
    """Sine of the largest angle between PCA's subspace and the optimal one under masking."""
    noisy, target = masking_regression(factor, rate=rate)
    units = noisy / np.linalg.norm(factor, axis=0)  # rescales the encoder only
    found = reduced_rank_regression(Regression(units, target), code).decoder
    principal = np.linalg.svd(factor, full_matrices=False)[2][:code]
    return float(principal_sines(found, principal)[0])
