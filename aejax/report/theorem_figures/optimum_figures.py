"""Pictures of the optimum and the landscape about it: theorems 1 to 4."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from aejax import plots
from aejax.report.page import Illustration
from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.certificate import Certificate
from aejax.theory.checking.problem import EPSILON, Problem
from aejax.theory.learning.single_precision import losses_of_precision
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


def spectrum(problem: Problem, _: Found) -> Illustration:
    """Where the variance lies, and what k components leave."""
    k = problem.code
    return Illustration(
        plots.spectrum(problem.pca.eigenvalues, k),
        "Spectrum",
        f"Eigenvalues of the covariance. The variance right of the line is what {k} components "
        "leave, and no linear autoencoder with as many units leaves less.",
        f"Eigenvalues in decreasing order on a logarithmic axis, cut after the first {k}.",
    )


def conditions(_: Problem, found: Found) -> Illustration:
    """What pulls at PCA's encoder where a condition is dropped."""
    names = (
        "S is the covariance",
        "the code is PCA's",
        "linear encoder",
        "linear decoder",
        "centred inputs",
        "squared error",
    )
    return Illustration(
        plots.certificates(dict(zip(names, map(numbers, found), strict=True))),
        "Four conditions, and none to spare",
        "Residuals are rounding. Each cross is what is left where that one statement is false: for "
        "the last four, the pull on PCA's encoder when the condition is dropped.",
        "Rows of residual, tolerance and control for the covariance, the code and each condition.",
    )


def numbers(certificate: Certificate) -> plots.Numbers:
    """Residual, tolerance and control."""
    return certificate.residual, certificate.tolerance, certificate.control


def least_squares(problem: Problem, _: Found) -> Illustration:
    """Angles on the way of alternating least squares, and the rate of the slowest."""
    path = least_squares_path(problem)
    worst, middle = path.sines[:, 0], len(path.steps) // 2
    kept, left = problem.pca.eigenvalues[problem.code - 1 : problem.code + 1]
    fall = np.log(max(left / kept, EPSILON)) * (path.steps - path.steps[middle])
    curve = worst[middle] * np.exp(np.clip(fall, -700, 700))
    foretold = {"falls as (λ_{k+1}/λ_k)^steps": (path.steps, curve)}
    return Illustration(
        plots.against_formula(
            _angles(path), _visible(foretold, worst), xlabel="step", xscale="log", **SINE
        ),
        "Alternating least squares finds the subspace",
        "Sines of the principal angles between decoder and principal subspace. The last one falls "
        "by the ratio of the eigenvalues on either side of the cut.",
        "Sines of angles falling to rounding with the steps of alternating least squares.",
    )


SINE = {"ylabel": "sine of the angle", "yscale": "log"}


def training(problem: Problem, _: Found) -> Illustration:
    """Angles on the way of gradient training."""
    path = training_path(problem)
    return Illustration(
        plots.against_formula(_angles(path), {}, xlabel="step of L-BFGS", xscale="log", **SINE),
        "Training from a random start ends at the subspace",
        "Sines of the principal angles between decoder and principal subspace. Plateaus are "
        "saddles, which training leaves; a small eigengap makes the last part long. No more "
        f"than {TRAINING_STEPS} steps are shown.",
        "Sines of angles against the steps of training by gradient, which fall one after another.",
    )


def change_of_code(problem: Problem, _: Found) -> Illustration:
    """PCA's decoder, and the decoder of an optimum that is as good."""
    rows = leading_components(problem.pca, problem.code)
    with jax.enable_x64(True):
        undone = np.asarray(jnp.linalg.inv(invertible_matrix(problem.key, problem.code))) @ rows
    decoders = {"V_kᵀ": rows, "G⁻¹ V_kᵀ": undone}
    cosines = {name: cosines_of(each, problem) for name, each in decoders.items()}
    return Illustration(
        plots.alignment(cosines),
        "Two optima",
        "Directions of two decoders that reconstruct alike: PCA's own, and the same after an "
        "invertible change of code. What is determined is what they span.",
        "Two matrices of cosines: a diagonal of ones, and one without any order.",
    )


def cosines_of(directions: np.ndarray, problem: Problem) -> np.ndarray:
    """|cos| between each row and each principal component that the code has room for."""
    rows = leading_components(problem.pca, problem.code)
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return np.abs(directions @ rows.T) / np.where(lengths > 0, lengths, 1)


def precision(problem: Problem, _: Found) -> Illustration:
    """What float32 and eight bits lose along each component, under what the component holds."""
    held = np.sqrt(problem.pca.eigenvalues)
    components = np.arange(1, len(held) + 1)
    lost = [
        np.sqrt(np.mean(np.square(rows @ problem.pca.components.T), axis=0))
        for rows in losses_of_precision(problem)
    ]
    names = ("√λ_i, what it holds", "lost in float32", "lost by kernels of eight bits")
    curves = {name: (components, each) for name, each in zip(names, [held, *lost], strict=True)}
    labels = {"xlabel": "component", "ylabel": "root mean square along it", "yscale": "log"}
    return Illustration(
        plots.against_formula(curves, {}, **labels),
        "What single precision sees",
        "The root mean square of the data along each component, and of what the reconstruction "
        "loses along it when data and kernels are float32, or kernels have eight bits.",
        "Three curves over the components: the data's own, and two of rounding beneath it.",
    )


def index(problem: Problem, _: Found) -> Illustration:
    """Every critical point of the landscape by its loss and index."""
    case = landscape_or_obstacle(problem)[0]
    seen = local_derivatives(case, critical_points(problem.key, case))
    chosen = subsets(case)
    predicted = [predicted_index(case.eigenvalues, subset, case.code)[0] for subset in chosen]
    scale = np.abs(seen.curvatures).max(axis=1, keepdims=True)
    counted = np.sum(seen.curvatures < -1e-9 * scale, axis=1)
    return Illustration(
        plots.critical_points(seen.loss, counted, np.array(predicted)),
        "One minimum, and saddles",
        f"The {len(chosen)} critical sets of {len(case.eigenvalues)} directions and {case.code} "
        "code units, by their loss and the negative eigenvalues of the Hessian there. One alone "
        "has none.",
        "Scatter of critical points; every counted index lies in the circle of its prediction.",
    )


def saddle(problem: Problem, _: Found) -> Illustration:
    """The way out of the saddle where the first component is missing."""
    found = escape(landscape_or_obstacle(problem)[0])
    return Illustration(
        plots.saddle_escape(
            OFFSETS, found.slice_losses, found.curvature, found.path_losses, found.levels
        ),
        "The way out of a saddle",
        "At the saddle whose subset has the next eigenvector for the first. Left, the loss along "
        "the direction of least curvature; right, gradient descent from a thousandth beside it: a "
        "plateau, then the fall to the minimum.",
        "A curve with a local maximum at the saddle, and a loss that stays on a plateau and falls.",
    )


def searches(problem: Problem, _: Found) -> Illustration:
    """Where searches for critical points ended."""
    case = landscape_or_obstacle(problem)[0]
    maps = find_critical_points(problem.key, case)
    with_factor = case.factor - case.factor @ maps
    ends = np.sum(np.square(with_factor), axis=(1, 2))
    levels = [np.delete(case.eigenvalues, list(subset)).sum() for subset in subsets(case)]
    return Illustration(
        plots.search_ends(ends, np.array(levels)),
        "Searches end at no other points",
        f"{len(maps)} searches that lower the gradient's norm, not the loss, ended at a vanishing "
        "gradient. Each loss is one that the formula gives to a subset of eigenvectors.",
        "Losses at the ends of searches, each on one of the levels that are drawn as lines.",
    )


def biases(problem: Problem, _: Found) -> Illustration:
    """What biases are worth: the two optimal losses for every size of code."""
    most = min(len(problem.pca.eigenvalues), max(2 * problem.code, 20))
    codes = range(most)
    losses = {
        name: (np.array(codes), np.array([least_loss(analysis, k) for k in codes]))
        for name, analysis in (
            ("with biases, Σ λ", problem.pca),
            ("without, Σ ν", uncentred(problem).pca),
        )
    }
    return Illustration(
        plots.against_formula(losses, {}, xlabel="code units", ylabel="least loss", yscale="log"),
        "Biases are worth one code unit at most",
        "The least loss with and without biases. As ν_{i+1} ≤ λ_i ≤ ν_i, the upper curve moved by "
        "one unit lies below the lower one.",
        "Two falling curves of the least loss against the number of code units.",
    )


def tied(problem: Problem, _: Found) -> Illustration:
    """Training with tied weights: orthonormal directions, and the subspace."""
    path, departures = tied_path(problem)
    curves = {
        "largest principal angle": (path.steps, path.sines[:, 0]),
        "‖WᵀW − I‖": (path.steps, departures),
    }
    labels = {"xlabel": "step of L-BFGS", "ylabel": "distance", "xscale": "log", "yscale": "log"}
    return Illustration(
        plots.against_formula(curves, {}, **labels),
        "Tied weights make the code orthonormal",
        "In training from a random start: the sine of the largest angle to the principal subspace, "
        "and how far the code's directions are from orthonormal.",
        "Two distances that fall to rounding with the steps of training.",
    )


def _angles(path: Path) -> dict[str, tuple[Array | np.ndarray, Array | np.ndarray]]:
    """The largest angle, the middle and the least; fewer where there are fewer."""
    last = path.sines.shape[1] - 1
    chosen = {"largest angle": 0, "middle": last // 2, "smallest": last}
    unlike = {place: name for name, place in reversed(chosen.items())}
    return {name: (path.steps, path.sines[:, i]) for i, name in sorted(unlike.items())}


def _visible(curves: dict, values: np.ndarray) -> dict:
    """Curves where they lie within the range of what was measured."""
    low, high = values[values > 0].min(initial=1.0), 1.0
    shown = {}
    for name, (x, y) in curves.items():
        inside = (y >= low) & (y <= high)
        shown[name] = (x[inside], y[inside])
    return shown
