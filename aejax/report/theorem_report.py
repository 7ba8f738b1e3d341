"""The theorems on one HTML page: each with its picture, computed on the user's data."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from aejax import plots, report
from aejax.report import tables
from aejax.report.page import Illustration, Section
from aejax.report.theorem_figures import gain_figures, learning_figures, optimum_figures
from aejax.theory import Certificate, Problem

Found = Mapping[str, Sequence[Certificate]]
"""Theorem -> its certificates."""

Picture = tuple[Sequence[int], Callable[[Problem, Sequence[Certificate]], Illustration]]
"""The certificates, by place, of which one at least must have been measured; and the picture."""

GROUPS: dict[str, tuple[str, ...]] = {
    "The course": ("course_conditions",),
    "One minimum, and saddles": (
        "optimal_loss",
        "optimal_map",
        "gradient_training",
        "code_invariance",
        "landscape_index",
        "critical_point_search",
    ),
    "Biases": ("free_biases",),
    "Tied weights": ("tied_weights",),
    "L2 regularisation": ("sum_regularisation", "product_regularisation"),
    "From the subspace to the components": ("principal_components",),
    "Ordered recovery": ("ordered_recovery",),
    "Denoising": ("gaussian_denoising", "masking_denoising", "sampled_denoising"),
    "Contraction": ("contractive_optimum",),
    "Dynamics": ("learning_dynamics",),
    "Non-linear encoders": ("encoders_bounded_by_pca", "small_codes"),
    "Samples, streams and scale": ("streamed_moments", "online_rules", "single_precision"),
}
"""Sections of docs/theory and the theorems of each, in order."""

PICTURES: dict[str, tuple[Picture, ...]] = {
    "course_conditions": (((0, 1, 2, 3, 4, 5), optimum_figures.conditions),),
    "optimal_loss": (((0, 1), optimum_figures.spectrum),),
    "optimal_map": (((0,), optimum_figures.least_squares),),
    "gradient_training": (((1,), optimum_figures.training),),
    "code_invariance": (((0,), optimum_figures.change_of_code),),
    "landscape_index": (((1,), optimum_figures.index), ((1,), optimum_figures.saddle)),
    "critical_point_search": (((0,), optimum_figures.searches),),
    "free_biases": (((2,), optimum_figures.biases),),
    "tied_weights": (((1,), optimum_figures.tied),),
    "sum_regularisation": (((2, 3), gain_figures.sum_loss),),
    "product_regularisation": (((0,), gain_figures.product_loss),),
    "principal_components": (((0, 1), learning_figures.components),),
    "ordered_recovery": (((0, 2, 3), learning_figures.order),),
    "gaussian_denoising": (((0,), gain_figures.gaussian_noise),),
    "masking_denoising": (((1,), gain_figures.masks),),
    "sampled_denoising": (((0, 1), gain_figures.draws),),
    "contractive_optimum": (((0,), gain_figures.stretched), ((1,), gain_figures.contracted)),
    "learning_dynamics": (((0,), learning_figures.logistic), ((1,), learning_figures.first_order)),
    "encoders_bounded_by_pca": (((0,), learning_figures.bound),),
    "small_codes": (((0, 1, 2), learning_figures.excess),),
    "streamed_moments": (((1,), learning_figures.stream),),
    "online_rules": (((0,), learning_figures.rules),),
    "single_precision": (((0,), optimum_figures.precision),),
}


def theorems_page(
    problem: Problem, found: Found, *, data: str, environment: Mapping[str, Any]
) -> str:
    """The certificates of the theorems, in the order of docs/theory, with their pictures.

    Args:
        problem: the user's data, code size and key.
        found: theorem -> its certificates on that problem.
        data: what the user calls the data.
        environment: versions, device and whatever else the numbers depend on.

    Returns:
        A whole HTML document, which fetches nothing. A picture whose theorem was not measured is
        left out, and its place says why.
    """
    groups = {
        title: {name: found[name] for name in names if name in found}
        for title, names in GROUPS.items()
    }
    sections = [
        Section(title, "".join(_theorem(problem, *each) for each in members.items()))
        for title, members in groups.items()
        if members
    ]
    glance = Section("At a glance", report.illustrations([_glance(found)]))
    environments = Section("Environment", tables.definitions(environment))
    return report.page(
        f"Theorems on {data}, code of {problem.code}",
        [glance, *sections, environments],
        lead=report.key_numbers(summary(problem, found)),
    )


def summary(problem: Problem, found: Found) -> dict[str, float | str]:
    """The size of the data, and how many certificates and controls came to each verdict."""
    certificates = [certificate for each in found.values() for certificate in each]
    verdicts = Counter(certificate.verdict for certificate in certificates)
    controls = Counter(certificate.control_verdict for certificate in certificates)
    judged = controls["rejected"] + controls["not rejected"]
    examples, features = problem.x.shape
    return {
        "examples": examples,
        "features": features,
        **({"unit of x": f"2^{problem.exponent}"} if problem.exponent else {}),
        **{verdict: verdicts[verdict] for verdict in ("holds", "fails")},
        **{verdict: count for verdict, count in verdicts.items() if verdict.startswith("not")},
        "controls rejected": f"{controls['rejected']} of {judged}",
    }


def _glance(found: Found) -> Illustration:
    numbers = {
        f"{name} {place}": optimum_figures.numbers(certificate)
        for name, certificates in found.items()
        for place, certificate in enumerate(certificates, 1)
    }
    return Illustration(
        plots.certificates(numbers),
        "Residual, tolerance and control",
        "A statement holds where its residual (dot) lies left of its tolerance (bar) and its "
        "control, a nearby false statement (cross), more than three decades right of it.",
        "A row for each certificate, on a logarithmic axis from 1e-18 to 10.",
    )


def _theorem(problem: Problem, name: str, certificates: Sequence[Certificate]) -> str:
    pictures = "".join(_picture(problem, certificates, *each) for each in PICTURES[name])
    heading = f"<h3><code>{escape(name)}</code></h3>\n"
    return heading + pictures + report.certificate_table(certificates)


def _picture(
    problem: Problem,
    certificates: Sequence[Certificate],
    places: Sequence[int],
    draw: Callable[[Problem, Sequence[Certificate]], Illustration],
) -> str:
    if any(certificates[place].residual is not None for place in places):
        return report.illustrations([draw(problem, certificates)])
    reason = escape(certificates[places[0]].reason)
    return f"<p>No picture, as the data cannot show it: {reason}.</p>\n"
