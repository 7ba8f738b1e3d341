"""Training objectives: the forward pass, and the reduction of loss and penalties to a scalar.

All reduction happens here: elementwise losses are summed over features, and per-example terms are
averaged over the batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from aejax.batch_inputs import as_batch
from aejax.contracts import (
    broadcastable_weight,
    check_callable,
    check_components,
    check_losses,
    check_output,
    check_penalty,
    check_shape_and_dtype,
    check_statistics,
    check_tracker,
    check_weighted_penalty,
)
from aejax.keys import typed_key
from aejax.promotion import promote_arrays
from aejax.repr_text import record_text
from aejax.types import (
    Array,
    Augmentation,
    Autoencoder,
    Batch,
    BatchLike,
    Corruption,
    Key,
    KeyLike,
    Loss,
    Params,
    Pass,
    Penalty,
    Perturbation,
    Tracked,
    Tracker,
)


# Hashed by identity, so that it can be a static jit argument.
@dataclass(frozen=True, eq=False, repr=False)
class Objective:
    """The function to minimise, callable as (params, batch, key) -> (scalar, terms).

    J = mean_b Σ_i weight_bi ℓ(output, target)_bi + Σ_j λ_j Ω_j

    `terms` maps "reconstruction" and the name of each penalty Ω_j to its unweighted value.
    """

    model: Autoencoder
    loss: Loss
    augmentation: Augmentation | None
    corruption: Corruption | None
    perturbation: Perturbation | None
    penalties: Mapping[str, tuple[float | Array, Penalty]]
    tracker: Tracker | None

    def __repr__(self) -> str:
        return record_text(self)

    def __call__(
        self, params: Params, batch: BatchLike, key: KeyLike
    ) -> tuple[Array, dict[str, Array]]:
        """Return the weighted sum of all terms, and the unweighted terms by name."""
        total, (terms, _) = loss_and_statistics(self, params, batch, key)
        return total, terms


def objective(
    model: Autoencoder,
    loss: Loss,
    *,
    augmentation: Augmentation | None = None,
    corruption: Corruption | None = None,
    perturbation: Perturbation | None = None,
    penalties: Mapping[str, tuple[float | Array, Penalty]] | None = None,
    tracker: Tracker | None = None,
) -> Objective:
    """Compose an autoencoder, a loss, optional noise and weighted penalties into an `Objective`.

    Args:
        model: the autoencoder.
        loss: reconstruction loss with its link function.
        augmentation: random transformation of x, used as both input and target.
        corruption: noise on the input of the encoder; the target stays clean.
        perturbation: noise on the code before it is decoded.
        penalties: name -> (weight λ, penalty Ω). Weights may be traced.
        tracker: state beside the parameters, which penalties see as `Pass.tracked`.

    Returns:
        The `Objective`, callable as (params, batch, key) -> (scalar, terms).

    Raises:
        ValueError: if a penalty is named "reconstruction" or "loss", or is not a pair of a scalar
            weight and a function; if a component has the wrong type or signature, such as a factory
            instead of its result. The call raises it as `forward` and `reconstruction_losses` do,
            and if a penalty returns neither a scalar nor one value per example.

    Source: Goodfellow, Bengio & Courville 2016, §14.2.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> penalties = {"l2": (1e-4, aejax.penalties.l2())}
        >>> objective = aejax.objective(
        ...     aejax.dense((8, 3)), aejax.losses.bernoulli, penalties=penalties)
        >>> params = objective.model.init(jax.random.key(0))
        >>> value, terms = objective(params, jnp.full((4, 8), 0.5), jax.random.key(1))
        >>> sorted(terms)
        ['l2', 'reconstruction']
    """
    check_components(model, loss)
    for name, function, arguments in (
        ("augmentation", augmentation, "key x"),
        ("corruption", corruption, "key x"),
        ("perturbation", perturbation, "key code"),
    ):
        if function is not None:
            check_callable(name, function, arguments)
    penalties = dict(penalties or {})
    reserved = penalties.keys() & {"reconstruction", "loss"}
    if reserved:
        raise ValueError(
            f"a penalty cannot be called {reserved.pop()!r}: the name is reserved; rename it"
        )
    for name, weighted in penalties.items():
        check_weighted_penalty(name, weighted)
    check_tracker(tracker)
    return Objective(model, loss, augmentation, corruption, perturbation, penalties, tracker)


def forward(
    objective: Objective,
    params: Params,
    batch: BatchLike,
    key: KeyLike,
    tracked: Tracked = None,
) -> Pass:
    """Run one forward pass: augmentation, corruption, encode, perturbation, decode.

    Args:
        objective: the composed objective.
        params: parameters of the model.
        batch: a `Batch`, or x alone; x is [batch, *input] with a floating-point dtype.
        key: PRNG key, split among augmentation, corruption, perturbation and penalties.
        tracked: state of the objective's tracker (default: its initial state).

    Returns:
        The record of the pass.

    Raises:
        ValueError: if the batch is empty or x is not floating point; if there is an augmentation
            and the batch has targets or weights; if an augmentation, corruption or perturbation
            changes shape or dtype; if output or target differs from x in batch size.
    """
    batch = jax.tree.map(jnp.asarray, as_batch(batch, "the batch"))
    _check_batch(batch)
    key = typed_key(key)
    if objective.augmentation is not None:
        key, key_augmentation = jax.random.split(key)
        batch = _augmented(objective.augmentation, batch, key_augmentation)
    key_corruption, key_perturbation, key_penalties = jax.random.split(key, 3)
    model, corruption, perturbation = objective.model, objective.corruption, objective.perturbation
    x_corrupted = batch.x if corruption is None else corruption(key_corruption, batch.x)
    check_shape_and_dtype("corruption", batch.x, x_corrupted)
    code = model.encode(params, x_corrupted)
    latent = code if perturbation is None else perturbation(key_perturbation, code)
    check_shape_and_dtype("perturbation", code, latent)
    output = model.decode(params, latent)
    check_output(batch, output)
    if tracked is None and objective.tracker is not None:
        tracked = objective.tracker.init(params)
    return Pass(model, params, batch, key_penalties, x_corrupted, code, latent, output, tracked)


def loss_and_statistics(
    objective: Objective,
    params: Params,
    batch: BatchLike,
    key: KeyLike,
    tracked: Tracked = None,
) -> tuple[Array, tuple[dict[str, Array], Any]]:
    """Value of an objective, with its terms and the statistics of its tracker.

    Args:
        objective: the composed objective.
        params: parameters of the model.
        batch: a `Batch`, or x alone; x is [batch, *input].
        key: PRNG key of the noise.
        tracked: state of the objective's tracker (default: its initial state).

    Returns:
        The weighted sum of all terms, and (unweighted terms by name, statistics). The statistics
        have no gradient; they are None without a tracker.

    Raises:
        ValueError: as the call of the objective; if the statistics are not floating point.
    """
    record = forward(objective, params, batch, key, tracked)
    terms = {"reconstruction": jnp.mean(reconstruction_losses(objective.loss, record))}
    total = terms["reconstruction"]
    for name, (weight, penalty) in objective.penalties.items():
        value = penalty(record)
        check_penalty(name, value, record.batch.x.shape[0])
        terms[name] = jnp.mean(value)
        total = total + jnp.asarray(weight, total.dtype) * terms[name]
    statistics = None if objective.tracker is None else objective.tracker.measure(record)
    check_statistics(statistics)
    return total, (terms, jax.lax.stop_gradient(statistics))


def noiseless(objective: Objective) -> Objective:
    """Remove augmentation, corruption and perturbation, for validation.

    Args:
        objective: any objective.

    Returns:
        The noise-free objective, with the same model, loss and penalties.
    """
    return replace(objective, augmentation=None, corruption=None, perturbation=None)


def reconstruct(objective: Objective, params: Params, x: Array) -> Array:
    """Reconstruction x̂ = g(decode(encode(x))), without corruption or perturbation.

    Args:
        objective: objective with the model and the link function g.
        params: parameters of the model.
        x: clean input, [batch, *input].

    Returns:
        x̂, [batch, *output].

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> objective = aejax.objective(aejax.dense((8, 3)), aejax.losses.bernoulli)
        >>> params = objective.model.init(jax.random.key(0))
        >>> aejax.reconstruct(objective, params, jnp.zeros((4, 8))).shape
        (4, 8)
    """
    model = objective.model
    return objective.loss.mean(model.decode(params, model.encode(params, x)))


def target_of(record: Pass) -> Array:
    """Target of the loss: that of the batch, or its clean x.

    Args:
        record: record of a forward pass.

    Returns:
        The target, [batch, *output].
    """
    return record.batch.x if record.batch.target is None else record.batch.target


def reconstruction_losses(loss: Loss, record: Pass) -> Array:
    """Reconstruction loss of each example: Σ_i weight_i ℓ(output, target)_i.

    Args:
        loss: the elementwise loss.
        record: record of a forward pass.

    Returns:
        One value per example, [batch].

    Raises:
        ValueError: if the loss does not return the shape of the target, the output has fewer
            elements than the target, or the weights fit neither [batch] nor the target's axes.
    """
    target = target_of(record)
    if not jnp.issubdtype(target.dtype, jnp.floating):
        if target.shape == record.output.shape:  # binary values or counts
            target = target.astype(record.output.dtype)
        elif target.dtype == jnp.bool_:  # binary class labels
            target = target.astype(jnp.int32)
    losses = loss.elementwise(record.output, target)
    check_losses(record.output, target, losses)
    if record.batch.weight is not None:
        losses, weight = promote_arrays(losses, broadcastable_weight(losses, record.batch.weight))
        losses = losses * weight
    return jnp.sum(losses, axis=range(1, losses.ndim))


def _augmented(augmentation: Augmentation, batch: Batch, key: Key) -> Batch:
    if batch.target is not None or batch.weight is not None:
        raise ValueError(
            "an augmentation transforms only x, but the batch has targets or weights; "
            "remove them, or the augmentation"
        )
    x = augmentation(key, batch.x)
    check_shape_and_dtype("augmentation", batch.x, x)
    return Batch(x)


def _check_batch(batch: Batch) -> None:
    if batch.x.ndim < 1:
        raise ValueError(f"x must be [batch, *input], got the scalar {batch.x}")
    if batch.x.shape[0] == 0:
        raise ValueError(f"the batch is empty: x has shape {list(batch.x.shape)}")
    if not jnp.issubdtype(batch.x.dtype, jnp.floating):
        raise ValueError(
            f"x must be floating point, got {batch.x.dtype}; scale it first (aejax.data.normalise)"
        )
