"""Gradient of a training step: on the full batch, or accumulated over micro-batches."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from aejax.hyperparameters import as_integer
from aejax.training.batches import mean_over_examples, scan_batches, take
from aejax.types import Array, Batch, Key, Params

Value = Callable[[Params, Batch, Key], tuple[Array, Any]]
"""(params, batch, key) -> (loss, tree of means over the examples), such as an `Objective`."""

Gradient = Callable[[Value, Params, Batch, Key], tuple[tuple[Array, Any], Params]]
"""(objective, params, batch, key) -> ((loss, means), gradient with respect to the params)."""


def whole_batch(
    objective: Value, params: Params, batch: Batch, key: Key
) -> tuple[tuple[Array, Any], Params]:
    """Value, terms and gradient of the objective on the full batch.

    Args:
        objective: objective to minimise.
        params: parameters of the model.
        batch: examples of the step.
        key: PRNG key of the objective's noise.

    Returns:
        (loss, its second result), and the gradient with respect to the parameters.
    """
    return jax.value_and_grad(objective, has_aux=True)(params, batch, key)


class Accumulated(NamedTuple):
    """Gradient as a sum over parts of a batch, from `accumulated`; a `Gradient`.

    part_size: number of examples per part.
    """

    part_size: int

    def __call__(
        self, objective: Value, params: Params, batch: Batch, key: Key
    ) -> tuple[tuple[Array, Any], Params]:
        """Return (loss, means) and the gradient, each the mean over the parts."""
        return sum_over_parts(objective, params, batch, key, part_size=self.part_size)


def accumulated(*, part_size: int) -> Gradient:
    """Gradient accumulation: J = Σ_p (m_p/m) J(part p) over parts (micro-batches) of a batch.

    It reduces memory to the activations of one part plus one gradient, with the same amount of
    computation. Per-example terms and penalties on the parameters equal those on the full batch.
    Batch-level terms (KL sparsity, batch statistics) and noise are computed separately per part.

    On a mesh whose n devices share a batch, each device computes the parts among its own examples
    if n · part_size divides the batch. The results are those of one device, and whole gradients
    are summed over the devices once per step. Otherwise all devices share each part, and sum its
    gradient.

    Args:
        part_size: number of examples per part; the last part may be smaller.

    Returns:
        The gradient function, for `step`, `epoch` and `fit`.

    Raises:
        ValueError: if the part size is not an integer or less than 1.
    """
    part_size = as_integer("part_size", part_size)
    if part_size < 1:
        raise ValueError(f"part_size must be at least one example, got {part_size}")
    return Accumulated(part_size)


def sum_over_parts(
    objective: Value,
    params: Params,
    batch: Batch,
    key: Key,
    *,
    part_size: int,
    first_part: Array | int = 0,
) -> tuple[tuple[Array, Any], Params]:
    """Value, terms and gradient of an objective as a scan over the parts of a batch.

    Args:
        objective: objective to minimise.
        params: parameters of the model.
        batch: examples.
        key: PRNG key of the step, into which the index of each part is folded.
        part_size: number of examples per part; the last part may be smaller.
        first_part: index of the first part, in the batch of which these are some examples.

    Returns:
        (loss, means) and the gradient, each the mean over the parts, weighted by their examples.
    """
    examples = batch.x.shape[0]

    def add(
        carry: tuple[Array, Params], rows: Array
    ) -> tuple[tuple[Array, Params], tuple[Array, Any]]:
        index, total = carry
        key_part = jax.random.fold_in(key, index)
        means, part = whole_batch(objective, params, take(batch, rows), key_part)
        share = rows.shape[0] / examples
        total = jax.tree.map(lambda total, part: total + share * part, total, part)
        return (index + 1, total), means

    start = (jnp.int32(first_part), jax.tree.map(jnp.zeros_like, params))
    (_, total), parts = scan_batches(add, start, jnp.arange(examples), part_size)
    return mean_over_examples(parts, examples, part_size), total
