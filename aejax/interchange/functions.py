"""Functions of a batch as StableHLO, for any batch size, through `jax.export`.

What is written needs JAX to be called, and not aejax:
`export.deserialize(bytearray(Path("encode.stablehlo").read_bytes())).call(x)`, after
`from jax import export`. A code that is a tree of other than JAX's own containers needs the module
that defines them: for SegNet's, `aejax.layers.resampling`.
"""

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export

PLATFORMS = ("cpu", "cuda", "tpu")
WIDE = {"float64", "int64", "uint64", "complex128"}


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
        ValueError: for an array without a batch axis, or of a 64-bit type while JAX has none; and
            from JAX, for a tree of a type that is not registered with `jax.export`.

    Source: JAX export; StableHLO.
    """
    leaves = jax.tree.leaves(like)
    if not leaves or any(len(leaf.shape) < 1 for leaf in leaves):
        raise ValueError(f"every array must be [batch, …], got {jax.tree.map(jax.typeof, like)}")
    _check_64_bit((leaf.dtype for leaf in leaves), "the function's input")
    (batch,) = export.symbolic_shape("batch")
    symbolic = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((batch, *leaf.shape[1:]), leaf.dtype), like
    )
    return bytes(export.export(jax.jit(function), platforms=platforms)(symbolic).serialize())


def deserialise(path: str | PathLike[str]) -> Callable[[Any], Any]:
    """The function in a file that holds `serialise`'s bytes.

    Args:
        path: the file.

    Returns:
        The function of one batch, to be called, jitted or vmapped. One that takes or gives 64-bit
        types raises ValueError where it is called while JAX has none.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: naming the file, where it is not what `serialise` made.
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        exported = export.deserialize(bytearray(data))
    except Exception as error:  # flatbuffers and XLA break in ways of their own
        raise ValueError(f"{path} is no exported function: {error}") from error

    def call(x: Any) -> Any:
        arrays = (*exported.in_avals, *exported.out_avals)
        _check_64_bit((array.dtype for array in arrays), f"the function of {path}")
        return exported.call(x)

    return call


def _check_64_bit(dtypes: Iterable[Any], name: str) -> None:
    """Refuse 64-bit types where JAX would cut their values to 32 bits."""
    wide = WIDE.intersection(map(str, dtypes))
    if wide and jax.dtypes.canonicalize_dtype(np.float64) != np.float64:
        raise ValueError(
            f"{name} is {min(wide)}, and JAX has no 64-bit types now: call "
            'jax.config.update("jax_enable_x64", True) first, or cast to 32 bits'
        )
