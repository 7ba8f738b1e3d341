"""Figures of probabilistic PCA and linear variational autoencoders (theorem 13)."""

import numpy as np

from aejax import plots
from aejax.report.page import CaptionedFigure
from aejax.report.theorem_figures.optimum_figures import Found
from aejax.theory.checking.problem import Problem
from aejax.theory.optimum.landscape import landscape_or_obstacle
from aejax.theory.variational.probabilistic_pca import (
    likelihood_derivatives,
    predicted_likelihood_index,
)


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
