"""Export of functions of a batch to StableHLO with `jax.export`, for any batch size.

Calling an exported function needs JAX but not aejax:
`export.deserialize(bytearray(Path("encode.stablehlo").read_bytes())).call(x)`, after
`from jax import export`. Codes with custom pytree classes need the module that defines the classes
to be imported first: `aejax.layers.resampling` for SegNet, `aejax.models` for normalised examples,
`aejax.posteriors` for posteriors, `aejax.layers.codebooks` for quantised codes.
"""

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export

PLATFORMS = ("cpu", "cuda", "tpu")
DTYPES_64_BIT = {"float64", "int64", "uint64", "complex128"}
OPEN_BATCH_SIZE = "_DimExpr", "InconclusiveDimensionOperation"
"""Marks of JAX's errors for a batch size that is used as an integer."""


def serialise(
    function: Callable[[Any], Any], like: Any, *, platforms: Sequence[str] = PLATFORMS
) -> bytes:
    """Serialise a function of one batch to StableHLO, for any number of examples.

    Args:
        function: traceable function of an array [batch, …], or a tree of such arrays. Parameters
            that it closes over become constants.
        like: example input, an array, a `jax.ShapeDtypeStruct` or a tree of them, with a leading
            batch axis of any length.
        platforms: platforms to export for.

    Returns:
        Bytes for `jax.export.deserialize`, without pickle.

    Raises:
        ValueError: if an array has no batch axis, or a 64-bit dtype while x64 is disabled; if the
            function uses the number of examples as an integer; from JAX, if a tree has a type that
            is not registered with `jax.export`.

    Source: JAX export; StableHLO.

    Example:
        >>> import tempfile, aejax, jax.numpy as jnp
        >>> from pathlib import Path
        >>> data = aejax.interchange.serialise(lambda x: 2 * x, jnp.zeros((1, 3)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "double.stablehlo")
        ...     _ = path.write_bytes(data)
        ...     aejax.interchange.deserialise(path)(jnp.ones((2, 3))).tolist()
        [[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]
    """
    leaves = jax.tree.leaves(like)
    if not leaves or any(len(leaf.shape) < 1 for leaf in leaves):
        raise ValueError(f"every array must be [batch, …], got {jax.tree.map(jax.typeof, like)}")
    _check_64_bit((leaf.dtype for leaf in leaves), "the function's input")
    (batch,) = export.symbolic_shape("batch")
    symbolic = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((batch, *leaf.shape[1:]), leaf.dtype), like
    )
    try:
        exported = export.export(jax.jit(function), platforms=platforms)(symbolic)
    except Exception as error:  # the errors of an open size share no public class
        if not any(mark in repr(error) for mark in OPEN_BATCH_SIZE):
            raise
        raise ValueError(
            "the function uses the number of examples as an integer, which an exported function "
            "leaves open: say -1 or x.shape[0] for it, as in x.reshape(-1, 64), not len(x)"
        ) from error
    return bytes(exported.serialize())


def deserialise(path: str | PathLike[str]) -> Callable[[Any], Any]:
    """Read a function from a file that contains the bytes from `serialise`.

    Args:
        path: path of the file.

    Returns:
        The function of one batch, which can be jitted and vmapped. It raises ValueError if its
        input or output has a 64-bit dtype while x64 is disabled.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file is not an exported function.
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        exported = export.deserialize(bytearray(data))
    except Exception as error:  # flatbuffers and XLA raise various errors
        raise ValueError(f"{path} is not an exported function: {error}") from error

    def call(x: Any) -> Any:
        arrays = (*exported.in_avals, *exported.out_avals)
        _check_64_bit((array.dtype for array in arrays), f"the function of {path}")
        return exported.call(x)

    return call


def _check_64_bit(dtypes: Iterable[Any], name: str) -> None:
    """Check that 64-bit dtypes are used only while x64 is enabled; JAX would truncate them."""
    found = DTYPES_64_BIT.intersection(map(str, dtypes))
    if found and jax.dtypes.canonicalize_dtype(np.float64) != np.float64:
        raise ValueError(
            f"{name} is {min(found)}, but JAX's 64-bit mode is off: call "
            'jax.config.update("jax_enable_x64", True) first, or cast to 32 bits'
        )
