"""Figures of the optimum and its loss landscape (theorems 1 to 4)."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from aejax import plots
from aejax.report.page import CaptionedFigure
from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.certificate import Certificate
from aejax.theory.checking.problem import EPSILON, Problem
from aejax.theory.learning.single_precision import reconstruction_differences
from aejax.theory.optimum.critical_points import find_critical_points
from aejax.theory.optimum.invariance import invertible_matrix
from aejax.theory.optimum.landscape import (
    critical_points,
    landscape_or_obstacle,
    local_derivatives,
    predicted_index,
    subsets,
)
from aejax.theory.parameters.biases import uncentred
from aejax.theory.trajectories.saddle_escape import OFFSETS, escape
from aejax.theory.trajectories.solver_paths import (
    TRAINING_STEPS,
    Path,
    least_squares_path,
    tied_path,
    training_path,
)
from aejax.types import Array

Found = Sequence[Certificate]


def spectrum(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the spectrum and the variance that k components do not explain."""
    k = problem.code
    return CaptionedFigure(
        plots.spectrum(problem.pca.eigenvalues, k),
        "Spectrum",
        f"Eigenvalues of the covariance. The sum to the right of the line is the loss of {k} "
        "components, the minimum over linear autoencoders with as many units.",
        f"Eigenvalues in descending order on a logarithmic axis, cut after the first {k}.",
    )


def conditions(_: Problem, found: Found) -> CaptionedFigure:
    """Draw the gradient at PCA's encoder if one of the conditions is violated."""
    names = (
        "S is the covariance",
        "the code is PCA's",
        "linear encoder",
        "linear decoder",
        "centred inputs",
        "squared error",
    )
    return CaptionedFigure(
        plots.certificates(dict(zip(names, map(numbers, found), strict=True))),
        "Four conditions, each necessary",
        "Residuals are rounding errors. Each cross is the residual if that one statement is false: "
        "for the last four, the gradient at PCA's encoder without the condition.",
        "Rows of residual, tolerance and control for the covariance, the code and each condition.",
    )


def numbers(certificate: Certificate) -> plots.Numbers:
    """Residual, tolerance and control of a certificate."""
    return certificate.residual, certificate.tolerance, certificate.control


def least_squares(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw principal angles during alternating least squares, and the predicted rate."""
    path = least_squares_path(problem)
    worst, middle = path.sines[:, 0], len(path.steps) // 2
    kept, lost = problem.pca.eigenvalues[problem.code - 1 : problem.code + 1]
    log_decay = np.log(max(lost / kept, EPSILON)) * (path.steps - path.steps[middle])
    curve = worst[middle] * np.exp(np.clip(log_decay, -700, 700))
    predicted = {"(λ_{k+1}/λ_k)^steps": (path.steps, curve)}
    return CaptionedFigure(
        plots.against_formula(
            _angles(path), _within_range(predicted, worst), xlabel="step", xscale="log", **SINE
        ),
        "Alternating least squares finds the subspace",
        "Sines of the principal angles between decoder and principal subspace. In each step, the "
        "largest one decreases by the factor λ_{k+1}/λ_k.",
        "Sines of angles that decrease to rounding with the steps of alternating least squares.",
    )


SINE = {"ylabel": "sine of the angle", "yscale": "log"}


def training(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw principal angles during gradient training."""
    path = training_path(problem)
    return CaptionedFigure(
        plots.against_formula(_angles(path), {}, xlabel="step of L-BFGS", xscale="log", **SINE),
        "Training from a random start ends at the subspace",
        "Sines of the principal angles between decoder and principal subspace. Plateaus are "
        "saddles that training escapes; a small eigengap delays the end. At most "
        f"{TRAINING_STEPS} steps are shown.",
        "Sines of angles against training steps; they decrease one after another.",
    )


def change_of_code(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw PCA's decoder and the decoder of another optimum."""
    rows = leading_components(problem.pca, problem.code)
    with jax.enable_x64(True):
        undone = np.asarray(jnp.linalg.inv(invertible_matrix(problem.key, problem.code))) @ rows
    decoders = {"V_kᵀ": rows, "G⁻¹ V_kᵀ": undone}
    cosines = {name: cosines_of(each, problem) for name, each in decoders.items()}
    return CaptionedFigure(
        plots.alignment(cosines),
        "Two optima",
        "Directions of two decoders with equal reconstructions: PCA's decoder, and the same after "
        "an invertible linear change of the code. Only the spanned subspace is determined.",
        "Two matrices of cosines: one is the identity, the other has no structure.",
    )


def cosines_of(directions: np.ndarray, problem: Problem) -> np.ndarray:
    """|cos| between each row and each of the first k principal components, for code size k."""
    rows = leading_components(problem.pca, problem.code)
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return np.abs(directions @ rows.T) / np.where(lengths > 0, lengths, 1)


def precision(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the rounding error of float32 and of 8-bit kernels along each component."""
    data = np.sqrt(problem.pca.eigenvalues)
    components = np.arange(1, len(data) + 1)
    lost = [
        np.sqrt(np.mean(np.square(rows @ problem.pca.components.T), axis=0))
        for rows in reconstruction_differences(problem)
    ]
    names = ("√λ_i, data", "error in float32", "error of 8-bit kernels")
    curves = {name: (components, each) for name, each in zip(names, [data, *lost], strict=True)}
    labels = {"xlabel": "component", "ylabel": "root mean square", "yscale": "log"}
    return CaptionedFigure(
        plots.against_formula(curves, {}, **labels),
        "Rounding errors in single precision",
        "The root mean square along each component, of the data and of the reconstruction error if "
        "data and kernels are float32, or if kernels have eight bits.",
        "Three curves over the components: the data, and two rounding errors below.",
    )


def index(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the critical points of the landscape by loss and index."""
    case = landscape_or_obstacle(problem)[0]
    seen = local_derivatives(case, critical_points(problem.key, case))
    chosen = subsets(case)
    predicted = [predicted_index(case.eigenvalues, subset, case.code)[0] for subset in chosen]
    scale = np.abs(seen.curvatures).max(axis=1, keepdims=True)
    counted = np.sum(seen.curvatures < -1e-9 * scale, axis=1)
    return CaptionedFigure(
        plots.critical_points(seen.loss, counted, np.array(predicted)),
        "One minimum, and saddles",
        f"The {len(chosen)} sets of critical points for {len(case.eigenvalues)} directions and "
        f"{case.code} code units, by their loss and the number of negative eigenvalues of the "
        "Hessian. Only the minimum has none.",
        "Scatter plot of critical points; each counted index is inside the circle of its "
        "prediction.",
    )


def saddle(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the escape from the saddle that lacks the first component."""
    found = escape(landscape_or_obstacle(problem)[0])
    return CaptionedFigure(
        plots.saddle_escape(
            OFFSETS, found.slice_losses, found.curvature, found.path_losses, found.levels
        ),
        "Escape from a saddle",
        "The saddle at the eigenvectors 2 to k + 1 instead of 1 to k. Left: the loss "
        "along the direction of minimum curvature. Right: gradient descent from a point at "
        "distance 0.001, with a plateau before the descent to the minimum.",
        "A curve with a local maximum at the saddle, and a loss that decreases after a plateau.",
    )


def searches(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the losses at which searches for critical points ended."""
    case = landscape_or_obstacle(problem)[0]
    maps = find_critical_points(problem.key, case)
    with_factor = case.factor - case.factor @ maps
    ends = np.sum(np.square(with_factor), axis=(1, 2))
    levels = [np.delete(case.eigenvalues, list(subset)).sum() for subset in subsets(case)]
    return CaptionedFigure(
        plots.search_ends(ends, np.array(levels)),
        "Searches find no other critical points",
        f"{len(maps)} searches that minimise the norm of the gradient, not the loss, ended at a "
        "vanishing gradient. Each loss equals the formula for a subset of eigenvectors.",
        "Final losses of the searches, each on one of the levels that are drawn as lines.",
    )


def biases(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the optimal losses with and without biases for every code size."""
    most = min(len(problem.pca.eigenvalues), max(2 * problem.code, 20))
    codes = range(most)
    losses = {
        name: (np.array(codes), np.array([least_loss(analysis, k) for k in codes]))
        for name, analysis in (
            ("with biases, Σ λ", problem.pca),
            ("without, Σ ν", uncentred(problem).pca),
        )
    }
    return CaptionedFigure(
        plots.against_formula(losses, {}, xlabel="code units", ylabel="minimum loss", yscale="log"),
        "Biases replace at most one code unit",
        "The minimum loss with and without biases. As ν_{i+1} ≤ λ_i ≤ ν_i, the upper curve shifted "
        "by one unit is below the lower curve.",
        "Two decreasing curves of the minimum loss against the number of code units.",
    )


def tied(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the subspace angle and the departure from orthonormality during tied training."""
    path, departures = tied_path(problem)
    curves = {
        "largest principal angle": (path.steps, path.sines[:, 0]),
        "‖WᵀW − I‖": (path.steps, departures),
    }
    labels = {"xlabel": "step of L-BFGS", "ylabel": "distance", "xscale": "log", "yscale": "log"}
    return CaptionedFigure(
        plots.against_formula(curves, {}, **labels),
        "Tied weights make the code orthonormal",
        "Training from a random start: the sine of the largest angle to the principal subspace, "
        "and the departure of the code's directions from orthonormality.",
        "Two distances that decrease to rounding with the training steps.",
    )


def _angles(path: Path) -> dict[str, tuple[Array | np.ndarray, Array | np.ndarray]]:
    """Curves of the largest, middle and smallest angle, without duplicates."""
    last = path.sines.shape[1] - 1
    chosen = {"largest angle": 0, "middle": last // 2, "smallest": last}
    distinct = {index: name for name, index in reversed(chosen.items())}
    return {name: (path.steps, path.sines[:, i]) for i, name in sorted(distinct.items())}


def _within_range(curves: dict, values: np.ndarray) -> dict:
    """Restrict curves to the range of the measured values."""
    low, high = values[values > 0].min(initial=1.0), 1.0
    shown = {}
    for name, (x, y) in curves.items():
        inside = (y >= low) & (y <= high)
        shown[name] = (x[inside], y[inside])
    return shown
