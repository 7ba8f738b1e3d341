"""Restart of codewords that hardly any code uses, from codes of the encoder."""

import math

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer

from aejax.data.array_checks import check_array
from aejax.hyperparameters import check_range
from aejax.keys import typed_key
from aejax.layers.codebooks import (
    SelectQuantised,
    codebook_of,
    levels_of,
    selected_quantised,
    whole_code,
)
from aejax.objectives import Objective
from aejax.training.batches import as_jax_batch, check_batch_size
from aejax.training.steps import TrainState
from aejax.types import Array, Autoencoder, BatchLike, Key, KeyLike, Params


def restart_codewords(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    data: BatchLike,
    key: KeyLike,
    *,
    dead_below: float | Array = 0.01,
    batch_size: int = 1024,
    select: SelectQuantised = whole_code,
) -> TrainState:
    """Replace codewords that the data hardly use by codes of random examples.

    A codeword is dead if its share of all codes is below a fraction of the uniform share 1/K. It
    becomes the continuous code at a random position (the residual, for a level of a residual
    quantiser), without replacement as long as there are enough. The optimizer's moments of its row
    become 0, and its mean usage too, so that its average starts again. All else stays as it is. The
    function is pure and can be jitted. With `dead_below=math.inf` all codewords are replaced, a
    start from the data.

    Args:
        objective: objective of a vector-quantised model, plain or residual.
        optimizer: optimizer of the state.
        state: state before training or after some epochs.
        data: examples whose usage is counted and whose codes are drawn, a `Batch` or x alone.
        key: PRNG key of the draw.
        dead_below: fraction of the uniform share below which a codeword is dead.
        batch_size: number of examples that are encoded at a time.
        select: code -> the `Quantised` of the code's pytree (default: the code itself).

    Returns:
        The state with the same step and epoch.

    Raises:
        ValueError: if the fraction is not positive, the batch size is less than 1, the model has no
            codebook or another code, or concrete data are empty or not finite.

    Source: Dhariwal et al. 2020, §3.1 (random restarts).

    Example:
        >>> import aejax, jax, optax
        >>> from aejax import evaluation, losses, models, training
        >>> base = aejax.dense((8, 3), code_activation=jax.nn.identity)
        >>> model = models.vector_quantised(base, codewords=16, channels=3)
        >>> objective, optimizer = aejax.objective(model, losses.squared), optax.adam(1e-3)
        >>> x = jax.random.normal(jax.random.key(0), (200, 8))
        >>> state = training.init_state(objective, optimizer, 0)
        >>> after = training.restart_codewords(objective, optimizer, state, x, 1)
        >>> used = [evaluation.codebook_usage(model.encode(each.params, x).indices, codewords=16)
        ...         .used for each in (state, after)]
        >>> bool(used[0] < used[1])
        True
    """
    check_range("dead_below", dead_below, 1e-30, math.inf)
    params = state.params
    codebook = codebook_of(params)
    tables = codebook.reshape(-1, *codebook.shape[-2:])
    x, batch_size = as_jax_batch(data).x, check_batch_size(batch_size)
    if not isinstance(x, Tracer):  # a NaN among the drawn codes would be a codeword
        check_array(x)
    residuals, indices = _levels(objective.model, params, x, select, batch_size)
    keys = jax.random.split(typed_key(key), tables.shape[0])
    dead = jax.vmap(_is_dead, in_axes=(0, None, None))(indices, tables.shape[1], dead_below)
    drawn = jax.vmap(_draw, in_axes=(0, 0, None))(keys, residuals, tables.shape[1])
    dead, drawn = dead.reshape(codebook.shape[:-1]), drawn.reshape(codebook.shape)
    masks = _masks(params, dead)
    new = params | {"quantiser": {"codebook": drawn.astype(codebook.dtype)}}
    if "usage" in params["quantiser"]:
        new["quantiser"]["usage"] = jnp.zeros_like(params["quantiser"]["usage"])

    def without_moments(moment: Array, mask: Array) -> Array:
        return jnp.where(mask, jnp.zeros_like(moment), moment)

    return state._replace(
        params=jax.tree.map(jnp.where, masks, new, params),
        optimizer_state=optax.tree.map_params(
            optimizer, without_moments, state.optimizer_state, masks
        ),
    )


def _levels(
    model: Autoencoder, params: Params, x: Array, select: SelectQuantised, batch_size: int
) -> tuple[Array, Array]:
    """Residuals, [depth, examples × positions, channels], and indices without the last axis."""

    def levels(example: Array) -> tuple[Array, Array]:
        found = levels_of(params, selected_quantised(model.encode(params, example[None]), select))
        return found.residuals[:, 0], found.indices[:, 0]

    residuals, indices = jax.lax.map(levels, x, batch_size=batch_size)
    depth, channels = residuals.shape[1], residuals.shape[-1]
    residuals = jnp.moveaxis(residuals, 1, 0).reshape(depth, -1, channels)
    return residuals, jnp.moveaxis(indices, 1, 0).reshape(depth, -1)


def _is_dead(indices: Array, codewords: int, dead_below: float | Array) -> Array:
    """Whether each codeword has less than a fraction of the uniform share, [codewords]."""
    counts = jnp.bincount(indices, length=codewords)
    return counts.astype(float) < dead_below * (indices.size / codewords)


def _draw(key: Key, residuals: Array, codewords: int) -> Array:
    """Residuals at random positions, [codewords, channels]."""
    positions = residuals.shape[0]
    return residuals[jax.random.choice(key, positions, (codewords,), replace=positions < codewords)]


def _masks(params: Params, dead: Array) -> Params:
    """Masks of the elements of each parameter that belong to dead codewords."""
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, bool), params)
    quantiser = {
        name: jnp.broadcast_to(dead[..., None] if name == "codebook" else dead, leaf.shape)
        for name, leaf in params["quantiser"].items()
    }
    return nothing | {"quantiser": quantiser}
