"""Images of reconstructions, for loggers that show them during a training."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from aejax.objectives import Objective, reconstruct
from aejax.types import Array, Params

ImageOf = Callable[[Params], np.ndarray]
"""params -> image [height, width] or [height, width, channels], in [0, 1]."""


def reconstructions(
    objective: Objective, x: Array | np.ndarray, *, image_shape: Sequence[int] | None = None
) -> ImageOf:
    """Make an image of examples above their reconstructions.

    Args:
        objective: objective with the model.
        x: the examples, as in training, [examples, *input].
        image_shape: [height, width] or [height, width, channels] of one example (default: its
            shape).

    Returns:
        A function: params -> image in [0, 1], scaled to the range of x.

    Raises:
        ValueError: if the examples are no images.
    """
    shape = tuple(x.shape[1:] if image_shape is None else image_shape)
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3)):
        raise ValueError(
            "image_shape must be [height, width] or [height, width, channels] with 1 or 3 "
            f"channels, got {list(shape)}"
        )
    inputs = jnp.asarray(x)
    compiled = jax.jit(lambda params: reconstruct(objective, params, inputs))
    low, high = float(np.min(x)), float(np.max(x))

    def image(params: Params) -> np.ndarray:
        pairs = (np.asarray(each).reshape(-1, *shape) for each in (x, compiled(params)))
        rows = np.concatenate([np.concatenate(list(each), axis=1) for each in pairs])
        return np.clip((rows - low) / ((high - low) or 1.0), 0, 1)

    return image
