"""Gradient of a training step: on the full batch, or accumulated over micro-batches."""

from collections.abc import Callable
from typing import Any

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


def accumulated(*, part_size: int) -> Gradient:
    """Gradient accumulation: J = Σ_p (m_p/m) J(part p) over parts (micro-batches) of a batch.

    It reduces memory to the activations of one part plus one gradient, with the same amount of
    computation. Per-example terms and penalties on the parameters equal those on the full batch.
    Batch-level terms (KL sparsity, batch statistics) and noise are computed separately per part.

    Args:
        part_size: number of examples per part; the last part may be smaller. On a mesh, a
            multiple of the number of devices that share a batch.

    Returns:
        The gradient function, for `step`, `epoch` and `fit`.

    Raises:
        ValueError: if the part size is not an integer or less than 1.
    """
    part_size = as_integer("part_size", part_size)
    if part_size < 1:
        raise ValueError(f"part_size must be at least one example, got {part_size}")

    def gradient(
        objective: Value, params: Params, batch: Batch, key: Key
    ) -> tuple[tuple[Array, Any], Params]:
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

        start = (jnp.int32(0), jax.tree.map(jnp.zeros_like, params))
        (_, total), parts = scan_batches(add, start, jnp.arange(examples), part_size)
        return mean_over_examples(parts, examples, part_size), total

    return gradient
