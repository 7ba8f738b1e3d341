"""Discrete codes: an autoencoder whose code is quantised, by a codebook or channel by channel."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from aejax.contracts import describe
from aejax.hyperparameters import as_integer
from aejax.layers.codebooks import (
    Quantised,
    codebook_of,
    codewords_of,
    quantise,
    straight_through_code,
)
from aejax.layers.scalar_quantisation import (
    count_values,
    finite_scalar,
    finite_scalar_values,
    sign_values,
    signs,
)
from aejax.types import Array, Autoencoder, Code, Key, Params

MAX_VALUES = 2**31
"""Maximum number of values of a code, whose indices are 32-bit integers."""


def vector_quantised(
    model: Autoencoder,
    *,
    codewords: int,
    channels: int,
    averaged: bool = False,
    dtype: DTypeLike = float,
) -> Autoencoder:
    """Replace each vector of the code by the nearest of K codewords (VQ-VAE).

    The gradient of the reconstruction passes to the encoder as if nothing were quantised, and not
    to the codebook. `penalties.commitment` keeps the encoder near the codewords, and
    `penalties.codebook` moves the codewords towards the codes that they replace: by the optimizer,
    or, with `averaged`, by exponential averages, `training.averaged_codebook(optimizer)`.

    Args:
        model: autoencoder with a code [batch, *positions, channels], usually without activation.
        codewords: number K of codewords.
        channels: number of channels of the code.
        averaged: whether the parameters have the mean usage of each codeword, which
            `training.averaged_codebook` needs and which no other optimizer may train.
        dtype: dtype of the codebook.

    Returns:
        An `Autoencoder` with the parameters of the model and {"quantiser": {"codebook": [K,
        channels]}}, uniform in ±1/K at first. Its code is a `Quantised`; `decode` also accepts
        indices [batch, *positions].

    Raises:
        ValueError: if a number is less than 1; from `init`, if the parameters are no dict or have a
            "quantiser"; from `encode`, for a code of another number of channels.

    Source: van den Oord, Vinyals & Kavukcuoglu 2017.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> base = aejax.dense((8, 3), code_activation=jax.nn.identity)
        >>> model = aejax.models.vector_quantised(base, codewords=16, channels=3)
        >>> params = model.init(jax.random.key(0))
        >>> code = model.encode(params, jnp.ones((4, 8)))
        >>> code.quantised.shape, code.indices.shape, model.decode(params, code.indices).shape
        ((4, 3), (4,), (4, 8))
    """
    shape = _checked_sizes(codewords=codewords, channels=channels)
    return _with_codebook(model, shape, averaged, dtype)


def residual_quantised(
    model: Autoencoder,
    *,
    depth: int,
    codewords: int,
    channels: int,
    averaged: bool = False,
    dtype: DTypeLike = float,
) -> Autoencoder:
    """Quantise the code by a sum of codewords, each the nearest to what the others left over.

    Args:
        model: autoencoder with a code [batch, *positions, channels], usually without activation.
        depth: number of codebooks.
        codewords: number K of codewords of each codebook.
        channels: number of channels of the code.
        averaged: as of `vector_quantised`.
        dtype: dtype of the codebooks.

    Returns:
        An `Autoencoder` with the parameters of the model and {"quantiser": {"codebook": [depth, K,
        channels]}}. Its code is a `Quantised` with indices [batch, *positions, depth].

    Raises:
        ValueError: as `vector_quantised`.

    Source: Zeghidour et al. 2021; Lee et al. 2022.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> base = aejax.dense((8, 3), code_activation=jax.nn.identity)
        >>> model = aejax.models.residual_quantised(base, depth=2, codewords=16, channels=3)
        >>> model.encode(model.init(jax.random.key(0)), jnp.ones((4, 8))).indices.shape
        (4, 2)
    """
    shape = _checked_sizes(depth=depth, codewords=codewords, channels=channels)
    return _with_codebook(model, shape, averaged, dtype)


def finite_scalar_quantised(model: Autoencoder, *, levels: Sequence[int]) -> Autoencoder:
    """Bound each channel of the code and round it to a few levels (FSQ).

    It needs no codebook and no penalty, and uses nearly all of its ∏_i L_i values.

    Args:
        model: autoencoder with a code [batch, *positions, channels] without activation, one channel
            per entry of `levels`.
        levels: number of levels L_i of each channel, at least 3; (8, 5, 5, 5) has 1000 values.

    Returns:
        An `Autoencoder` with the parameters of the model. Its code is a `Quantised`, whose
        continuous part is bounded; `decode` also accepts indices [batch, *positions].

    Raises:
        ValueError: if there are no levels or fewer than 3 in a channel, or more values than 2³¹;
            from `encode`, for a code of another number of channels.

    Source: Mentzer et al. 2024.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> base = aejax.dense((8, 2), code_activation=jax.nn.identity)
        >>> model = aejax.models.finite_scalar_quantised(base, levels=(5, 4))
        >>> code = model.encode(model.init(jax.random.key(0)), jnp.zeros((1, 8)))
        >>> code.quantised.shape, code.indices.tolist()
        ((1, 2), [12])
    """
    sizes = [as_integer("each of the levels", size) for size in levels]
    if not sizes or min(sizes) < 3:
        raise ValueError(
            f"finite_scalar_quantised needs at least 3 levels in each channel, got {sizes}; for 2 "
            "levels use lookup_free_quantised"
        )
    _check_count(count_values(sizes))
    return _quantised(
        model,
        len(sizes),
        lambda _, z: finite_scalar(z, levels=sizes),
        lambda _, indices: finite_scalar_values(indices, levels=sizes),
    )


def lookup_free_quantised(model: Autoencoder, *, bits: int) -> Autoencoder:
    """Replace each channel of the code by its sign, −1 or 1 (LFQ).

    `penalties.bit_entropy` makes each code certain and all codes equally frequent, and
    `penalties.commitment` keeps the channels near ±1.

    Args:
        model: autoencoder with a code [batch, *positions, bits] without activation.
        bits: number of channels; the code has 2^bits values.

    Returns:
        An `Autoencoder` with the parameters of the model. Its code is a `Quantised`; `decode` also
        accepts indices [batch, *positions].

    Raises:
        ValueError: if the number of bits is not from 1 to 30; from `encode`, for a code of another
            number of channels.

    Source: Yu et al. 2024.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> base = aejax.dense((8, 3), code_activation=jax.nn.identity)
        >>> model = aejax.models.lookup_free_quantised(base, bits=3)
        >>> code = model.encode(model.init(jax.random.key(0)), jnp.zeros((1, 8)))
        >>> code.quantised.tolist(), code.indices.tolist()
        ([[-1.0, -1.0, -1.0]], [0])
    """
    (count,) = _checked_sizes(bits=bits)
    _check_count(2**count)
    return _quantised(
        model,
        count,
        lambda _, z: signs(z),
        lambda _, indices: sign_values(indices, bits=count),
    )


def _with_codebook(
    model: Autoencoder, shape: Sequence[int], averaged: bool, dtype: DTypeLike
) -> Autoencoder:
    *usage, channels = shape
    limit = 1 / usage[-1]

    def init(key: Key) -> Params:
        key_model, key_codebook = jax.random.split(key)
        params = model.init(key_model)
        if not isinstance(params, dict) or "quantiser" in params:
            raise ValueError(
                "a codebook is added to a dict of parameters without 'quantiser', got "
                f"{describe(params)}"
            )
        codebook = jax.random.uniform(key_codebook, shape, dtype, -limit, limit)
        counts = {"usage": jnp.zeros(usage, dtype)} if averaged else {}
        return params | {"quantiser": {"codebook": codebook} | counts}

    def quantise_code(params: Params, z: Array) -> Quantised:
        codebook_of(params)
        return quantise(params["quantiser"], z)

    return _quantised(
        model._replace(init=init),
        channels,
        quantise_code,
        lambda params, indices: codewords_of(params["quantiser"], indices),
    )


def _quantised(
    model: Autoencoder,
    channels: int,
    quantise_code: Callable[[Params, Array], Quantised],
    values_of: Callable[[Params, Array], Array],
) -> Autoencoder:
    """Quantise the code of a model, which decodes with a straight-through gradient."""

    def encode(params: Params, x: Array) -> Quantised:
        z = model.encode(params, x)
        if getattr(z, "ndim", 0) < 2 or z.shape[-1] != channels:
            raise ValueError(
                f"the quantiser needs a code [batch, *positions, {channels}], but the model's is "
                f"{describe(z)}"
            )
        return quantise_code(params, z)

    def decode(params: Params, code: Code) -> Array:
        if isinstance(code, Quantised):
            return model.decode(params, straight_through_code(code))
        if not hasattr(code, "dtype") or not jnp.issubdtype(code.dtype, jnp.integer):
            raise ValueError(
                "a quantised model decodes the code of its encoder or an array of indices, got "
                f"{describe(code)}"
            )
        return model.decode(params, values_of(params, code))

    return Autoencoder(model.init, encode, decode)


def _checked_sizes(**sizes: int) -> tuple[int, ...]:
    found = {name: as_integer(name, size) for name, size in sizes.items()}
    for name, size in found.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")
    return tuple(found.values())


def _check_count(values: int) -> None:
    if values >= MAX_VALUES:
        raise ValueError(
            f"the code has {values} values, but its indices are 32-bit integers: use fewer levels "
            "or bits at each position, and more positions"
        )
