"""Bad data are refused before anything is compiled."""

import jax

from aejax.data import checks
from aejax.types import Batch, Loss


def check_data(data: Batch, batch_size: int) -> None:
    """Refuse examples that cannot be trained on.

    Args:
        data: all examples; every array's first axis counts them.
        batch_size: examples a step.

    Raises:
        ValueError: for no examples, arrays of unequal length, values that are not finite, a batch
            size below one, or a batch larger than the data.
    """
    lengths = {array.shape[0] for array in jax.tree.leaves(data)}
    if len(lengths) != 1:
        raise ValueError(
            f"x, target and weight must have one entry an example, got lengths {sorted(lengths)}"
        )
    for name, array in data._asdict().items():
        if array is not None:
            checks.check_array(array, name, rank=array.ndim)
    examples = data.x.shape[0]
    if not 1 <= batch_size <= examples:
        raise ValueError(
            f"the batch size must lie between 1 and the number of examples, {examples}, "
            f"got {batch_size}"
        )


def check_support(loss: Loss, data: Batch) -> None:
    """Refuse targets of which the loss makes no sense.

    Args:
        loss: the reconstruction loss; its support is the range it allows.
        data: all examples.

    Raises:
        ValueError: for targets outside the support.
    """
    name, target = ("x", data.x) if data.target is None else ("target", data.target)
    checks.check_support(target, loss.support, name)
