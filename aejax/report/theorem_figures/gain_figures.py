"""Pictures of what penalties and noise make of the components: theorems 5, 8 and 9."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from aejax import plots
from aejax.report.page import Illustration
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
from aejax.theory.noise.masking import RATE, masking_regression, reduced_rank_regression, varying
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
"""Rates of masking at which the subspace is drawn."""


def sum_loss(problem: Problem, _: Found) -> Illustration:
    """Squared singular values that L2 on both kernels leaves, at a small and at a large μ."""
    learned, formula = {}, {}
    for name, decay in (("μ = λ_k/2", half_decay(problem)), ("μ > λ_k", vanishing_decay(problem))):
        encoder = kernels(train_penalised(problem, decay=decay))[0]
        learned[f"trained, {name}"] = np.square(np.linalg.svd(encoder, compute_uv=False))
        formula[f"max(0, 1 − μ/λ), {name}"] = lambda x, decay=decay: sum_gains(x, decay)
    return Illustration(
        _gains(problem, learned, formula, "squared singular value of W_e"),
        "Spectrum and learned gains: L2 on both kernels",
        "Each component keeps 1 − μ/λ of itself, and those with λ ≤ μ vanish.",
        "Trained squared singular values against the eigenvalues, on the curves of the formula.",
    )


def product_loss(problem: Problem, _: Found) -> Illustration:
    """Gains that L2 on the product leaves."""
    decay = half_decay(problem)
    learned = {"found": gains_of_map(problem, ridge_least_squares(problem, decay)[1])}
    formula: dict[str, Formula] = {
        "1/(1 + μ/λ)": lambda x: product_gains(x, decay),
        "1 − μ/λ, of the sum loss": lambda x: sum_gains(x, decay),
    }
    return Illustration(
        _gains(problem, learned, formula, "gain v_iᵀ W v_i"),
        "Spectrum and learned gains: L2 on the product",
        "Gains found by alternating ridge regressions, at μ = λ_k/2. Nothing vanishes.",
        "Gains against eigenvalues, on the curve of their formula and off that of the sum loss.",
    )


def gaussian_noise(problem: Problem, _: Found) -> Illustration:
    """Gains that training under the expected Gaussian noise learns."""
    variance = noise_variance(problem)
    learned = {"trained": denoising_gains(problem)}
    formula: dict[str, Formula] = {"λ/(λ + s²)": lambda x: x / (x + variance)}
    return Illustration(
        _gains(problem, learned, formula, "gain v_iᵀ W v_i"),
        "Spectrum and learned gains: denoising",
        "A linear autoencoder trained from a random start on the expectation over noise of "
        "variance s² = λ_k damps each component by its own signal-to-noise ratio.",
        "Trained gains against the eigenvalues, on the curve of the formula.",
    )


def masks(problem: Problem, _: Found) -> Illustration:
    """How far masking turns the subspace, on the data and at equal variances."""
    factor = problem.moments.factor[:, varying(problem)]
    scaled = factor / np.linalg.norm(factor, axis=0)
    curves = {
        name: (np.array(RATES), np.array([_turn(rows, problem.code, rate) for rate in RATES]))
        for name, rows in (("the data", factor), ("features of unit variance", scaled))
    }
    return Illustration(
        plots.against_formula(
            curves,
            {},
            xlabel="rate q of masking",
            ylabel="sine of the largest angle",
            yscale="log",
        ),
        "Masking turns the subspace, unless variances are equal",
        "The largest angle between the subspace of the best linear autoencoder under masks and "
        f"the principal one. The certificates are at q = {RATE}.",
        "Sine of an angle against the rate: of order one on the data, rounding at unit variance.",
    )


def draws(_: Problem, found: Found) -> Illustration:
    """Sampled means against their expectation."""
    names = ("Gaussian noise", "masks")
    return Illustration(
        plots.certificates(dict(zip(names, map(numbers, found), strict=True))),
        "Sampled noise and its expectation",
        "How far the mean over draws is from what the moments foretell, and the bound of six "
        "standard errors, which falls with the root of the number of draws.",
        "Rows of residual and tolerance for Gaussian noise and for masks.",
    )


def stretched(problem: Problem, _: Found) -> Illustration:
    """The untied sequence on its way to an infimum that it does not attain."""
    rows = leading_components(problem.pca, problem.code)
    lost = least_loss(problem.pca, problem.code) / least_loss(problem.pca, 0)
    t = np.array(STRETCHES)
    found = [contractive_objective(problem, rows.T / each, rows * each)[0] - lost for each in t]
    excess = [untied_loss(problem, each) - lost for each in t]
    return Illustration(
        plots.against_formula(
            {"J − PCA's loss, by the objective": (t, np.array(found))},
            {"μ k/t²": (t, np.array(excess))},
            xlabel="stretch t of the decoder",
            ylabel="excess, for Σλ = 1",
            xscale="log",
            yscale="log",
        ),
        "An infimum out of reach",
        "With its decoder stretched and its encoder shrunk as much, an untied linear autoencoder "
        "escapes the contractive penalty.",
        "An excess that falls as the square of the stretch, on the line of its formula.",
    )


def contracted(problem: Problem, _: Found) -> Illustration:
    """Gains that the contractive penalty leaves to tied kernels."""
    half = penalty_weight(problem) / 2
    total = least_loss(problem.pca, 0)
    learned = {"trained": contractive_gains(problem)}
    formula: dict[str, Formula] = {"max(0, 1 − μ/(2λ))": lambda x: sum_gains(x / total, half)}
    return Illustration(
        _gains(problem, learned, formula, "gain v_iᵀ W v_i"),
        "Spectrum and learned gains: contraction",
        "A tied linear autoencoder trained from a random start under the contractive penalty.",
        "Trained gains against the eigenvalues, on the curve of the formula.",
    )


def _gains(
    problem: Problem, learned: dict[str, np.ndarray], formula: dict[str, Formula], ylabel: str
) -> Figure:
    """Gains of the components kept against their eigenvalues, and formulas in between."""
    kept = problem.pca.eigenvalues[: last_component(problem) + 1]
    between = np.geomspace(kept[-1] / 1.5, kept[0] * 1.5, 200)
    return plots.against_formula(
        {name: (kept, gains[: len(kept)]) for name, gains in learned.items()},
        {name: (between, curve(between)) for name, curve in formula.items()},
        xlabel="eigenvalue λ",
        ylabel=ylabel,
        xscale="log",
    )


def _turn(factor: np.ndarray, code: int, rate: float) -> float:
    """Sine of the largest angle between PCA's subspace and the best one under masks."""
    noisy, target = masking_regression(factor, rate=rate)
    units = noisy / np.linalg.norm(factor, axis=0)  # which changes the encoder, and not its fit
    found = reduced_rank_regression(Regression(units, target), code).decoder
    own = np.linalg.svd(factor, full_matrices=False)[2][:code]
    return float(principal_sines(found, own)[0])
