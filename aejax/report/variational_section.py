"""Section of a run's report about a variational autoencoder: bounds, samples, paths, and units."""

from html import escape
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax import augmentations, evaluation, plots
from aejax.data.image_size import is_image_shape
from aejax.posteriors import Posterior
from aejax.report.generated_rows import generated_rows, largest_changes
from aejax.report.page import CaptionedFigure, Section, key_numbers, render_figures
from aejax.report.prior_components import component_count, component_figures, component_tables
from aejax.report.tables import table
from aejax.runs.code_posteriors import (
    PRIOR_DEVIATIONS,
    PriorMoments,
    is_gaussian,
    posterior_of_run,
    prior_moments,
    prior_samples,
    trained_prior_of_run,
)
from aejax.runs.examples import ShownExamples
from aejax.runs.inference import TrainedRun, decoder
from aejax.runs.presentation import has_comparable_output, seed
from aejax.runs.run import Run
from aejax.types import Array, Batch, Code

SAMPLES, MAX_EXAMPLES = 50, 500
"""Number K of samples of the posterior for the log-likelihood, and of test examples."""

PRIOR_IMAGES, PRIOR_ROWS = 36, 10
"""Number of samples of the prior, as images or as rows of a table."""

PAIRS, STEPS = 3, 8
"""Number of pairs of test examples with a path between them, and of points of a path."""

SHOWN_UNITS = 6
"""Number of units that are varied, those with the largest variance of the mean."""


class _Measured(NamedTuple):
    """Code of test examples and its measures.

    point:   mean or direction of the posterior, [examples, *units].
    order:   units, flat, in descending order of the variance of the mean.
    values:  measures by name.
    moments: mean and deviation of each unit under the prior; None for a prior on the sphere.
    """

    point: np.ndarray
    order: np.ndarray
    values: dict[str, float | str]
    moments: PriorMoments | None


def variational_sections(run: TrainedRun, examples: ShownExamples) -> list[Section]:
    """Describe a variational autoencoder on test examples.

    Args:
        run: trained run.
        examples: its test examples.

    Returns:
        One section; none for another model, a model with a prior that is not of `aejax.priors`, or
        outputs of another shape than the examples.
    """
    posterior, draw = posterior_of_run(run), prior_samples(run)
    if posterior is None or draw is None or not has_comparable_output(run):
        return []
    key_measures, key_prior = jax.random.split(jax.random.key(seed(run)))
    batch = _first(examples.batch, min(MAX_EXAMPLES, len(examples.batch.x)))
    measured = _measure(run, posterior, batch, key_measures)
    body = key_numbers(measured.values) + _explanation(run, len(batch.x))
    is_image = is_image_shape(run.about.feature_shape)
    z = draw(key_prior, PRIOR_IMAGES if is_image else PRIOR_ROWS)
    shown = (_images if is_image else _tables)(run, z, measured)
    return [Section("Variational autoencoder", body + shown)]


def _measure(run: TrainedRun, posterior: Posterior, batch: Batch, key: Array) -> _Measured:
    key_binary, key_samples = jax.random.split(key)
    if isinstance(run, Run) and run.configuration.variational.binarise:
        batch = batch._replace(x=augmentations.binarise()(key_binary, jnp.asarray(batch.x)))
    code: Code = run.objective.model.encode(run.params, jnp.asarray(batch.x))
    point = np.asarray(posterior.point(code))
    prior = trained_prior_of_run(run)
    found = evaluation.log_likelihood(
        *(run.objective, run.params, batch, key_samples),
        posterior=posterior,
        samples=SAMPLES,
        prior=None if prior is None else prior.log_density,
    )
    rate = _rate(run, posterior, code, jax.random.fold_in(key_samples, 1))
    units, moments = point.reshape(len(point), -1), prior_moments(run)
    scaled = units if moments is None else units / moments.deviation
    values: dict[str, float | str] = {
        "evidence lower bound": _with_error(found.elbo),
        "KL divergence": _with_error(rate),
        f"log p(x), {SAMPLES} samples": _with_error(found.value),
        **_active(scaled),
    }
    order = np.argsort(-units.var(axis=0), kind="stable")
    return _Measured(point, order, values | component_count(run), moments)


def _active(means: np.ndarray) -> dict[str, str]:
    """Number of active units; nothing for one example, whose variance is not defined."""
    if len(means) < 2:
        return {}
    active = np.asarray(evaluation.active_units(jnp.asarray(means)))
    return {"active units": f"{active.sum()} of {active.size}"}


def _rate(run: TrainedRun, posterior: Posterior, code: Code, key: Array) -> Array:
    """Divergence of the posterior of each example from the prior, [examples]."""
    prior = trained_prior_of_run(run)
    if prior is None:
        divergence = posterior.divergence(code)
        return jnp.sum(divergence.reshape(divergence.shape[0], -1), axis=1)

    def log_ratio(key: Array) -> Array:
        z = posterior.sample(key, code)
        log_prior = prior.log_density(run.objective.model, run.params, z)
        return posterior.log_density(code, z) - log_prior

    return jnp.mean(jax.lax.map(log_ratio, jax.random.split(key, SAMPLES)), axis=0)


def _with_error(values: Array) -> str:
    if values.shape[0] < 2:
        return f"{float(values[0]):.2f}".replace("-", "−")
    found = evaluation.mean_with_error(values)
    return f"{float(found.mean):.2f} ± {float(found.standard_error):.2f}".replace("-", "−")


def _explanation(run: TrainedRun, examples: int) -> str:
    is_binary = isinstance(run, Run) and run.configuration.variational.binarise
    binary = " The examples are binary, sampled once from their values." if is_binary else ""
    is_trained = trained_prior_of_run(run) is not None
    text = (
        f"Means over {examples} test examples in nats, with their standard errors.{binary} "
        "log p(x | z) is minus the loss, without constants that the loss does not contain. "
        f"log p(x) is estimated from {SAMPLES} samples of the posterior by importance sampling, "
        "whose mean is too low; aejax.evaluation.log_likelihood takes more. A unit is active if "
        "the variance of its posterior mean exceeds 0.01"
        + (
            " of its variance under the prior. The prior was trained: the divergence from it, its "
            "mean and its deviation are estimated from samples."
            if is_trained
            else "."
        )
    )
    return f"<p>{escape(text)}</p>\n"


def _images(run: TrainedRun, z: Array, measured: _Measured) -> str:
    shape, decode = run.about.feature_shape, decoder(run)
    figures = [
        CaptionedFigure(
            plots.samples(decode(z), shape),
            "Samples of the prior",
            f"Decoded means of {len(z)} samples of the prior.",
            "Grid of images that are decoded from samples of the prior.",
        ),
        *component_figures(run),
    ]
    pairs = min(PAIRS, len(measured.point) // 2)
    if pairs:
        paths = _paths(run, measured.point, pairs)
        times = np.broadcast_to(np.linspace(0, 1, STEPS), (pairs, STEPS))
        names = [f"{2 * pair} to {2 * pair + 1}" for pair in range(pairs)]
        figures.append(
            CaptionedFigure(
                plots.traversals(_decoded(run, paths), times, shape, names),
                "Interpolations",
                "Decoded points between the posterior means of two test examples, by the fraction "
                "of the path.",
                "Rows of images, each from one test example to another.",
            )
        )
    if measured.moments is not None:
        units, grid = _traversals(measured, measured.moments)
        values = np.broadcast_to(_deviations(), grid.shape[:2])
        figures.append(
            CaptionedFigure(
                plots.traversals(_decoded(run, grid), values, shape, [f"unit {i}" for i in units]),
                "Traversals of the prior",
                "Decoded posterior mean of the first test example. In each row, one of the units "
                "with the largest variance of the mean varies by three standard deviations of the "
                "prior on both sides of its mean.",
                "Rows of images, each decoded while one unit of the code varies.",
            )
        )
    return render_figures(figures)


def _tables(run: TrainedRun, z: Array, measured: _Measured) -> str:
    body = f"<h3>Samples of the prior</h3>\n{table(generated_rows(run, decoder(run)(z)))}"
    body += component_tables(run)
    if len(measured.point) > 1:
        path = _paths(run, measured.point, 1)
        labels = [{"fraction of the path": float(t)} for t in np.linspace(0, 1, STEPS)]
        body += (
            "<h3>Interpolation between the posterior means of the first two test examples</h3>\n"
            f"{table(generated_rows(run, _decoded(run, path)[0], labels))}"
        )
    if measured.moments is not None:
        changes = table(_changes(run, measured, measured.moments))
        body += f"<h3>Traversals of the prior</h3>\n{changes}"
    return body


def _changes(run: TrainedRun, measured: _Measured, moments: PriorMoments) -> list[dict[str, Any]]:
    """Features that change most between both ends of the traversal of each unit."""
    units, grid = _traversals(measured, moments)
    variance = measured.point.reshape(len(measured.point), -1).var(axis=0)
    column = f"from −{PRIOR_DEVIATIONS:g} to {PRIOR_DEVIATIONS:g} standard deviations"
    return [
        {
            "unit": str(unit),
            "variance of the mean": float(variance[unit]),
            column: largest_changes(run, x_hat.reshape(len(x_hat), -1)[[0, -1]]),
        }
        for unit, x_hat in zip(units, _decoded(run, grid), strict=True)
    ]


def _paths(run: TrainedRun, point: np.ndarray, pairs: int) -> np.ndarray:
    """Points between pairs of consecutive examples, [pairs, steps, *units]."""
    path = evaluation.linear_path if is_gaussian(run) else evaluation.spherical_path
    start, end = (jnp.asarray(point[first : 2 * pairs : 2]) for first in (0, 1))
    return np.moveaxis(np.asarray(path(start, end, steps=STEPS)), 0, 1)


def _deviations() -> np.ndarray:
    return np.linspace(-PRIOR_DEVIATIONS, PRIOR_DEVIATIONS, STEPS)


def _traversals(measured: _Measured, moments: PriorMoments) -> tuple[np.ndarray, np.ndarray]:
    """Units, and latents [units, steps, *units] in which each of them varies."""
    units, (mean, deviation) = measured.order[:SHOWN_UNITS], moments
    start = jnp.asarray((measured.point[0].ravel() - mean) / deviation)
    grid = evaluation.traversal(start, values=jnp.asarray(_deviations(), start.dtype))
    grid = mean + deviation * np.asarray(grid)[units]
    return units, grid.reshape(len(units), STEPS, *measured.point.shape[1:])


def _decoded(run: TrainedRun, z: np.ndarray) -> np.ndarray:
    """Decoded means of latents [rows, steps, *units]."""
    rows, steps = z.shape[:2]
    return decoder(run)(z.reshape(rows * steps, *z.shape[2:])).reshape(
        rows, steps, *run.about.feature_shape
    )


def _first(batch: Batch, count: int) -> Batch:
    weight = None if batch.weight is None else batch.weight[:count]
    return Batch(batch.x[:count], weight=weight)
