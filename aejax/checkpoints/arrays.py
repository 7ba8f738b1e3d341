"""What Orbax is given: the tree of a checkpoint's arrays, and their names."""

from collections.abc import Mapping
from typing import Any

import jax


def array_names(tree: Any) -> dict[str, str]:
    """The arrays of a tree by name, each as its dtype and shape: `float32[64, 16]`."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two JSON-able mappings, one clause a name; empty where nothing does."""
    return "; ".join(
        f"{name} was {before.get(name)!r}, now {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    )


def writer() -> Any:
    """What writes the arrays; not compressed, for trained floats hardly become smaller."""
    import orbax.checkpoint as ocp  # here, so that a command that needs none is quick

    return ocp.PyTreeCheckpointer(use_compression=False)


def reader() -> Any:
    """What reads the arrays."""
    import orbax.checkpoint as ocp

    return ocp.StandardCheckpointer()
