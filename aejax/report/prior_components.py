"""Components of a trained prior in a report: means of a mixture, or pseudo-inputs."""

from typing import Any, NamedTuple

import jax
import numpy as np

from aejax import plots
from aejax.data import denormalise
from aejax.report.generated_rows import generated_rows
from aejax.report.page import CaptionedFigure
from aejax.report.tables import table
from aejax.runs.code_posteriors import trained_prior_of_run
from aejax.runs.inference import TrainedRun, decoder
from aejax.runs.trained_priors import is_mixture, is_vamp_prior

COMPONENT_IMAGES, COMPONENT_ROWS = 36, 10
"""Maximum number of components, as images or as rows of a table."""


class _Components(NamedTuple):
    """Components of a prior as examples.

    title:   title of the figure or table.
    caption: sentence about them.
    x:       examples in the units of the data, [components, *features].
    labels:  first columns of each row of a table, or none.
    """

    title: str
    caption: str
    x: np.ndarray
    labels: list[dict[str, Any]]


def component_count(run: TrainedRun) -> dict[str, float | str]:
    """Number of components of a trained prior, those of a mixture with their effective number.

    Args:
        run: trained variational run.

    Returns:
        The entry of the section's measures; none for another prior.
    """
    if trained_prior_of_run(run) is None:
        return {}
    if is_mixture(run.params):
        weights = _weights(run)
        entropy = -np.sum(weights * np.log(np.maximum(weights, np.finfo(float).tiny)))
        text = f"{len(weights)}, effectively {np.exp(entropy):.1f}"
        return {"components of the prior": text}
    if is_vamp_prior(run.params):
        return {"pseudo-inputs of the prior": str(len(run.params["prior"]["pseudo_inputs"]))}
    return {}


def component_figures(run: TrainedRun) -> list[CaptionedFigure]:
    """Draw the components of a trained prior of images.

    Args:
        run: trained variational run of images.

    Returns:
        One figure; none for a prior without components.
    """
    found = _components(run, COMPONENT_IMAGES)
    if found is None:
        return []
    figure = plots.samples(found.x, run.about.feature_shape)
    alt = f"Grid of images: {found.title.lower()}."
    return [CaptionedFigure(figure, found.title, found.caption, alt)]


def component_tables(run: TrainedRun) -> str:
    """Tabulate the components of a trained prior of rows.

    Args:
        run: trained variational run of a table.

    Returns:
        HTML of the table; nothing for a prior without components.
    """
    found = _components(run, COMPONENT_ROWS)
    if found is None:
        return ""
    rows = table(generated_rows(run, found.x, found.labels))
    return f"<h3>{found.title}</h3>\n<p>{found.caption}</p>\n{rows}"


def _components(run: TrainedRun, count: int) -> _Components | None:
    if trained_prior_of_run(run) is None:
        return None
    if is_mixture(run.params):
        weights = _weights(run)
        order = np.argsort(-weights, kind="stable")[:count]
        return _Components(
            "Components of the prior",
            "Decoded means of the components of the mixture with the largest weights, in "
            f"descending order, from {weights[order[0]]:.2g} to {weights[order[-1]]:.2g}.",
            decoder(run)(np.asarray(run.params["prior"]["mean"])[order]),
            [{"weight": float(weights[index])} for index in order],
        )
    if is_vamp_prior(run.params):
        x = np.asarray(run.params["prior"]["pseudo_inputs"])[:count]
        shaped = x.reshape(len(x), *run.about.feature_shape)
        return _Components(
            "Pseudo-inputs of the prior",
            "The prior is the mean of the posteriors of these trained inputs, each with the same "
            "weight.",
            np.asarray(denormalise(run.normalisation, shaped)),
            [],
        )
    return None


def _weights(run: TrainedRun) -> np.ndarray:
    """Weights of the components of a mixture."""
    return np.asarray(jax.nn.softmax(run.params["prior"]["logits"]), np.float64)
