"""L2 penalty (weight decay) on kernels."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from aejax.contracts import check_callable, describe
from aejax.types import Array, Params, Pass, Penalty


def kernels(params: Params) -> list[Array]:
    """All leaves of params named `kernel`, in tree order.

    Args:
        params: tree of parameters: nested dicts or objects with attributes.

    Returns:
        The kernels; a tied kernel is stored, and so counted, once.
    """
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return [leaf for path, leaf in leaves if path and _name(path[-1]) == "kernel"]


def l2(*, select: Callable[[Params], Any] = kernels) -> Penalty:
    """L2 penalty (weight decay) on kernels: Σ W². Biases are excluded.

    There is no factor ½, so the gradient of λ Σ W² is 2 λ W.

    Args:
        select: params -> the penalised arrays, as a tree (default: the leaves named `kernel`).
            For weights of other names: `l2(select=lambda params: [params.encoder.weight])`.

    Returns:
        The penalty, a scalar.

    Raises:
        ValueError: if `select` is not a function. The penalty raises it if `select` returns no
            arrays, or leaves that are not floating-point arrays, such as a mask.

    Example:
        >>> import jax, jax.numpy as jnp, aejax
        >>> weighted = {"l2": (1e-4, aejax.penalties.l2())}
        >>> model = aejax.dense((5, 3))
        >>> objective = aejax.objective(model, aejax.losses.squared, penalties=weighted)
        >>> params = jax.tree.map(jnp.ones_like, model.init(jax.random.key(0)))
        >>> float(objective(params, jnp.ones((2, 5)), jax.random.key(1))[1]["l2"])
        30.0

    Source: Krogh & Hertz 1991, eq. 2 (with λ/2).
    """
    check_callable("select of penalties.l2", select, "params")

    def penalty(record: Pass) -> Array:
        selected = jax.tree.leaves(select(record.params))
        for leaf in selected:
            if not jnp.issubdtype(getattr(leaf, "dtype", type(leaf)), jnp.floating):
                raise ValueError(
                    "the select of penalties.l2 must return the penalised arrays, not their names "
                    f"or a mask, got {describe(leaf)}"
                )
        if not selected:
            raise ValueError(
                "penalties.l2 found no kernel: its select (default: the leaves named 'kernel') "
                f"returned nothing from params whose leaves are {_names(record.params)}; use "
                "penalties.l2(select=lambda params: [...]) with the penalised arrays"
            )
        return sum(
            (jnp.sum(jnp.square(kernel)) for kernel in selected),
            start=jnp.zeros((), record.output.dtype),
        )

    return penalty


def _name(key: Any) -> Any:
    """Name of one entry of a tree path: a dict key or an attribute name."""
    return getattr(key, "key", getattr(key, "name", None))


def _names(params: Params) -> str:
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    names = [jax.tree_util.keystr(path) for path in paths[:6]]
    return ", ".join(names + ["…"] * (len(paths) > len(names))) or "none"
