"""Resampling of dead units of a dictionary: new directions, without the optimizer's memory."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

from aejax.batch_inputs import as_batch
from aejax.contracts import describe
from aejax.hyperparameters import as_integer, check_range
from aejax.keys import typed_key
from aejax.layers.dictionary_layers import encoder_of, output_bias
from aejax.models.example_normalisation import NormalisedCode
from aejax.objectives import Objective, forward, noiseless, reconstruction_losses
from aejax.training.steps import TrainState
from aejax.types import Array, Batch, BatchLike, Key, KeyLike, Params


def resample(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    data: BatchLike,
    key: KeyLike,
    *,
    dead_after: int,
    encoder_norm: float = 0.2,
    batch_size: int = 1024,
) -> TrainState:
    """Replace dead units by directions of badly reconstructed examples.

    For each dead unit an example is drawn with probability proportional to its squared loss. Its
    direction (x − c) / ‖x − c‖ becomes the row of W_d and, times a fraction of the mean norm of
    other units, the column of W_e. The bias becomes 0, and parameters of the activation start
    again. The optimizer's moments of these arrays become 0, and the units count as active. All
    else stays as it is. The function is pure and can be jitted.

    Args:
        objective: objective of a dictionary with the tracker `trackers.steps_since_active`.
        optimizer: optimizer of the state.
        state: state after some epochs.
        data: examples that directions are drawn from, a `Batch` or x alone.
        key: PRNG key of the draw.
        dead_after: number of steps without activity after which a unit is dead.
        encoder_norm: norm of new columns of W_e, as a fraction of the mean of other units.
        batch_size: number of examples whose losses are computed at a time.

    Returns:
        The state with the same step and epoch.

    Raises:
        ValueError: if `dead_after` is not an integer of at least 1, the fraction is not positive,
            the objective has no such tracker, the model is a transcoder, has no encoder or
            normalises each example, or the optimizer has moments of another shape than the
            parameters.

    Source: Bricken et al. 2023 (neuron resampling).
    """
    check_range("dead_after", as_integer("dead_after", dead_after), 1, math.inf)
    check_range("encoder_norm", encoder_norm, 1e-30, math.inf)
    params = state.params
    _check_dictionary(params, state.tracked)
    batch = jax.tree.map(jnp.asarray, as_batch(data))
    if isinstance(jax.eval_shape(objective.model.encode, params, batch.x[:1]), NormalisedCode):
        raise ValueError(
            "resample needs the examples as the encoder sees them, but the model normalises each "
            "example: normalise the data instead, and use the model in it"
        )
    dead = state.tracked >= dead_after
    key_examples, key_init = jax.random.split(typed_key(key))
    losses = _losses(noiseless(objective), params, batch, state.key, batch_size)
    directions = _directions(params, batch.x, losses, key_examples)
    fresh = objective.model.init(key_init)
    new = _new_units(params, fresh, directions, dead, encoder_norm)
    masks = _masks(params, dead)
    replaced = jax.tree.map(jnp.where, masks, new, params)

    return state._replace(
        params=replaced,
        optimizer_state=optax.tree.map_params(
            optimizer, _without_moments, state.optimizer_state, masks, is_leaf=_is_masked
        ),
        tracked=jnp.where(dead, 0, state.tracked),
    )


def _is_masked(moment: Any) -> bool:
    """Whether an optimizer has no moment of a parameter, which another one updates."""
    return isinstance(moment, optax.MaskedNode)


def _without_moments(moment: Any, mask: Array) -> Any:
    if _is_masked(moment):
        return moment
    if moment.shape != mask.shape:
        raise ValueError(
            f"resample cannot reset a moment of shape {list(moment.shape)} of a parameter of shape "
            f"{list(mask.shape)}, as of Adafactor: use an optimizer with moments of each element, "
            "such as Adam"
        )
    return jnp.where(mask, jnp.zeros_like(moment), moment)


def _check_dictionary(params: Params, tracked: object) -> None:
    encoder, decoder = encoder_of(params)["kernel"], params["decoder"]["kernel"]
    if encoder.shape != decoder.shape[::-1]:
        raise ValueError(
            "resample needs a dictionary, whose outputs are its inputs, but the kernels have "
            f"shapes {list(encoder.shape)} and {list(decoder.shape)}"
        )
    if getattr(tracked, "shape", None) != decoder.shape[:1]:
        raise ValueError(
            "resample needs the steps since each unit was active: train with tracker="
            f"aejax.trackers.steps_since_active({len(decoder)}), got {describe(tracked)}"
        )


def _losses(objective: Objective, params: Params, batch: Batch, key: Key, batch_size: int) -> Array:
    """Reconstruction loss of each example without noise, [examples]."""

    def loss(example: Batch) -> Array:
        one = jax.tree.map(lambda array: array[None], example)
        return reconstruction_losses(objective.loss, forward(objective, params, one, key))[0]

    return jax.lax.map(loss, batch, batch_size=batch_size)


def _directions(params: Params, x: Array, losses: Array, key: Key) -> Array:
    """Unit directions of examples drawn in proportion to squared losses, [units, features]."""
    units = params["decoder"]["kernel"].shape[0]
    chosen = jax.random.categorical(key, 2 * jnp.log(losses), shape=(units,))
    centred = x[chosen] - (output_bias(params) if "centre" in params else 0)
    norms = jnp.linalg.norm(centred, axis=1, keepdims=True)
    return centred / jnp.where(norms > 0, norms, 1)


def _new_units(
    params: Params, fresh: Params, directions: Array, dead: Array, encoder_norm: float
) -> Params:
    """Parameters in which every unit is new."""
    norms = jnp.linalg.norm(params["encoder"]["kernel"], axis=0)
    alive = jnp.where(jnp.all(dead), jnp.ones_like(dead), ~dead)
    scale = encoder_norm * jnp.sum(jnp.where(alive, norms, 0)) / jnp.sum(alive)
    kernels = {"kernel": (scale * directions).T.astype(norms.dtype)}
    decoder = params["decoder"] | {"kernel": directions.astype(norms.dtype)}
    return params | {"encoder": fresh["encoder"] | kernels, "decoder": decoder}


def _masks(params: Params, dead: Array) -> Params:
    """Masks of the elements of each parameter that belong to dead units."""
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, bool), params)
    encoder = {name: jnp.broadcast_to(dead, leaf.shape) for name, leaf in params["encoder"].items()}
    kernel = jnp.broadcast_to(dead[:, None], params["decoder"]["kernel"].shape)
    return nothing | {"encoder": encoder, "decoder": nothing["decoder"] | {"kernel": kernel}}
