"""Usage of the values of a discrete code by the examples of a run: perplexity and rate in bits."""

from math import log2, prod
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from aejax.evaluation.codebook_usage import usage_of_counts
from aejax.layers.codebooks import Quantised
from aejax.runs.code_units import code_like
from aejax.runs.inference import TrainedRun
from aejax.runs.quantisation_settings import count_values
from aejax.runs.quantised_objective import is_quantised
from aejax.runs.run import Run


class ValueUsage(NamedTuple):
    """Usage of the values of an index, of all positions together, but of each level alone.

    counts:     occurrences of each used value of each level, in descending order.
    perplexity: number of equally frequent values with the same entropy, the mean over levels.
    unused:     number of values, of all levels, that no example has; None if their number is not
                known.
    bits:       rate per example of an ideal code for the frequencies of the values.
    capacity:   rate per example of a code of fixed length; None if it is not known.
    values:     number of values of an index; None if it is not known.
    indices:    number of indices of an example.
    """

    counts: list[np.ndarray]
    perplexity: float
    unused: int | None
    bits: float
    capacity: float | None
    values: int | None
    indices: int


def usage_of_indices(indices: np.ndarray, *, values: int | None, levels: int) -> ValueUsage:
    """Usage of the values of indices.

    Args:
        indices: indices of examples, [examples, *positions], with the levels of a residual
            quantiser as the last axis.
        values: number of values of an index; None if it is not known.
        levels: number of levels, 1 without a residual quantiser.

    Returns:
        The usage. Its entropies are those of the frequencies, which few examples underestimate.
    """
    columns = indices.reshape(-1, levels).T
    counts = [np.sort(np.unique(column, return_counts=True)[1])[::-1] for column in columns]
    usages = [usage_of_counts(jnp.asarray(each)) for each in counts]
    count = prod(indices.shape[1:])
    used = sum(map(len, counts))
    return ValueUsage(
        counts,
        float(np.mean([usage.perplexity for usage in usages])),
        None if values is None else levels * values - used,
        count / levels * sum(float(usage.bits) for usage in usages),
        None if values is None else count * log2(values),
        values,
        count,
    )


def usage_of_run(run: TrainedRun, indices: np.ndarray) -> ValueUsage:
    """Usage of the values of indices that a run has encoded.

    Args:
        run: trained run, whose code is a `Quantised`.
        indices: indices of examples.

    Returns:
        The usage. For an own objective without a codebook, the number of values is not known.
    """
    codebook = _codebook_shape(run)
    levels = codebook[0] if len(codebook) > 2 else 1
    return usage_of_indices(indices, values=count_values_of_run(run), levels=levels)


def count_values_of_run(run: TrainedRun) -> int | None:
    """Number of values of an index of a discrete code.

    Args:
        run: trained run, whose code is a `Quantised`.

    Returns:
        The number; None for an own objective without a codebook.
    """
    if isinstance(run, Run) and is_quantised(run.configuration):
        return count_values(run.configuration.quantised)
    codebook = _codebook_shape(run)
    return codebook[-2] if codebook else None


def has_indices(run: TrainedRun) -> bool:
    """Whether the code of a run is discrete.

    Args:
        run: trained run.

    Returns:
        True if it is a `Quantised`.
    """
    return isinstance(code_like(run), Quantised)


def _codebook_shape(run: TrainedRun) -> tuple[int, ...]:
    """Shape of the codebook; empty without one."""
    params = run.params if isinstance(run.params, dict) else {}
    codebook = params.get("quantiser", {}).get("codebook")
    return () if codebook is None else codebook.shape
