"""Penalties on the parameters."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from aejax.contracts import check_callable, describe
from aejax.types import Array, Params, Pass, Penalty


def kernels(params: Params) -> list[Array]:
    """All kernels in params, in tree order: the leaves named `kernel`. Biases are not among them.

    Args:
        params: a tree of parameters, nested dicts or objects with attributes.

    Returns:
        The kernels; a tied kernel is stored, and so counted, once.
    """
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return [leaf for path, leaf in leaves if path and _name(path[-1]) == "kernel"]


def l2(*, select: Callable[[Params], Any] = kernels) -> Penalty:
    """L2 penalty (weight decay) on kernels: Σ W². Biases are excluded.

    There is no factor ½, so the gradient of λ Σ W² is 2 λ W.

    Args:
        select: params -> a tree of the arrays that are meant (default: the leaves named `kernel`).
            For weights of other names: `l2(select=lambda params: [params.encoder.weight])`.

    Returns:
        The penalty, a scalar.

    Raises:
        ValueError: for a `select` that is no function; when called, where it finds nothing in the
            params, or other than floating-point arrays, such as a mask of them.

    Source: Krogh & Hertz 1991, eq. 2 (with λ/2).
    """
    check_callable("select of penalties.l2", select, "params")

    def penalty(record: Pass) -> Array:
        selected = jax.tree.leaves(select(record.params))
        for leaf in selected:
            if not jnp.issubdtype(getattr(leaf, "dtype", type(leaf)), jnp.floating):
                raise ValueError(
                    "the select of penalties.l2 must return the arrays that are meant, not their "
                    f"names or a mask of them, got {describe(leaf)}"
                )
        if not selected:
            raise ValueError(
                "penalties.l2 found no kernel: its select, by default the leaves named 'kernel', "
                f"gives nothing of the params, whose leaves are {_names(record.params)}; give "
                "penalties.l2(select=lambda params: [...]) the arrays that are meant"
            )
        return sum(
            (jnp.sum(jnp.square(kernel)) for kernel in selected),
            start=jnp.zeros((), record.output.dtype),
        )

    return penalty


def _name(key: Any) -> Any:
    """Of one step of a path: a dict's key, or an attribute's name."""
    return getattr(key, "key", getattr(key, "name", None))


def _names(params: Params) -> str:
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    names = [jax.tree_util.keystr(path) for path in paths[:6]]
    return ", ".join(names + ["…"] * (len(paths) > len(names))) or "none"
