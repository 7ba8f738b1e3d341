"""Rate of the codes of examples: bits of discrete codes, or divergence of posteriors in nats."""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.objectives import Objective
from aejax.runs.codeword_usage import usage_of_indices
from aejax.runs.configuration import Training
from aejax.runs.metrics import batch_blocks, codes_of
from aejax.runs.quantised_objective import is_quantised
from aejax.runs.variational_objective import is_variational, posterior_of
from aejax.types import Batch, Params

RATES = "bits", "divergence"
"""Names of the rates of a discrete code and of a posterior."""


def rate_names(training: Training) -> tuple[str, ...]:
    """Names of the rates of a model.

    Args:
        training: settings of a run.

    Returns:
        One of `RATES`, or none for another code.
    """
    bits, divergence = RATES
    if is_quantised(training):
        return (bits,)
    return (divergence,) if is_variational(training) else ()


def code_rates(
    training: Training,
    objective: Objective,
    params: Params,
    batches: Callable[[], Iterable[Batch]],
) -> dict[str, float]:
    """Rates of the codes of examples.

    Args:
        training: settings of a run.
        objective: its objective.
        params: its parameters.
        batches: () -> flat examples in batches.

    Returns:
        By the names of `rate_names`: "bits", the rate of an ideal code of the indices in bits per
        example, as of `usage_of_indices`; "divergence", the mean of Σ KL(q(z | x) ‖ p(z)) in nats.
    """
    if is_quantised(training):
        indices = np.concatenate([*codes_of(objective, params, batches())])
        depth = training.quantised.depth if training.quantised.quantiser == "residual" else 1
        assert depth is not None  # of complete settings
        return {"bits": usage_of_indices(indices, values=None, levels=depth).bits}
    if is_variational(training):
        return {"divergence": _mean_divergence(training, objective, params, batches())}
    return {}


def _mean_divergence(
    training: Training, objective: Objective, params: Params, batches: Iterable[Batch]
) -> float:
    posterior = posterior_of(training)

    @jax.jit
    def divergence(params: Params, x: Any) -> jax.Array:
        return posterior.divergence(objective.model.encode(params, x))

    count, total = 0, 0.0
    for batch in batches:
        for block in batch_blocks(batch):
            values = np.asarray(divergence(params, jnp.asarray(block.x)), np.float64)
            count, total = count + len(values), total + float(values.sum())
    return total / count
