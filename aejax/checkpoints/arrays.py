"""Names and shapes of the arrays of a checkpoint, and the Orbax checkpointers."""

from collections.abc import Mapping
from typing import Any

import jax


def array_names(tree: Any) -> dict[str, str]:
    """Dtype and shape of each array of a tree, by name: "float32[64, 16]"."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Describe the differences of two JSON-serialisable mappings; empty if there are none."""
    return "; ".join(
        f"{name} was {before.get(name)!r}, now {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    )


def orbax_writer() -> Any:
    """Checkpointer that writes arrays without compression, which hardly shrinks trained weights."""
    import orbax.checkpoint as ocp  # imported late, because it is slow

    return ocp.PyTreeCheckpointer(use_compression=False)


def orbax_reader() -> Any:
    """Checkpointer that reads arrays."""
    import orbax.checkpoint as ocp

    return ocp.StandardCheckpointer()


def restore_part(path: Any, like: Any) -> Any:
    """Restore the arrays of a checkpoint that a tree names, and leave out the others."""
    import orbax.checkpoint as ocp

    restore_args = ocp.checkpoint_utils.construct_restore_args(like)
    args = ocp.args.PyTreeRestore(item=like, restore_args=restore_args, partial_restore=True)
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
        return checkpointer.restore(path, args=args)
