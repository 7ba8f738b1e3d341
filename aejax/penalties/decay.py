"""Penalties on the parameters."""

import jax
import jax.numpy as jnp

from aejax.types import Array, Params, Pass, Penalty


def kernels(params: Params) -> list[Array]:
    """All kernels in params, in tree order: the leaves named `kernel`. Biases are not among them.

    Args:
        params: a nested dict of parameters.

    Returns:
        The kernels; a tied kernel is stored, and so counted, once.
    """
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return [leaf for path, leaf in leaves if path[-1] == jax.tree_util.DictKey("kernel")]


def l2() -> Penalty:
    """L2 penalty (weight decay) on kernels: Σ W². Biases are excluded.

    There is no factor ½, so the gradient of λ Σ W² is 2 λ W.

    Returns:
        The penalty, a scalar.

    Source: Krogh & Hertz 1991, eq. 2 (with λ/2).
    """

    def penalty(record: Pass) -> Array:
        return sum(
            (jnp.sum(jnp.square(kernel)) for kernel in kernels(record.params)),
            start=jnp.zeros((), record.output.dtype),
        )

    return penalty
