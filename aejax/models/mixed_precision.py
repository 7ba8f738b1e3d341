"""Mixed precision: computation in bfloat16 with parameters in float32."""

from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from aejax.promotion import promote_dtypes
from aejax.types import Array, Autoencoder, Code, Params


def mixed_precision(model: Autoencoder, *, compute: DTypeLike = jnp.bfloat16) -> Autoencoder:
    """Run an autoencoder in low precision, with parameters and results in full precision.

    Parameters and inputs are cast to `compute`; codes and outputs are cast back. So losses,
    penalties, gradients and optimiser state keep the precision of the parameters. Arrays that are
    not floating point are not cast. bfloat16 has the range of float32, so no loss scaling is
    needed. Matrix products of dense layers accumulate in float32 (`layers.low_precision`), as AMX
    and tensor cores do.

    Args:
        model: any autoencoder.
        compute: dtype of the computation.

    Returns:
        An `Autoencoder` with the parameters of the model.

    Source: Micikevicius et al. 2018, §3.1.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> model = aejax.mixed_precision(aejax.dense((8, 3)))
        >>> params = model.init(jax.random.key(0))
        >>> model.encode(params, jnp.ones((4, 8))).dtype
        dtype('float32')
    """

    def encode(params: Params, x: Array) -> Code:
        return _cast(model.encode(_cast(params, compute), _cast(x, compute)), x.dtype)

    def decode(params: Params, code: Code) -> Array:
        output = model.decode(_cast(params, compute), _cast(code, compute))
        dtypes = [leaf.dtype for leaf in jax.tree.leaves(params) if _is_floating(leaf)]
        return _cast(output, reduce(promote_dtypes, dtypes))

    return Autoencoder(model.init, encode, decode)


def _cast(tree: Any, dtype: DTypeLike) -> Any:
    return jax.tree.map(lambda leaf: leaf.astype(dtype) if _is_floating(leaf) else leaf, tree)


def _is_floating(leaf: Array) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jnp.floating))
