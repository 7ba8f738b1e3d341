"""Figures of probabilistic PCA and linear variational autoencoders (theorem 13)."""

import numpy as np

from aejax import plots
from aejax.report.page import CaptionedFigure
from aejax.report.theorem_figures.optimum_figures import Found
from aejax.theory.checking.problem import Problem
from aejax.theory.checking.tolerances import unit_eigenvalues
from aejax.theory.optimum.hessian_index import LocalDerivatives
from aejax.theory.optimum.landscape import landscape_or_obstacle
from aejax.theory.variational.increasing_bounds import expected_bounds
from aejax.theory.variational.linear_evidence_bound import evidence
from aejax.theory.variational.linear_vae import (
    best_posterior,
    hadamard_gap,
    optimal_linear_vae,
    unit_rows,
)
from aejax.theory.variational.posterior_collapse import WEIGHT, instabilities, threshold
from aejax.theory.variational.probabilistic_pca import (
    likelihood_derivatives,
    noise_variance_of_likelihood,
    predicted_likelihood_index,
)
from aejax.theory.variational.rate_distortion import evidence_at_level, gaussian_rate, levels
from aejax.theory.variational.variational_landscape import (
    predicted_evidence_index,
    stationary_derivatives,
    used_sets,
)

ANGLES = np.linspace(0, np.pi / 2, 13)
"""Rotations of the first two units at which the evidence lower bound is drawn."""


def likelihood_saddles(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the stationary points of the likelihood by value and index."""
    case = landscape_or_obstacle(problem)[0]
    chosen, seen = likelihood_derivatives(problem, case)
    predicted = [predicted_likelihood_index(case.eigenvalues, each, case.code) for each in chosen]
    scale = np.abs(seen.curvatures).max(axis=1, keepdims=True)
    counted = np.sum(seen.curvatures < -1e-9 * scale, axis=1)
    return CaptionedFigure(
        plots.critical_points(seen.loss, counted, np.array(predicted)[:, 0]),
        "One maximum of the likelihood, and saddles",
        f"The {len(chosen)} sets of eigenvectors at which the likelihood of probabilistic PCA is "
        f"stationary, for {len(case.eigenvalues)} directions and {case.code} code units, by "
        "−log p and the number of negative eigenvalues of its Hessian.",
        "Scatter plot of stationary points; each counted index is inside the circle of its "
        "prediction.",
    )


def rotations(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the loss of the evidence lower bound as the code is rotated."""
    variance = noise_variance_of_likelihood(problem)
    vae, rows = optimal_linear_vae(problem, variance), unit_rows(problem)
    decoders = []
    for angle in ANGLES:
        rotation = np.eye(problem.code)
        cosine, sine = np.cos(angle), np.sin(angle)
        rotation[np.ix_([0, -1], [0, -1])] = [[cosine, sine], [-sine, cosine]]
        decoders.append(rotation @ vae.decoder)
    values = [
        evidence(best_posterior(each, variance), rows, variance=variance).value for each in decoders
    ]
    gaps = [hadamard_gap(each, variance) for each in decoders]
    degrees = np.degrees(ANGLES)
    return CaptionedFigure(
        plots.against_formula(
            {"ELBO at angle 0 less ELBO": (degrees, np.array(values) - values[0])},
            {"½ (Σ log C_ll − log det C)": (degrees, np.array(gaps))},
            xlabel="rotation of the first and the last unit, in degrees",
            ylabel="nats",
        ),
        "The bound determines the axes, the likelihood does not",
        "A rotation of the code leaves log p of probabilistic PCA unchanged, and lowers the "
        "evidence lower bound of the linear variational autoencoder.",
        "A curve that is zero at 0 and 90 degrees, with its maximum between, on its formula.",
    )


def evidence_saddles(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the stationary points of the evidence lower bound by value and index."""
    case = landscape_or_obstacle(problem)[0]
    chosen = used_sets(case)
    seen = LocalDerivatives(*(each[: len(chosen)] for each in stationary_derivatives(case)))
    predicted = [predicted_evidence_index(case, each)[0] for each in chosen]
    scale = np.abs(seen.curvatures).max(axis=1, keepdims=True)
    counted = np.sum(seen.curvatures < -1e-9 * scale, axis=1)
    return CaptionedFigure(
        plots.critical_points(seen.loss, counted, np.array(predicted)),
        "One optimum of the linear variational autoencoder, and saddles",
        f"The {len(chosen)} sets of axes for {len(case.eigenvalues)} directions and {case.code} "
        "units, by −ELBO and the number of negative eigenvalues of its Hessian.",
        "Scatter plot of stationary points; each counted index is inside the circle of its "
        "prediction.",
    )


def collapse(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the stability of a unit that is switched off, along each axis."""
    noise = threshold(problem)
    found = instabilities(problem, noise)
    values = unit_eigenvalues(problem)[: len(found)]
    return CaptionedFigure(
        plots.against_formula(
            {"Hessian of the objective": (values / noise, found)},
            {"1 − λ_j/(β σ²)": (values / noise, 1 - values / noise)},
            xlabel="λ_j/(β σ²)",
            ylabel="determinant along axis j, scaled",
            xscale="log",
        ),
        "Posterior collapse",
        "A unit that is switched off leaves this state along axis j where the determinant of the "
        "Hessian is negative: for λ_j > β σ². At equality it is zero, and the axis is not used. "
        f"Here β = {WEIGHT:g}.",
        "Points on a decreasing curve that crosses zero at one.",
    )


def rates(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw linear β-VAEs on the rate–distortion curve of a Gaussian, and others above it."""
    values, chosen = unit_eigenvalues(problem), levels(problem)
    found = {
        name: np.array(
            [evidence_at_level(problem, level, shrinkage=factor)[1:3] for level in chosen]
        ).T
        for name, factor in (("optimum", 1.0), ("variances of q halved", 0.5))
    }
    between = np.geomspace(found["variances of q halved"][0].min(), values.sum(), 200)
    curve = np.array([gaussian_rate(values, each) for each in between])
    return CaptionedFigure(
        plots.against_formula(
            {name: (each[0], each[1]) for name, each in found.items()},
            {"R(D) of N(0, S)": (between, curve)},
            xlabel="distortion E‖x − x̂‖², for Σλ = 1",
            ylabel="rate KL(q ‖ p), in nats",
        ),
        "Linear β-VAEs on the rate–distortion curve",
        "Each point is the optimum for one level β σ². No encoder of Gaussian data is below the "
        "curve; one with half the variances is above it.",
        "A decreasing convex curve with the optima on it and other encoders above it.",
    )


def increasing_bounds(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw importance-weighted bounds of one to three samples below log p."""
    bounds = expected_bounds(problem).mean(axis=1)
    samples = np.arange(1, len(bounds) + 1)
    return CaptionedFigure(
        plots.against_formula(
            {"log p − L_K": (samples, -bounds)},
            {},
            xlabel="samples K",
            ylabel="nats",
        ),
        "Importance-weighted bounds increase towards log p",
        "Gaps of the bounds of K samples if the posterior of one unit is too wide, by quadrature.",
        "A decreasing, positive curve.",
    )
