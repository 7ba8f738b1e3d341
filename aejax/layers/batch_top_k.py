"""BatchTopK: the k B largest pre-activations of a batch of B examples, and thresholds in use."""

import jax
import jax.numpy as jnp

from aejax.layers.activations import top_k
from aejax.layers.code_activations import CodeActivation
from aejax.types import Array, Params


def batch_top_k(*, k: int | Array, at_most: int | None = None) -> CodeActivation:
    """BatchTopK of a dictionary: h = max(z, 0) for the k B largest of all z of B examples, else 0.

    Examples share the active units, k on average. So a code depends on its batch, until
    `training.calibrate_threshold` adds a "threshold" θ to the parameters: then h_l = z_l if
    z_l > θ, else 0, for each example alone.

    Args:
        k: mean number of active units of an example, a scalar from 1 to the number of units.
        at_most: maximum of a k that is traced, as of `top_k`.

    Returns:
        The `CodeActivation`, without parameters for training.

    Raises:
        ValueError: if k is not an integer or below 1; from the activation, for fewer than k units.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from aejax.layers.batch_top_k import batch_top_k
        >>> z = jnp.array([[3.0, 2.0, -1.0], [1.0, 0.5, 0.0]])
        >>> batch_top_k(k=1).apply({}, z).tolist()
        [[3.0, 2.0, 0.0], [0.0, 0.0, 0.0]]

    Source: Bussmann, Leask & Nanda 2024, §3.
    """
    top_k(k=k, at_most=at_most)  # checks them

    def apply(encoder: Params, z: Array) -> Array:
        if "threshold" in encoder:
            above = z > encoder["threshold"].astype(z.dtype)
            return jnp.where(above, jax.nn.relu(z), jnp.zeros_like(z))
        examples = z.shape[0]
        limit = None if at_most is None else at_most * examples
        select = top_k(k=k * examples, at_most=limit)
        return select(jax.nn.relu(z).reshape(-1)).reshape(z.shape)

    return CodeActivation(lambda *_: {}, apply)
