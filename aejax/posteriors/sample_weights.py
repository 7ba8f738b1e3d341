"""Log weights log p(x, z) − log q(z | x) of samples, for importance-weighted bounds."""

from aejax.objectives import reconstruction_losses
from aejax.posteriors.posterior_types import LogPrior, Posterior
from aejax.types import Array, Loss, Pass


def log_weight(
    loss: Loss, posterior: Posterior, record: Pass, z: Array, *, prior: LogPrior | None = None
) -> Array:
    """Log weight log p(x | z) + log p(z) − log q(z | x) of one sample for each example, in nats.

    Args:
        loss: −log p(x | z) of each element with its constants.
        posterior: family of the posterior, that of the model.
        record: forward pass with model, parameters, examples and code; its output is not used.
        z: one sample for each example, [batch, *units].
        prior: (model, params, z) -> log p(z), [batch] (default: the posterior's standard prior).

    Returns:
        The log weight of each example, [batch].

    Raises:
        ValueError: as `reconstruction_losses`.

    Source: Burda, Grosse & Salakhutdinov 2016, §3.
    """
    model, params = record.model, record.params
    output = model.decode(params, z)
    log_likelihood = -reconstruction_losses(loss, record._replace(output=output))
    log_prior = posterior.log_prior(z) if prior is None else prior(model, params, z)
    return log_likelihood + log_prior - posterior.log_density(record.code, z)
