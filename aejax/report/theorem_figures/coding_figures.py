"""Figures of dictionaries and linear bridges (theorem 14)."""

import jax
import numpy as np

from aejax import plots
from aejax.layers.code_activations import top_k_relu
from aejax.report.page import CaptionedFigure
from aejax.report.theorem_figures.optimum_figures import Found
from aejax.theory.analysis.pca import leading_components
from aejax.theory.checking.problem import Problem
from aejax.theory.checking.tolerances import unit_eigenvalues, unit_factor
from aejax.theory.dictionaries.amortisation_gap import optimal_encoder, three_directions
from aejax.theory.dictionaries.best_term_codes import pair_sum, top_k_errors
from aejax.theory.dictionaries.greedy_recovery import num_units, simplex, sparse_signals
from aejax.theory.dictionaries.linear_bridges import rotated_components
from aejax.theory.dictionaries.mixed_features import (
    BOTH,
    SECOND,
    TOTAL,
    absorbed_l1,
    absorbed_terms,
    few_units_loss,
)
from aejax.theory.dictionaries.soft_thresholds import (
    decoded_scores,
    paired_directions,
    soft_threshold,
)

SHOWN_EXAMPLES, PURSUIT_STEPS = 60, 40
"""Maximum number of examples in a figure, and steps of matching pursuit."""


def prefix_losses(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the loss of each prefix of the components and of a rotation of them."""
    rotated = rotated_components(problem)
    units = 1 if rotated is None else len(rotated)
    kernels = {"components": leading_components(problem.pca, units)}
    kernels |= {} if rotated is None else {"first and last rotated": rotated}
    factor, sizes = unit_factor(problem), np.arange(1, units + 1)
    losses = {
        name: np.array([np.sum((factor - factor @ rows[:m].T @ rows[:m]) ** 2) for m in sizes])
        for name, rows in kernels.items()
    }
    least = np.array([unit_eigenvalues(problem)[m:].sum() for m in sizes])
    return CaptionedFigure(
        plots.against_formula(
            {name: (sizes, values) for name, values in losses.items()},
            {"Σ_{i>m} λ_i": (sizes, least)},
            xlabel="units m of the prefix",
            ylabel="loss of the prefix, for Σλ = 1",
        ),
        "Prefix losses order the units",
        "A rotation of the units changes no loss of all units, but the losses of its prefixes.",
        "Loss against the length of the prefix: the components are on the formula's curve, the "
        "rotated ones above it until the last.",
    )


def shrunk_codes(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the coefficient of the last direction before and after coding by L1 and by TopK."""
    case = paired_directions(problem)
    units = case.scores.shape[1]
    scores = case.scores[:: -(-len(case.scores) // SHOWN_EXAMPLES), -1]
    order = np.argsort(scores)
    curves = {}
    for name, activation, threshold in (
        ("L1: ReLU with the bias −λ/2", jax.nn.relu, case.threshold),
        ("TopK", top_k_relu(k=-(-units // 2)), 0.0),
    ):
        after = decoded_scores(case, activation, threshold=threshold)[1]
        chosen = after[:: -(-len(after) // SHOWN_EXAMPLES), units - 1]
        curves[name] = (scores[order], chosen[order])
    line = np.linspace(scores.min(), scores.max(), 200)
    return CaptionedFigure(
        plots.against_formula(
            curves,
            {"soft threshold at λ/2": (line, soft_threshold(line, case.threshold))},
            xlabel="d · x",
            ylabel="d · x̂",
        ),
        "L1 shrinks, TopK selects",
        "The coefficient of the last direction in each example and in its reconstruction. L1 moves "
        "every active unit by λ/2; TopK keeps a coefficient or drops it.",
        "Coefficients after coding against those before: a soft threshold, and the identity or 0.",
    )


def overlapping_pairs(_: Problem, __: Found) -> CaptionedFigure:
    """Draw the error of TopK by the overlap of two directions that reproduce x exactly."""
    overlaps = np.linspace(0.05, 1, 20)
    pairs = [np.array([[1.0, 0], [mu, np.sqrt(1 - mu**2)]]) for mu in overlaps]
    errors = [top_k_errors(pair, pair_sum(pair)[0], size=2)[0] for pair in pairs]
    return CaptionedFigure(
        plots.against_formula(
            {"TopK, k = 2": (overlaps, np.array(errors))},
            {"2 μ² (1 + μ)": (overlaps, 2 * overlaps**2 * (1 + overlaps))},
            xlabel="overlap μ = d_1 · d_2",
            ylabel="squared error",
        ),
        "Overlapping directions",
        "TopK's squared error for x = d_1 + d_2, for which the code (1, 1) has none.",
        "Squared error against overlap, on the curve of the formula, from zero to four.",
    )


def convex_unit(_: Problem, __: Found) -> CaptionedFigure:
    """Draw the second unit of the best one-layer encoder between two examples without it."""
    directions = three_directions(np.eye(2))
    rows, thresholds = optimal_encoder(directions)
    shares = np.linspace(0, 1, 41)
    x = 2 * np.outer(1 - shares, directions[0]) + 2 * np.outer(shares, directions[2])
    found = np.maximum(x @ rows[1] - thresholds[1], 0)
    wanted = np.array([0.0, 0.5, 1.0])
    return CaptionedFigure(
        plots.against_formula(
            {
                "unit 2 of the best encoder": (shares, found),
                "code to be found": (wanted, np.array([0.0, 1.0, 0.0])),
            },
            {},
            xlabel="position between 2 d_1 and 2 d_3",
            ylabel="value of unit 2",
        ),
        "A convex unit cannot be active only in the middle",
        "d_2 is the midpoint of 2 d_1 and 2 d_3. The code is active there and silent at the ends; "
        "a ReLU of a linear function is at most the mean of its values at the ends.",
        "A constant value of one third, against the code zero, one, zero.",
    )


def mixed_angles(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the loss with one active unit, and the L1 of absorption, by the angle of mixing."""
    features = problem.pca.components[:2]
    angles = np.linspace(0, np.pi / 4, 9)
    line = np.linspace(0, np.pi / 4, 100)
    loss = [few_units_loss(features, angle, active=1)[0] for angle in angles]
    l1 = [absorbed_terms(features, angle)[1] for angle in angles]
    absorbed = np.array([absorbed_l1(angle) for angle in line])
    mixed = (SECOND * np.sin(line) ** 2 + BOTH * (1 - np.sin(2 * line))) / TOTAL
    return CaptionedFigure(
        plots.against_formula(
            {
                "loss with one active unit": (angles, np.array(loss)),
                "L1 where a child implies its parent": (angles, np.array(l1)),
            },
            {
                "p_2 sin² θ + p_12 (1 − sin 2θ)": (line, mixed),
                "p_1 + p_12 (1 + 1/cos θ − tan θ)": (line, absorbed),
            },
            xlabel="angle θ of the second direction from the second feature",
            ylabel="loss, and L1",
        ),
        "Mixed directions score better than the true features",
        "The true dictionary is at θ = 0, where both curves decrease.",
        "Two curves with their formulas: a loss with a minimum near θ = 0.66, and a decreasing L1.",
    )


def pursuit_steps(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the largest error of matching pursuit by step, and the bound by the coherence."""
    most = num_units(problem)
    directions = simplex(np.eye(2 * most))
    residual = sparse_signals(problem, len(directions), most) @ directions
    start = np.linalg.norm(residual, axis=1, keepdims=True)
    largest = []
    for _step in range(PURSUIT_STEPS):
        largest.append(float((np.linalg.norm(residual, axis=1, keepdims=True) / start).max()))
        scores = residual @ directions.T
        best = np.abs(scores).argmax(axis=1)
        residual = residual - scores[np.arange(len(best)), best, None] * directions[best]
    steps = np.arange(PURSUIT_STEPS)
    factor = 1 - (1 - (most - 1) / (2 * most)) / most
    return CaptionedFigure(
        plots.against_formula(
            {"largest error of matching pursuit": (steps, np.array(largest))},
            {"bound, by k and μ": (steps, factor ** (steps / 2))},
            xlabel="step",
            ylabel="‖r‖/‖x‖",
            yscale="log",
        ),
        "Matching pursuit within the coherence bound",
        f"The largest relative error over all codes of {most} units of a regular simplex of "
        f"{len(directions)} directions.",
        "Error by step, on a logarithmic axis, below the line of its bound.",
    )
