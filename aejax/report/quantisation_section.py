"""Section of a run's report about a discrete code: perplexity, unused values, and rate in bits."""

from html import escape

import jax.numpy as jnp
import numpy as np

from aejax import plots
from aejax.report.page import CaptionedFigure, Section, key_numbers, render_figures
from aejax.runs.code_units import array_of
from aejax.runs.codeword_usage import ValueUsage, has_indices, usage_of_run
from aejax.runs.examples import ShownExamples
from aejax.runs.inference import TrainedRun


def quantisation_sections(run: TrainedRun, examples: ShownExamples) -> list[Section]:
    """Describe a discrete code on test examples.

    Args:
        run: trained run.
        examples: its test examples.

    Returns:
        One section; none for another model.
    """
    if not has_indices(run):
        return []
    x = jnp.asarray(examples.batch.x)
    indices = np.asarray(array_of(run.objective.model.encode(run.params, x)))
    usage = usage_of_run(run, indices)
    body = key_numbers(_numbers(usage)) + _explanation(usage, len(x))
    return [Section("Discrete code", body + render_figures([_figure(usage)]))]


def _numbers(usage: ValueUsage) -> dict[str, float | str]:
    found: dict[str, float | str] = {"indices of an example": str(usage.indices)}
    if usage.values is not None and usage.capacity is not None:
        found |= {
            "values of an index": str(usage.values),
            "unused values": str(usage.unused),
            "capacity in bits": usage.capacity,
        }
    return found | {"rate in bits": usage.bits, "perplexity": usage.perplexity}


def _explanation(usage: ValueUsage, examples: int) -> str:
    levels = len(usage.counts)
    residual = (
        f" Of the {levels} codebooks, perplexity is the mean, and unused values are counted in all."
        if levels > 1
        else ""
    )
    text = (
        f"Measured on {examples} test examples, the indices of all positions together. The rate is "
        "that of an ideal code for the frequencies of the values, in bits per example, and the "
        "capacity that of a code of fixed length. The perplexity is the number of equally frequent "
        "values with the same entropy. An unused value occurs in none of these examples: with few "
        "examples, more values are unused, and the entropy is underestimated." + residual
    )
    return f"<p>{escape(text)}</p>\n"


def _figure(usage: ValueUsage) -> CaptionedFigure:
    return CaptionedFigure(
        plots.usage_curves(usage.counts, usage.values),
        "Usage of the values",
        "Share of each value in all indices, in descending order"
        + ("." if usage.values is None else ", and the share of equally frequent values."),
        "Curve of the shares of the values of the code in descending order, on logarithmic axes.",
    )
