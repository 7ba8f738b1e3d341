"""Checks of data and settings before anything is compiled."""

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
    """Check examples and batch size.

    Args:
        data: all examples, each array [examples, …].
        batch_size: number of examples per step; None for the default.

    Raises:
        ValueError: if there are no examples, arrays differ in length, values are not finite, or
            the batch size is not an integer from 1 to the number of examples.
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
    """Check that training can start, before anything is compiled or written.

    `jax.eval_shape` of the objective checks shapes and hyperparameters that are Python scalars.

    Args:
        objective: objective to minimise.
        params: parameters of the model.
        data: all examples, a `Batch` or x alone.
        batch_size: number of examples per step; None for the default.
        validation: validation examples.
        patience: patience of early stopping, in epochs.

    Raises:
        ValueError: as `check_data`; if an argument has the wrong type; if targets lie outside the
            support of the loss by more than rounding; if patience is given without validation or
            is not an integer of at least 1; if the parameters have population statistics of batch
            normalisation, which training would change; if the objective raises it.
    """
    if patience is not None and validation is None:
        raise ValueError("patience needs validation data: it counts epochs without improvement")
    if patience is not None and as_integer("patience", patience) < 1:
        raise ValueError(f"patience must be at least one epoch, got {patience}")
    if jax.tree.structure(remove_statistics(params)) != jax.tree.structure(params):
        raise ValueError(
            "the params have population statistics from training.calibrate, which an optimizer "
            "would change; pass aejax.layers.batch_normalisation.remove_statistics(params)"
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
    """Clip targets to the support of the loss, to remove rounding errors.

    Args:
        objective: objective with the loss.
        batch: examples that passed `check_training`.

    Returns:
        The batch with clipped target, or with clipped x if x is the target.
    """
    support = objective.loss.support
    if batch.target is None:
        return batch._replace(x=array_checks.clip_rounding(batch.x, support))
    return batch._replace(target=array_checks.clip_rounding(batch.target, support))
