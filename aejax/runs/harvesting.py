"""Activations of a network on a data set, written as `.npy` shards that training streams."""

import json
from collections.abc import Callable, Iterator, Mapping
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from aejax.data.activation_shards import (
    FORMAT,
    MANIFEST,
    UNFINISHED,
    Activations,
    open_activations,
    open_shard,
)
from aejax.data.dataset import fingerprint_arrays
from aejax.data.lazy_array import LazyArray
from aejax.hyperparameters import as_integer
from aejax.runs.atomic_files import write_array, write_text
from aejax.runs.json_files import json_text, read_json
from aejax.runs.lock import locked
from aejax.types import Array

SHARD_BYTES = 2**28
"""Approximate size of a shard."""

MAX_FINGERPRINT_EXAMPLES = 256
"""Maximum number of evenly spaced inputs of a stream that enter the digest of the source."""

RELATIVE_TOLERANCE = 1e-2
"""Largest change of a batch, relative to its norm, that is ascribed to rounding."""


class _Plan(NamedTuple):
    """Layout of the shards, and digests by which a resumed harvest recognises its source."""

    positions: tuple[int, ...]
    features: int
    dtype: str
    examples: int
    examples_per_shard: int
    source: dict[str, Any]

    def shards(self) -> Iterator[tuple[str, slice]]:
        """Name and examples of each shard."""
        for index, start in enumerate(range(0, self.examples, self.examples_per_shard)):
            stop = min(start + self.examples_per_shard, self.examples)
            yield f"activations_{index:05d}.npy", slice(start, stop)

    def shape(self, examples: slice) -> tuple[int, int]:
        """Shape of a shard."""
        return (examples.stop - examples.start) * prod(self.positions), self.features


def harvest(
    function: Callable[[Any, Array], Array],
    params: Any,
    x: Array | np.ndarray | LazyArray,
    *,
    out: str | PathLike[str],
    batch_size: SupportsIndex = 256,
    examples_per_shard: SupportsIndex | None = None,
    dtype: DTypeLike = np.float32,
) -> Activations:
    """Write the activations of a function on all examples to a folder of shards with a manifest.

    Every axis between the first and the last of the activations is one of positions, such as tokens
    or pixels; each position of each example becomes a row. Shards are written atomically, and the
    manifest when all are complete. A harvest that was interrupted resumes after the last complete
    shard, if it is called again with the same arguments. `data.open_stream` opens the folder for
    training.

    Args:
        function: (params, x) -> activations [batch, *positions, features], traceable by JAX:
            `interchange.linen_layer`, `interchange.nnx_layer`, or any other.
        params: parameters of the function, any tree of arrays.
        x: examples [examples, …], in memory, or the `LazyArray` of a stream.
        out: folder of the shards.
        batch_size: number of examples of one call.
        examples_per_shard: number of examples of a shard (default: about 256 MiB of rows), a
            multiple of the batch size.
        dtype: dtype of the rows: float16, float32 or float64.

    Returns:
        The activations, opened by `data.open_activations`.

    Raises:
        ValueError: for no examples; activations without a feature axis, that are not real
            floating-point numbers, or that contain NaN or infinity; sizes below 1, or a shard that
            is no multiple of a batch; a folder that contains a harvest of other parameters, inputs
            or another function; another process that writes to the folder.
        FileExistsError: if the folder contains other files.

    Example:
        >>> import tempfile, jax, jax.numpy as jnp
        >>> from aejax import data, runs
        >>> kernel = jax.random.normal(jax.random.key(0), (4, 8))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = runs.harvest(
        ...         lambda kernel, x: jax.nn.relu(x @ kernel), kernel, jnp.ones((10, 4)),
        ...         out=f"{folder}/hidden",
        ...     )
        ...     data.open_stream(f"{folder}/hidden").train.shape, found.rows.shape
        ((8, 8), (10, 8))
    """
    folder, batch_size = Path(out).expanduser(), as_integer("batch_size", batch_size)
    _check_inputs(x, batch_size)
    apply = jax.jit(function)
    plan = _plan(apply, params, x, batch_size, examples_per_shard, np.dtype(dtype))
    _check_folder(folder)

    def rows_of(examples: slice) -> np.ndarray:
        activations = apply(params, jnp.asarray(x[examples]))
        return _rows(np.asarray(activations), plan, examples.start)

    with locked(folder):
        is_complete = _is_complete(folder, plan)
        _check_function(folder, plan, rows_of, batch_size)
        if not is_complete:
            write_text(folder / UNFINISHED, json_text(_record(plan)))
            _write_shards(folder, plan, rows_of, batch_size)
    return open_activations(folder)


def _write_shards(
    folder: Path, plan: _Plan, rows_of: Callable[[slice], np.ndarray], batch_size: int
) -> None:
    """Write the shards that are missing, then the manifest."""
    norms, sizes = 0.0, {}
    for name, examples in plan.shards():
        path, sizes[name] = folder / name, plan.shape(examples)[0]
        if path.exists():
            rows = open_shard(path, plan.shape(examples), np.dtype(plan.dtype))[:]
        else:
            starts = range(examples.start, examples.stop, batch_size)
            batches = [slice(i, min(i + batch_size, examples.stop)) for i in starts]
            rows = np.concatenate([rows_of(batch) for batch in batches])
            write_array(path, rows)
        norms += float(np.sum(np.linalg.norm(rows.astype(float), axis=1)))
    manifest = _record(plan) | {"shards": sizes, "mean_norm": norms / sum(sizes.values())}
    write_text(folder / MANIFEST, json_text(manifest))
    (folder / UNFINISHED).unlink()


def _rows(activations: np.ndarray, plan: _Plan, start: int) -> np.ndarray:
    """Rows of a batch whose first example has the index `start`."""
    with np.errstate(over="ignore"):  # the sentence below names the example
        rows = activations.reshape(-1, plan.features).astype(plan.dtype)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        example = start + int(np.argmin(finite)) // prod(plan.positions)
        raise ValueError(
            f"the activations of example {example} contain NaN or infinity in {plan.dtype}; check "
            "this example and the parameters, or say a dtype with a larger range"
        )
    return rows


def _plan(
    apply: Callable[[Any, Array], Array],
    params: Any,
    x: Array | np.ndarray | LazyArray,
    batch_size: int,
    examples_per_shard: SupportsIndex | None,
    dtype: np.dtype,
) -> _Plan:
    size = min(batch_size, len(x))
    like = jax.eval_shape(apply, params, jnp.asarray(x[:1]))
    shape = getattr(like, "shape", ())
    if len(shape) < 2 or shape[0] != 1 or not prod(shape):
        raise ValueError(
            "the function must map a batch to activations [batch, *positions, features], got "
            f"{like} for one example"
        )
    if not jnp.issubdtype(like.dtype, jnp.floating):
        raise ValueError(f"activations must be real floating-point numbers, got {like.dtype}")
    if dtype.name not in ("float16", "float32", "float64"):
        raise ValueError(f"dtype must be float16, float32 or float64, got {dtype}")
    if examples_per_shard is None:
        per_example = prod(shape[1:]) * dtype.itemsize
        examples_per_shard = size * max(1, SHARD_BYTES // (per_example * size))
    examples_per_shard = as_integer("examples_per_shard", examples_per_shard)
    if examples_per_shard < 1 or examples_per_shard % size:
        raise ValueError(
            f"examples_per_shard must be a multiple of the batch size, {size}, got "
            f"{examples_per_shard}"
        )
    source = {
        "parameters": _digest(params),
        "inputs": _input_digest(x),
        "shape": list(map(int, x.shape)),
        "dtype": str(x.dtype),
    }
    return _Plan(shape[1:-1], shape[-1], dtype.name, len(x), examples_per_shard, source)


def _record(plan: _Plan) -> dict[str, Any]:
    """JSON object of a plan."""
    return json.loads(json.dumps({"format": FORMAT, **plan._asdict()}))


def _is_complete(folder: Path, plan: _Plan) -> bool:
    """Whether the folder has a manifest; ValueError if it or an unfinished one is of another plan.

    The manifest is written before the description of the unfinished harvest is removed.
    """
    for name in (MANIFEST, UNFINISHED):
        if not (folder / name).exists():
            continue
        expected, found = _record(plan), read_json(folder / name)
        if not isinstance(found, Mapping):
            raise ValueError(f"{folder / name} is not a file of `runs.harvest`")
        if changed := [key for key, value in expected.items() if found.get(key) != value]:
            raise ValueError(
                f"{folder} contains activations of another harvest: {changed[0]} is "
                f"{found.get(changed[0])}, now {expected[changed[0]]}; choose another out"
            )
        return name == MANIFEST
    return False


def _check_function(
    folder: Path, plan: _Plan, rows_of: Callable[[slice], np.ndarray], batch_size: int
) -> None:
    """Refuse to extend a harvest of another function: the rows of its first batch must be equal."""
    name, examples = next(plan.shards())
    if not (folder / name).exists():
        return
    shard = open_shard(folder / name, plan.shape(examples), np.dtype(plan.dtype))
    found = rows_of(slice(0, min(batch_size, plan.examples))).astype(float)
    stored = shard[: len(found)].astype(float)
    if np.linalg.norm(found - stored) > RELATIVE_TOLERANCE * np.linalg.norm(stored):
        raise ValueError(
            f"{folder} contains activations of another function: those of the first batch differ; "
            "choose another out"
        )


def _check_inputs(x: Any, batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"the batch size must be at least 1, got {batch_size}")
    if not getattr(x, "shape", ()) or not len(x):
        raise ValueError(
            "x must be an array of examples [examples, …], in memory or a LazyArray, got "
            f"{type(x).__name__} of shape {list(getattr(x, 'shape', ()))}"
        )


def _check_folder(folder: Path) -> None:
    """Refuse a folder with files of others, in which shards would be lost."""
    if not folder.exists():
        return
    known = (MANIFEST, UNFINISHED, ".lock")
    for path in folder.iterdir():
        name = path.name.removesuffix(".partial")
        if name not in known and not name.startswith("activations_"):
            raise FileExistsError(f"{folder} contains {path.name}: choose an empty folder as out")


def _digest(params: Any) -> str:
    """Digest of all arrays of a tree, by their paths; random keys count by their data."""
    return fingerprint_arrays(
        {
            jax.tree_util.keystr(path): np.asarray(
                jax.random.key_data(leaf)
                if jnp.issubdtype(getattr(leaf, "dtype", float), jax.dtypes.prng_key)
                else leaf
            )
            for path, leaf in jax.tree_util.tree_leaves_with_path(params)
        }
    )


def _input_digest(x: Array | np.ndarray | LazyArray) -> str:
    """Digest of inputs in memory, or of evenly spaced ones of a stream."""
    if isinstance(x, LazyArray):
        sampled = np.linspace(0, len(x) - 1, MAX_FINGERPRINT_EXAMPLES).astype(int)
        return fingerprint_arrays({"x": x[np.unique(sampled)]})
    return fingerprint_arrays({"x": x})
