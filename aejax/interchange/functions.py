"""Functions of a batch as StableHLO, for any batch size, through `jax.export`.

What is written needs JAX to be called, and not aejax:
`export.deserialize(bytearray(Path("encode.stablehlo").read_bytes())).call(x)`, after
`from jax import export`. A code that is a tree of other than JAX's own containers needs the module
that defines them: for SegNet's, `aejax.resampling`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
from jax import export

PLATFORMS = ("cpu", "cuda", "tpu")


def serialise(
    function: Callable[[Any], Any], like: Any, *, platforms: Sequence[str] = PLATFORMS
) -> bytes:
    """A function of one batch, compiled to StableHLO for any number of examples.

    Args:
        function: of one array [batch, …], or a tree of such arrays; parameters that it closes over
            become constants. `jax.jit` must be able to trace it.
        like: what it takes: an array, a `jax.ShapeDtypeStruct` or a tree of them, whose leading
            axis is the batch, of any length.
        platforms: where it shall run.

    Returns:
        The bytes that `jax.export.deserialize` reads; no pickle is in them.

    Raises:
        ValueError: for an array without a batch axis, and from JAX, for a tree of a type that is
            not registered with `jax.export`.

    Source: JAX documentation, "Exporting and serialization"; OpenXLA StableHLO.
    """
    leaves = jax.tree.leaves(like)
    if not leaves or any(len(leaf.shape) < 1 for leaf in leaves):
        raise ValueError(f"every array must be [batch, …], got {jax.tree.map(jax.typeof, like)}")
    (batch,) = export.symbolic_shape("batch")
    symbolic = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((batch, *leaf.shape[1:]), leaf.dtype), like
    )
    return bytes(export.export(jax.jit(function), platforms=platforms)(symbolic).serialize())


def deserialise(path: Path) -> Callable[[Any], Any]:
    """The function in a file that holds `serialise`'s bytes.

    Args:
        path: the file.

    Returns:
        The function of one batch, to be called, jitted or vmapped.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: naming the file, where it is not what `serialise` made.
    """
    data = path.read_bytes()
    try:
        return export.deserialize(bytearray(data)).call
    except Exception as error:  # flatbuffers and XLA break in ways of their own
        raise ValueError(f"{path} is no exported function: {error}") from error
