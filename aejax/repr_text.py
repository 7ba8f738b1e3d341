"""Short text of records for `repr`: structure, shapes, dtypes and counts instead of values."""

import dataclasses
import functools
import inspect
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import jax
import jax.numpy as jnp

LINE_WIDTH = 88
"""Maximum length of a record on one line."""

MAXIMUM_ROWS = 8
"""Maximum number of arrays of a tree, or of elements of a tuple, that are listed."""

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def record_text(record: Any, names: Sequence[str] = ()) -> str:
    """Text of a record: its type and fields, each shortened by `value_text`.

    Args:
        record: a NamedTuple or a dataclass.
        names: fields to show (default: all). Fields that are None are left out.

    Returns:
        One line, or one line for each field if it is too long.
    """
    is_tuple = isinstance(record, tuple)
    every = getattr(record, "_fields", ()) if is_tuple else _field_names(record)
    values = {name: getattr(record, name) for name in names or every}
    entries = {name: value_text(value) for name, value in values.items() if value is not None}
    return entries_text(type(record).__name__, entries)


def entries_text(title: str, entries: Mapping[str, str]) -> str:
    """Text of named entries: "title(name=text, …)".

    Args:
        title: name of the type.
        entries: name -> text, which may have several lines.

    Returns:
        One line, or one line for each entry if it is too long.
    """
    items = [f"{name}={text}" for name, text in entries.items()]
    line = f"{title}({', '.join(items)})"
    if len(line) <= LINE_WIDTH and "\n" not in line:
        return line
    indented = ["    " + item.replace("\n", "\n    ") for item in items]
    return "\n".join([f"{title}(", *(f"{item}," for item in indented), ")"])


def entries_html(title: str, entries: Mapping[str, str]) -> str:
    """HTML of named entries, for `_repr_html_`.

    Args:
        title: heading (text).
        entries: name -> text, which may have several lines.

    Returns:
        A table with escaped names and texts.

    Example:
        >>> from aejax.repr_text import entries_html
        >>> entries_html("Run", {"step": "40"})
        '<table><caption>Run</caption><tr><th>step</th><td><pre>40</pre></td></tr></table>'
    """
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td><pre>{escape(text)}</pre></td></tr>"
        for name, text in entries.items()
    )
    return f"<table><caption>{escape(title)}</caption>{rows}</table>"


def value_text(value: Any) -> str:
    """Text of one value.

    Args:
        value: any value.

    Returns:
        - scalar: its value; array: dtype and shape; tree of arrays: counts, and a line per array.
        - function: its qualified name and the scalars of its closure.
        - record of aejax: its `repr`; other dataclass: the fields that are not the default.
        - anything else: its `repr`.
    """
    if _is_array(value):
        return scalar_text(value) if _is_scalar(value) else array_text(value)
    if _has_short_repr(value):
        return repr(value)
    if _is_tree_of_arrays(value):
        return tree_text(value)
    if isinstance(value, Mapping):
        return f"{{{_listed([f'{name!r}: {value_text(each)}' for name, each in value.items()])}}}"
    if hasattr(value, "_fields"):
        return record_text(value)
    if isinstance(value, tuple):
        return f"({_listed([value_text(each) for each in value])}{',' if len(value) == 1 else ''})"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return entries_text(type(value).__name__, _changed_fields(value))
    return function_text(value) if callable(value) else repr(value)


def function_text(function: Any) -> str:
    """Qualified name of a function and the scalars of its closure: "masking.corrupt(rate=0.25)".

    Args:
        function: any callable.

    Returns:
        The text, without the function's address.
    """
    if isinstance(function, functools.partial):
        given = [*map(value_text, function.args)]
        given += [f"{name}={value_text(each)}" for name, each in function.keywords.items()]
        return f"partial({', '.join([function_text(function.func), *given])})"
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if name is None:
        return type(function).__qualname__
    settings = {name: each for name, each in _closure(function).items() if _is_setting(each)}
    given = ", ".join(f"{name}={value_text(each)}" for name, each in settings.items())
    return name.replace(".<locals>", "") + (f"({given})" if given else "")


def array_text(array: Any) -> str:
    """Dtype and shape of an array, such as "float32 [64, 10]".

    Args:
        array: anything with `dtype` and `shape`.

    Returns:
        The text.
    """
    return f"{array.dtype} {list(array.shape)}"


def scalar_text(value: Any) -> str:
    """Value of a scalar array, or its dtype and shape if it has no value, as while tracing.

    Args:
        value: array of shape [].

    Returns:
        The text.
    """
    try:
        return repr(value.item())
    except (TypeError, ValueError, AttributeError, RuntimeError):  # traced, abstract, or remote
        return array_text(value)


def tree_text(tree: Any, *, rows: int = MAXIMUM_ROWS) -> str:
    """Counts of a tree of arrays, and the path, dtype and shape of its first arrays.

    Args:
        tree: any pytree; leaves that are not arrays are ignored.
        rows: maximum number of arrays to list.

    Returns:
        One line, and one more for each array.
    """
    found = array_paths(tree)
    sizes = [math.prod(array.shape) for array in found.values()]
    stored = sum(map(array_bytes, found.values()))
    noun = "array" if len(found) == 1 else "arrays"
    lines = [f"{len(found)} {noun}, {sum(sizes):,} elements, {bytes_text(stored)}"]
    lines += [f"    {path}: {array_text(array)}" for path, array in [*found.items()][:rows]]
    if rows and len(found) > rows:
        lines.append(f"    … and {len(found) - rows} more")
    return "\n".join(lines)


def array_paths(tree: Any) -> dict[str, Any]:
    """Arrays of a tree by path, such as "encoder/layer_0/kernel".

    Args:
        tree: any pytree.

    Returns:
        Path -> array; leaves that are not arrays are left out.
    """
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
        if _is_array(leaf)
    }


def array_bytes(array: Any) -> int:
    """Number of bytes of an array; 0 for PRNG keys.

    Args:
        array: anything with `dtype` and `shape`.

    Returns:
        The number.
    """
    return math.prod(array.shape) * getattr(array.dtype, "itemsize", 0)


def bytes_text(count: int) -> str:
    """Number of bytes in a suitable unit, such as "16.3 KiB".

    Args:
        count: number of bytes.

    Returns:
        The text.

    Example:
        >>> from aejax.repr_text import bytes_text
        >>> bytes_text(640), bytes_text(16_700), bytes_text(5 * 2**30)
        ('640 B', '16.3 KiB', '5.0 GiB')
    """
    power = min(max(count.bit_length() - 1, 0) // 10, len(UNITS) - 1)
    return f"{count / 1024**power:.1f} {UNITS[power]}" if power else f"{count} {UNITS[0]}"


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, type)


def _is_scalar(value: Any) -> bool:
    is_key = jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
    return tuple(value.shape) == () and not is_key


def _is_setting(value: Any) -> bool:
    is_scalar = _is_array(value) and _is_scalar(value)
    return is_scalar or isinstance(value, bool | int | float | str)


def _is_tree_of_arrays(value: Any) -> bool:
    leaves = jax.tree.leaves(value)
    return bool(leaves) and leaves[0] is not value and all(map(_is_array, leaves))


def _listed(texts: Sequence[str]) -> str:
    """Texts separated by commas; only the first ones if there are many."""
    more = len(texts) - MAXIMUM_ROWS
    return ", ".join([*texts[:MAXIMUM_ROWS], *([f"… and {more} more"] if more > 0 else [])])


def _has_short_repr(value: Any) -> bool:
    """Whether the type of a value is of aejax and its `repr` is written for it."""
    kind = type(value)
    generated = getattr(getattr(kind, "__dataclass_params__", None), "repr", False)
    module = getattr(kind.__dict__.get("__repr__"), "__module__", None)
    return not generated and str(module).startswith("aejax.")


def _field_names(value: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(value)]


def _changed_fields(value: Any) -> dict[str, str]:
    """Text of the fields of a dataclass that differ from their defaults."""
    changed = {}
    for field in dataclasses.fields(value):
        found = getattr(value, field.name)
        made = field.default_factory
        default = field.default if made is dataclasses.MISSING else made()
        if found is not default and not (type(found) is type(default) and found == default):
            changed[field.name] = value_text(found)
    return changed


def _closure(function: Any) -> dict[str, Any]:
    """Variables of the enclosing functions that a function uses."""
    function = inspect.unwrap(function)
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    found = {}
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found
