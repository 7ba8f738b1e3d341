"""The objective: one pass through the model, and the one place where terms are reduced and summed.

Every element-wise loss is summed over features, every per-example term averaged over the batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
    check_weighted_penalty,
)
from aejax.keys import typed_key
from aejax.promotion import promote_arrays
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
)


@dataclass(frozen=True, eq=False)  # compared and hashed by identity, so that jit can hold it
class Objective:
    """What training minimises. Call it: (params, batch, key) -> (scalar, terms by name).

    J = mean_b Σ_i weight_bi ℓ(output, target)_bi + Σ_j λ_j Ω_j

    terms holds "reconstruction" and every penalty Ω_j by its name, unweighted.
    """

    model: Autoencoder
    loss: Loss
    augmentation: Augmentation | None
    corruption: Corruption | None
    perturbation: Perturbation | None
    penalties: Mapping[str, tuple[float | Array, Penalty]]

    def __call__(
        self, params: Params, batch: BatchLike, key: KeyLike
    ) -> tuple[Array, dict[str, Array]]:
        """The weighted sum of all terms, and each term unweighted."""
        record = forward(self, params, batch, key)
        terms = {"reconstruction": jnp.mean(reconstruction_losses(self.loss, record))}
        total = terms["reconstruction"]
        for name, (weight, penalty) in self.penalties.items():
            value = penalty(record)
            check_penalty(name, value, record.batch.x.shape[0])
            terms[name] = jnp.mean(value)
            total = total + jnp.asarray(weight, total.dtype) * terms[name]
        return total, terms


def objective(
    model: Autoencoder,
    loss: Loss,
    *,
    augmentation: Augmentation | None = None,
    corruption: Corruption | None = None,
    perturbation: Perturbation | None = None,
    penalties: Mapping[str, tuple[float | Array, Penalty]] | None = None,
) -> Objective:
    """Compose a model, a loss, what happens to inputs and codes, and weighted penalties.

    Args:
        model: the autoencoder.
        loss: the reconstruction loss with its link.
        augmentation: what takes the place of x, as input and as target.
        corruption: what happens to x before it is encoded; the target stays clean.
        perturbation: what happens to the code before it is decoded.
        penalties: name -> (weight λ, penalty Ω). Weights may be traced.

    Returns:
        The `Objective`, to be called as (params, batch, key) -> (scalar, terms by name).

    Raises:
        ValueError: for a penalty called "reconstruction" or "loss", without a weight, or whose
            weight is not one number; for a component of another kind, such as a factory in the
            place of what it returns; and from the call, as `forward` and `reconstruction_losses`,
            and for a penalty that returns neither a scalar nor one value for each example.

    Source: Goodfellow, Bengio & Courville 2016, §14.2.
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
        raise ValueError(f"a penalty cannot be called {reserved.pop()!r}: the objective uses it")
    for name, weighted in penalties.items():
        check_weighted_penalty(name, weighted)
    return Objective(model, loss, augmentation, corruption, perturbation, penalties)


def forward(objective: Objective, params: Params, batch: BatchLike, key: KeyLike) -> Pass:
    """One pass: augmentation, corruption, encode, perturbation, decode.

    Args:
        objective: the composition.
        params: the model's parameters.
        batch: examples, a `Batch` or x alone; x is [batch, *input], floating point.
        key: split here, once, among corruption, perturbation and penalties, and before them an
            augmentation.

    Returns:
        The `Pass`.

    Raises:
        ValueError: for an empty batch, an x that is not floating point, an augmentation of examples
            that have targets or weights of their own, an augmentation, corruption or perturbation
            that changes shape or dtype, or an output that is not one for each example.
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
    return Pass(model, params, batch, key_penalties, x_corrupted, code, latent, output)


def noiseless(objective: Objective) -> Objective:
    """The same objective on examples and codes as they are: what validation measures.

    Args:
        objective: any objective.

    Returns:
        It, without augmentation, corruption and perturbation.
    """
    return replace(objective, augmentation=None, corruption=None, perturbation=None)


def reconstruct(objective: Objective, params: Params, x: Array) -> Array:
    """Reconstruction x̂ = g(decode(encode(x))), without corruption or perturbation.

    Args:
        objective: gives the model and the loss's link g.
        params: the model's parameters.
        x: [batch, *input].

    Returns:
        x̂, [batch, *output].
    """
    model = objective.model
    return objective.loss.mean(model.decode(params, model.encode(params, x)))


def reconstruction_losses(loss: Loss, record: Pass) -> Array:
    """Reconstruction loss of each example: Σ_i weight_i ℓ(output, target)_i.

    Args:
        loss: the element-wise loss.
        record: one pass.

    Returns:
        One value an example: [batch].

    Raises:
        ValueError: for a loss that returns another shape than the target's, an output with fewer
            elements than the target, or weights that are neither [batch] nor of the target's axes.
    """
    target = record.batch.x if record.batch.target is None else record.batch.target
    if not jnp.issubdtype(target.dtype, jnp.floating):
        if target.shape == record.output.shape:  # bits or counts
            target = target.astype(record.output.dtype)
        elif target.dtype == jnp.bool_:  # labels of two classes
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
            "an augmentation moves x alone, and these examples have targets or weights of their "
            "own: leave them or the augmentation out"
        )
    x = augmentation(key, batch.x)
    check_shape_and_dtype("augmentation", batch.x, x)
    return Batch(x)


def _check_batch(batch: Batch) -> None:
    if batch.x.ndim < 1:
        raise ValueError(f"x must be [batch, *input], got the single value {batch.x}")
    if batch.x.shape[0] == 0:
        raise ValueError(f"the batch is empty: x has shape {list(batch.x.shape)}")
    if not jnp.issubdtype(batch.x.dtype, jnp.floating):
        raise ValueError(
            f"x must be floating point, got {batch.x.dtype}; scale it first (aejax.data.normalise)"
        )
