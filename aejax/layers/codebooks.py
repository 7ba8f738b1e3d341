"""Vector quantisation: the nearest codewords of vectors, of one codebook or of several in sequence.

The parameters of a quantiser are {"codebook"}, [codewords, channels], or [depth, codewords,
channels] for a residual quantiser, whose levels quantise what the levels before them left over.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import export
from jaxtyping import Float, Int

from aejax.contracts import describe
from aejax.hyperparameters import check_range
from aejax.promotion import promote_arrays
from aejax.repr_text import record_text
from aejax.types import Array, Code, Params


class Quantised(NamedTuple):
    """Code before and after quantisation.

    continuous: output of the encoder, [batch, *positions, channels].
    quantised:  its discrete value with the same shape; the gradient reaches the codebook alone.
    indices:    index of the discrete value, [batch, *positions]; of a residual quantiser
                [batch, *positions, depth].
    """

    continuous: Array
    quantised: Array
    indices: Array

    def __repr__(self) -> str:
        return record_text(self)


export.register_namedtuple_serialization(Quantised, serialized_name="aejax.layers.Quantised")


SelectQuantised = Callable[[Code], Quantised]
"""Selects the `Quantised` of the code's pytree."""


def whole_code(code: Code) -> Any:
    """The code itself: the selection for a model whose code is not part of a tree.

    Args:
        code: code of a model.

    Returns:
        The same code.
    """
    return code


def selected_quantised(code: Code, select: SelectQuantised) -> Quantised:
    """Select the quantised part of a code.

    Args:
        code: code of a model.
        select: code -> its quantised part, such as `whole_code`.

    Returns:
        The `Quantised`.

    Raises:
        ValueError: if it is none.
    """
    selected = select(code)
    if not isinstance(selected, Quantised):
        raise ValueError(
            "this needs the code of models.vector_quantised, residual_quantised, "
            f"finite_scalar_quantised or lookup_free_quantised, got {describe(selected)}; if the "
            "code contains one, choose it with select="
        )
    return selected


def straight_through_code(code: Quantised) -> Array:
    """The quantised code, whose gradient reaches the continuous code unchanged, and no codebook.

    Args:
        code: continuous and quantised code.

    Returns:
        e with the gradient of z, exactly: sg[e] + (z − sg[z]).

    Source: van den Oord, Vinyals & Kavukcuoglu 2017, §3.2; Bengio, Léonard & Courville 2013.
    """
    z = code.continuous
    e = jax.lax.stop_gradient(code.quantised).astype(z.dtype)
    return e + (z - jax.lax.stop_gradient(z))


def nearest_codewords(
    z: Float[Array, "*positions channels"], codebook: Float[Array, "codewords channels"]
) -> Int[Array, "*positions"]:
    """Index of the codeword with the smallest Euclidean distance: argmin_k ‖z − e_k‖².

    Of equally distant codewords the first is chosen.

    Args:
        z: vectors.
        codebook: codewords e_k, one per row.

    Returns:
        Index of the nearest codeword of each vector.

    Source: van den Oord, Vinyals & Kavukcuoglu 2017, eq. 1.
    """
    z, codebook = promote_arrays(z, codebook)
    # A low precision of accelerators would confuse codewords that are close to each other.
    products = jnp.matmul(z, codebook.T, precision="highest")
    distances = jnp.sum(jnp.square(codebook), axis=1) / 2 - products  # up to a constant
    return jnp.argmin(distances, axis=-1).astype(jnp.int32)


def quantise(params: Params, z: Float[Array, "*positions channels"]) -> Quantised:
    """Replace each vector by its nearest codeword; for a residual quantiser level by level.

    Level d replaces z − Σ_{c<d} e_c, without the gradient of e_c, by its nearest codeword e_d, and
    the quantised code is Σ_d e_d.

    Args:
        params: {"codebook"}, [codewords, channels] or [depth, codewords, channels].
        z: continuous code.

    Returns:
        The `Quantised` code.

    Source: van den Oord, Vinyals & Kavukcuoglu 2017; Zeghidour et al. 2021, algorithm 1 (residual).
    """
    codebook = params["codebook"]
    if codebook.ndim == 2:
        indices = nearest_codewords(z, codebook)
        return Quantised(z, codebook[indices], indices)
    rest, entries, indices = z, [], []
    for level in codebook:
        indices.append(nearest_codewords(rest, level))
        entries.append(level[indices[-1]])
        rest, entry = promote_arrays(rest, jax.lax.stop_gradient(entries[-1]))
        rest = rest - entry
    return Quantised(z, sum(entries[1:], entries[0]), jnp.stack(indices, axis=-1))


def codewords_of(
    params: Params, indices: Int[Array, "*positions"]
) -> Float[Array, "*vectors channels"]:
    """Quantised code of indices, for example to decode sampled ones.

    Args:
        params: {"codebook"}, [codewords, channels] or [depth, codewords, channels].
        indices: indices of codewords, the last axis of length `depth` for a residual quantiser.

    Returns:
        The codewords, or their sums over the depth.

    Raises:
        ValueError: if a concrete index is not from 0 to K − 1.
    """
    codebook = params["codebook"]
    check_range("each index", indices, 0, codebook.shape[-2] - 1)
    if codebook.ndim == 2:
        return codebook[indices]
    return jnp.sum(entries_of_levels(codebook, jnp.moveaxis(indices, -1, 0)), axis=0)


class Levels(NamedTuple):
    """Levels of a quantised code; there is one level without a residual quantiser.

    residuals: input of each level, [depth, batch, *positions, channels], constant in the codebook.
    entries:   codeword that replaces it, likewise.
    indices:   its index, [depth, batch, *positions].
    """

    residuals: Array
    entries: Array
    indices: Array


def levels_of(params: Params, code: Quantised) -> Levels:
    """Input, codeword and index of each level of a code.

    Args:
        params: parameters of the model, with those of the quantiser at "quantiser".
        code: quantised code of these parameters.

    Returns:
        The `Levels`.

    Raises:
        ValueError: if the model has no codebook.
    """
    codebook = codebook_of(params)
    is_residual = codebook.ndim == 3
    indices = jnp.moveaxis(code.indices, -1, 0) if is_residual else code.indices[None]
    entries = entries_of_levels(codebook if is_residual else codebook[None], indices)
    z, constant = promote_arrays(code.continuous, jax.lax.stop_gradient(entries))
    return Levels(z - (jnp.cumsum(constant, axis=0) - constant), entries, indices)


def codebook_of(params: Params) -> Array:
    """Codebook of a vector-quantised model.

    Args:
        params: parameters of the model.

    Returns:
        The codebook, [codewords, channels] or [depth, codewords, channels].

    Raises:
        ValueError: if the model has none.
    """
    quantiser = params.get("quantiser", {}) if isinstance(params, dict) else {}
    if "codebook" not in quantiser:
        raise ValueError(
            "this needs the codebook of models.vector_quantised or residual_quantised at "
            f'params["quantiser"]["codebook"], but the parameters are {describe(params)}'
        )
    return quantiser["codebook"]


def entries_of_levels(
    tables: Float[Array, "depth codewords *entry"], indices: Int[Array, "depth *positions"]
) -> Float[Array, "depth *values"]:
    """Rows of one table per level.

    Args:
        tables: one table per level, such as codebooks.
        indices: indices of its rows.

    Returns:
        The rows, [depth, *positions, *entry].
    """
    return jax.vmap(lambda table, rows: table[rows])(tables, indices)
