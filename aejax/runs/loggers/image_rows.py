"""Images of reconstructions, for loggers that show them during a training."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data.image_size import is_image_shape
from aejax.objectives import Objective, reconstruct
from aejax.training import TrainState
from aejax.training.records import Record
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
    if not is_image_shape(shape):
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


def due_images(
    images: Mapping[str, ImageOf] | None, every: int
) -> Callable[[TrainState, Record], dict[str, np.ndarray]]:
    """Make the function that draws images after the epochs in which they are due.

    Args:
        images: functions of the parameters by name, or None.
        every: number of epochs between images.

    Returns:
        A function of (state, record): name -> image [height, width, channels], uint8; empty after
        other epochs.

    Raises:
        ValueError: if `every` is not positive.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1, got {every}")
    shown = dict(images or {})

    def draw(state: TrainState, record: Record) -> dict[str, np.ndarray]:
        if record["epoch"] % every:
            return {}
        return {name: _bytes(image(state.params)) for name, image in shown.items()}

    return draw


def _bytes(image: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1] as uint8, with an axis of channels."""
    return np.atleast_3d(np.rint(255 * np.asarray(image, np.float32)).astype(np.uint8))
