"""Any tree of arrays as nested dicts of names, the form in which parameters are stored in files."""

from typing import Any

import jax

from aejax.types import Params


def as_nested_dicts(tree: Any) -> Params:
    """Convert a tree of arrays to nested dicts; a nested dict is returned with the same content.

    Args:
        tree: any pytree, such as a tuple or an Equinox module; more than one array.

    Returns:
        Nested dicts, whose names are keys, attributes, and indices as text.

    Example:
        >>> from aejax.interchange.nested_dicts import as_nested_dicts
        >>> as_nested_dicts({"layers": [1.0, 2.0]})
        {'layers': {'0': 1.0, '1': 2.0}}
    """
    found: Params = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        *parents, last = (_name(key) for key in path)
        inner = found
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = leaf
    return found


def from_nested_dicts(nested: Params, like: Any) -> Any:
    """Convert nested dicts to a tree, the inverse of `as_nested_dicts`.

    Args:
        nested: nested dicts of arrays.
        like: tree with the structure of the result, whose leaves are ignored.

    Returns:
        The tree.

    Raises:
        KeyError: if an array of the tree is missing.
    """

    def find(path: Any, _: Any) -> Any:
        found = nested
        for key in path:
            found = found[_name(key)]
        return found

    return jax.tree_util.tree_map_with_path(find, like)


def _name(key: Any) -> str:
    """Name of one step of a path: key of a dict, index of a sequence, or name of an attribute."""
    return jax.tree_util.keystr((key,), simple=True)
