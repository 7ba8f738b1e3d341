"""Figures of component recovery and learning (theorems 6, 7 and 10 to 12)."""

import jax
import jax.numpy as jnp
import numpy as np

from aejax import plots
from aejax.report.page import CaptionedFigure
from aejax.report.theorem_figures.optimum_figures import SINE, Found, cosines_of
from aejax.theory.analysis.pca import least_loss
from aejax.theory.checking.distances import reconstruction
from aejax.theory.checking.problem import Problem
from aejax.theory.learning.dynamics import (
    RATE,
    START_GAIN,
    STEP_COUNTS,
    descent_maps,
    duration,
    logistic_gains,
    num_modes,
)
from aejax.theory.learning.encoder_bound import best_loss, trained_codes
from aejax.theory.learning.nonlinear_encoders import (
    NONZERO_BIAS,
    Encoding,
    relative_excess_loss,
    representatives,
)
from aejax.theory.optimum.invariance import change_code, invertible_matrix
from aejax.theory.parameters.component_recovery import rotated_steps, unequal_decays
from aejax.theory.parameters.components import (
    component_cosines,
    decoded_components,
    reconstructed_components,
)
from aejax.theory.parameters.symmetry_breaking import (
    train_decayed,
    train_nested,
    train_rotated,
    uniform_survival,
)
from aejax.theory.parameters.tied import train_tied
from aejax.theory.solvers.linear_solvers import Solution, alternating_least_squares
from aejax.theory.solvers.penalised import CONTROL_STEPS, half_decay, kernels, train_penalised
from aejax.theory.trajectories.solver_paths import mode_curves, rule_path, stream_path

SCALES = 0.5 / 2 ** np.arange(7)
"""Encoder scales at which the excess loss over PCA is drawn."""

FINAL_GAIN = 0.9
"""Gain of the weakest mode at the end of its curve."""


def components(problem: Problem, found: Found) -> CaptionedFigure:
    """Draw |cos| between each component and its estimate, for four estimators."""
    decay, recovered = half_decay(problem), {}
    if found[0].residual is not None:
        plain = alternating_least_squares(problem.key, problem.moments, problem.code)
        with jax.enable_x64(True):
            change = invertible_matrix(problem.key, problem.code)
            params = change_code(plain.params, change, jnp.linalg.inv(change))
        x_hat, (_, decoder) = reconstruction(problem, params), kernels(Solution(params, 0, True))
        recovered["reconstructions"] = reconstructed_components(x_hat, problem.code)
        recovered["plain decoder"] = decoded_components(decoder)
    if found[1].residual is not None:
        summed = train_penalised(problem, decay=decay)
        product = train_penalised(problem, product=decay, max_steps=CONTROL_STEPS)
        recovered["decoder under L2"] = decoded_components(kernels(summed)[1])
        recovered["under L2 on the product"] = decoded_components(kernels(product)[1])
    index = np.arange(1.0, problem.code + 1)
    curves = {
        name: (index, component_cosines(each, problem.pca)) for name, each in recovered.items()
    }
    return CaptionedFigure(
        plots.against_formula(curves, {}, xlabel="component", ylabel="|cos| with estimate"),
        "From the subspace to the components",
        "The cosine between each principal component and its estimate, 1 if it is recovered. "
        "Reconstructions and a regularised decoder reveal the components; the other decoders do "
        "not.",
        "Cosines by component: two rows of ones, and two irregular curves below one.",
    )


def order(problem: Problem, found: Found) -> CaptionedFigure:
    """Draw the cosines between units and components of six trained autoencoders."""
    decays = unequal_decays(problem)
    trained = {
        "plain": train_nested(problem, np.ones(problem.code)),
        "uniform L2": train_decayed(problem, np.full_like(decays, decays.mean())),
    }
    if found[0].residual is not None:
        trained["unequal L2"] = train_decayed(problem, decays)
    if found[2].residual is not None:
        trained["nested dropout"] = train_nested(problem, uniform_survival(problem.code))
    directions = {name: kernels(each)[1] for name, each in trained.items()}
    if found[3].residual is not None:
        steps = int(3 * rotated_steps(problem)) + 1000
        tied = {"tied": train_tied(problem), "rotated": train_rotated(problem, max_steps=steps)}
        for name, each in tied.items():
            directions[name] = np.asarray(each.params["encoder"]["layer_0"]["kernel"]).T
    return CaptionedFigure(
        plots.alignment({name: cosines_of(each, problem) for name, each in directions.items()}),
        "Alignment of units and components",
        "Decoder directions against principal components after training. Without penalty the code "
        "is determined only up to an invertible map, with uniform L2 or tied weights up to a "
        "rotation; the other methods align unit i with component i.",
        "Matrices of cosines: diagonals of ones for ordered codes, no structure for the others.",
    )


def logistic(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the gains of the modes over time, and their logistic curves."""
    eigenvalues = problem.pca.eigenvalues[: num_modes(problem)] / problem.pca.eigenvalues[0]
    end = np.log((1 / START_GAIN - 1) / (1 / FINAL_GAIN - 1)) / (RATE * eigenvalues[-1])
    times, gains = mode_curves(problem, duration=float(end))
    chosen = np.unique(np.linspace(0, len(eigenvalues) - 1, 5).round().astype(int))
    measured = {f"mode {i + 1}": (times[::8], gains[::8, i]) for i in chosen}
    curves = {
        f"λ/λ_1 = {eigenvalues[i]:.2f}": (
            times,
            1 / (1 + (1 / START_GAIN - 1) * np.exp(-RATE * eigenvalues[i] * times)),
        )
        for i in chosen
    }
    return CaptionedFigure(
        plots.against_formula(measured, curves, xlabel="time, for λ_1 = 1", ylabel="gain"),
        "Modes are learned one by one, on logistic curves",
        f"Gains during {len(times) - 1} steps of gradient descent from balanced kernels on the "
        "eigenvectors, and the logistic curves of gradient flow. Stronger modes are learned first.",
        "Gains that rise from near zero to one, in the order of the eigenvalues, on their curves.",
    )


def first_order(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the error of gradient descent relative to the logistic curve, by step size."""
    maps, sizes = descent_maps(problem), duration() / STEP_COUNTS
    errors = np.abs(np.diagonal(maps, axis1=1, axis2=2) - logistic_gains(problem)).max(axis=1)
    return CaptionedFigure(
        plots.against_formula(
            {"maximum error of a gain": (sizes, errors)},
            {"first order": (sizes, errors[-1] * sizes / sizes[-1])},
            xlabel="step size of gradient descent",
            ylabel="error",
            xscale="log",
            yscale="log",
        ),
        "Gradient descent approximates gradient flow to first order",
        "The error at a fixed time; each run halves the step size.",
        "An error that is proportional to the step size, on a line of slope one.",
    )


def bound(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw losses of trained non-linear encoders, above that of PCA."""
    part = representatives(problem)
    losses = {name: best_loss(part, code) for name, code in trained_codes(part).items()}
    return CaptionedFigure(
        plots.losses_above(losses, least_loss(part.pca, part.code), name="PCA, Σ_{i>k} λ_i"),
        "No encoder beats PCA under a linear decoder",
        f"Partly trained encoders of {part.code} units, each with its optimal linear decoder.",
        "Losses of six networks, all at or to the right of PCA's line.",
    )


def excess(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the excess over PCA's loss against the scale of a non-linear encoder."""
    part = representatives(problem)
    cases = {
        "tanh": (Encoding(jnp.tanh, 0.0), 4, "ε⁴"),
        "tanh with a bias": (Encoding(jnp.tanh, NONZERO_BIAS), 2, "ε²"),
        "ReLU": (Encoding(jax.nn.relu, 0.0), 0, "constant"),
        "logistic": (Encoding(jax.nn.sigmoid, 0.0), 4, None),
        "logistic with a bias": (Encoding(jax.nn.sigmoid, NONZERO_BIAS), 2, None),
    }
    measured, formula = {}, {}
    for name, (encoding, power, label) in cases.items():
        found = np.array([relative_excess_loss(part, encoding, size) for size in SCALES])
        measured[name] = (SCALES, found)
        if label:
            formula[label] = (SCALES, found[-1] * (SCALES / SCALES[-1]) ** power)
    return CaptionedFigure(
        plots.against_formula(
            measured,
            formula,
            xlabel="scale ε of the encoder",
            ylabel="excess loss over PCA, relative to Σλ",
            xscale="log",
            yscale="log",
        ),
        "Convergence of small non-linear encoders to PCA",
        "The excess loss of the optimal linear decoder over PCA is of fourth order in the scale if "
        "the activation has an inflection point at the bias, of second order if not, and does not "
        "decrease for ReLU without bias.",
        "Excess losses against the scale, on lines of slope four, two and zero.",
    )


def stream(problem: Problem, _: Found) -> CaptionedFigure:
    """Draw the angle between the principal subspaces of the examples so far and of all examples."""
    path = stream_path(problem)
    curves = {"largest principal angle": (path.steps, path.sines[:, 0])}
    return CaptionedFigure(
        plots.against_formula(curves, {}, xlabel="examples seen", **SINE),
        "Streaming PCA equals PCA of all data",
        "PCA of merged batches against PCA of all data. After the last batch the angle is rounding "
        "error, although earlier batches were discarded.",
        "Sine of an angle that decreases slowly, and with the last batch to rounding error.",
    )


def rules(problem: Problem, found: Found) -> CaptionedFigure:
    """Draw each unit's angle to its component under Sanger's rule and under Oja's rule."""
    ones = np.ones((problem.code, problem.code))
    curves = {}
    if found[1].residual is not None:
        sanger = rule_path(problem, np.triu(ones))
        for i in sorted({0, problem.code // 2, problem.code - 1}):
            curves[f"Sanger, component {i + 1}"] = (sanger.steps, sanger.sines[:, i])
    oja = rule_path(problem, ones)
    curves["Oja, maximum over components"] = (oja.steps, oja.sines.max(axis=1))
    return CaptionedFigure(
        plots.against_formula(curves, {}, xlabel="step", xscale="log", **SINE),
        "Sanger's rule finds the components, Oja's rule the subspace",
        "Sines of the angles between each unit and the component of the same index, for the "
        "expected update of each rule.",
        "Angles that decrease to rounding error in turn for Sanger's rule, but not for Oja's.",
    )
