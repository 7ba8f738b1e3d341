"""The gradient of a step: of the whole batch at once, or part by part in less memory."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from aejax.hyperparameters import as_integer
from aejax.objectives import Objective
from aejax.training.batches import Measurements, mean_over_examples, scan_batches, take
from aejax.types import Array, Batch, Key, Params

Gradient = Callable[[Objective, Params, Batch, Key], tuple[tuple[Array, dict[str, Array]], Params]]
"""(objective, params, batch, key) -> ((loss, terms by name), gradient in the params)."""


def whole_batch(
    objective: Objective, params: Params, batch: Batch, key: Key
) -> tuple[tuple[Array, dict[str, Array]], Params]:
    """The objective, its terms and its gradient, on the whole batch at once.

    Args:
        objective: what is minimised.
        params: the model's parameters.
        batch: the examples of a step.
        key: of the objective's noise.

    Returns:
        (loss, terms by name), and the gradient in the params.
    """
    return jax.value_and_grad(objective, has_aux=True)(params, batch, key)


def accumulated(*, part_size: int) -> Gradient:
    """Gradient accumulation: J = Σ_p (m_p/m) J(part p), one part of the batch after the other.

    A step then needs the memory of a part's activations and one more gradient, and does the same
    work. Terms of single examples and of the parameters are as on the whole batch; a term that
    belongs to a batch (KL sparsity, batch statistics) is that of each part, and the noise is drawn
    part by part.

    Args:
        part_size: examples a part; the last takes the remainder. On a mesh, a multiple of the
            devices that share a batch.

    Returns:
        The gradient, for `step`, `epoch` and `fit`.

    Raises:
        ValueError: for a part size that is no integer, or below one.
    """
    part_size = as_integer("part_size", part_size)
    if part_size < 1:
        raise ValueError(f"part_size must be at least one example, got {part_size}")

    def gradient(
        objective: Objective, params: Params, batch: Batch, key: Key
    ) -> tuple[tuple[Array, dict[str, Array]], Params]:
        examples = batch.x.shape[0]

        def add(
            carry: tuple[Array, Params], rows: Array
        ) -> tuple[tuple[Array, Params], Measurements]:
            number, total = carry
            key_part = jax.random.fold_in(key, number)
            (loss, terms), part = whole_batch(objective, params, take(batch, rows), key_part)
            share = rows.shape[0] / examples
            total = jax.tree.map(lambda total, part: total + share * part, total, part)
            return (number + 1, total), {"loss": loss, **terms}

        start = (jnp.int32(0), jax.tree.map(jnp.zeros_like, params))
        (_, total), parts = scan_batches(add, start, jnp.arange(examples), part_size)
        terms = mean_over_examples(parts, examples, part_size)
        return (terms.pop("loss"), terms), total

    return gradient
