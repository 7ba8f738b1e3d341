"""Mixed precision: a model computes in fewer bits than its parameters are kept in."""

from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from aejax.promotion import promote_dtypes
from aejax.types import Array, Autoencoder, Code, Params


def mixed_precision(model: Autoencoder, *, compute: DTypeLike = jnp.bfloat16) -> Autoencoder:
    """The same autoencoder, computed in `compute` between parameters and results of full precision.

    Parameters and inputs are rounded on their way in, codes and outputs cast back on their way
    out: so the loss and the penalties on codes are reduced in the precision of the parameters, and
    gradients, optimiser state and updates keep it. Arrays that are not floating point pass as they
    are. bfloat16 has float32's range, so the loss needs no scaling. Products of dense layers are
    summed in float32 (`products`), which is what matrix units do, on processors too.

    Args:
        model: any.
        compute: dtype of its multiplications and activations.

    Returns:
        An `Autoencoder` with the model's params.

    Source: Micikevicius et al. 2018, §3.1.
    """

    def encode(params: Params, x: Array) -> Code:
        return _cast(model.encode(_cast(params, compute), _cast(x, compute)), x.dtype)

    def decode(params: Params, code: Code) -> Array:
        output = model.decode(_cast(params, compute), _cast(code, compute))
        kept = [leaf.dtype for leaf in jax.tree.leaves(params) if _floating(leaf)]
        return _cast(output, reduce(promote_dtypes, kept))

    return Autoencoder(model.init, encode, decode)


def _cast(tree: Any, dtype: DTypeLike) -> Any:
    return jax.tree.map(lambda leaf: leaf.astype(dtype) if _floating(leaf) else leaf, tree)


def _floating(leaf: Array) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jnp.floating))
