"""Bad data are refused before anything is compiled."""

from typing import Any, SupportsIndex

import jax

from aejax.batch_inputs import as_batch, check_lengths
from aejax.data import array_checks
from aejax.hyperparameters import as_integer
from aejax.layers.batch_normalisation import remove_statistics
from aejax.objectives import Objective
from aejax.training.batches import resolve_batch_size
from aejax.training.fit_arguments import check_objective
from aejax.types import Batch, BatchLike, Params


def check_data(data: Batch, batch_size: Any) -> None:
    """Refuse examples that cannot be trained on.

    Args:
        data: all examples; every array's first axis counts them.
        batch_size: examples a step; None for the default.

    Raises:
        ValueError: for no examples, arrays of unequal length, values that are not finite, a batch
            size that is no integer or below one, or a batch larger than the data.
    """
    check_lengths(data)
    for name, array in data._asdict().items():
        if array is not None:
            array_checks.check_array(array, name, rank=array.ndim)
    examples = data.x.shape[0]
    batch_size = resolve_batch_size(batch_size, examples)
    if not 1 <= batch_size <= examples:
        raise ValueError(
            f"the batch size must lie between 1 and the number of examples, {examples}, "
            f"got {batch_size}"
        )


def check_training(
    objective: Objective,
    params: Params,
    data: BatchLike,
    *,
    batch_size: SupportsIndex | None,
    validation: BatchLike | None = None,
    patience: SupportsIndex | None = None,
) -> None:
    """Refuse what cannot be trained, before anything is compiled or written.

    Settings that are plain numbers and shapes are refused by tracing alone.

    Args:
        objective: what is to be minimised.
        params: the model's parameters.
        data: all examples, a `Batch` or x alone.
        batch_size: examples a step; None for the default.
        validation: examples to be measured on.
        patience: epochs without improvement to wait for.

    Raises:
        ValueError: as `check_data`; for what is no objective or no batch; for targets outside the
            loss's support by more than rounding; for patience without validation, below one or no
            integer; for params that carry population statistics, which training would change; for
            shapes and settings that the objective refuses.
    """
    if patience is not None and validation is None:
        raise ValueError("patience needs validation data: it counts epochs without improvement")
    if patience is not None and as_integer("patience", patience) < 1:
        raise ValueError(f"patience must be at least one epoch, got {patience}")
    if jax.tree.structure(remove_statistics(params)) != jax.tree.structure(params):
        raise ValueError(
            "the params carry population statistics from training.calibrate, which an optimizer "
            "would change; train aejax.layers.batch_normalisation.remove_statistics(params)"
        )
    check_objective(objective)
    data = as_batch(data)
    check_data(data, batch_size)
    if validation is not None:
        validation = as_batch(validation, "the validation data")
        check_data(validation, batch_size=1)
    for batch in (data, validation):
        if batch is not None:
            name, target = ("x", batch.x) if batch.target is None else ("target", batch.target)
            array_checks.check_support(target, objective.loss.support, name)
            jax.eval_shape(objective, params, batch, jax.random.key(0))


def clip_targets(objective: Objective, batch: Batch) -> Batch:
    """Targets that rounding has taken out of the loss's support, brought to its bounds.

    Args:
        objective: with the loss.
        batch: examples that `check_training` accepts.

    Returns:
        The batch; x is clipped where it is its own target.
    """
    support = objective.loss.support
    if batch.target is None:
        return batch._replace(x=array_checks.clip_rounding(batch.x, support))
    return batch._replace(target=array_checks.clip_rounding(batch.target, support))
