"""Greedy layer-wise pretraining, and unrolling of the layers into a deep autoencoder.

A layer is any `Objective`: a shallow autoencoder (denoising, sparse, contractive …) or a restricted
Boltzmann machine (`rbm_objective`).
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
import optax
from flax import linen
from jax.typing import DTypeLike

from aejax.batch_inputs import as_batch
from aejax.keys import typed_key
from aejax.losses import squared_error
from aejax.models.boltzmann import RBM, Units, contrastive_divergence
from aejax.models.dense import Initializers, dense
from aejax.objectives import Objective, objective
from aejax.training.fitting import fit
from aejax.training.records import Record
from aejax.types import Array, Batch, KeyLike, Loss, Params, Penalty

SMALL_NORMAL = Initializers(kernel=linen.initializers.normal(0.01))
"""Initialisers of RBMs: kernels N(0, 0.01²), biases zero (Hinton 2012, §8.1)."""

Layer = tuple[Objective, optax.GradientTransformation]
"""Objective and optimizer of a layer."""


def pretrain(
    layers: Sequence[Layer],
    x: Any,
    *,
    key: KeyLike,
    epochs: SupportsIndex,
    batch_size: SupportsIndex | None = None,
) -> tuple[list[Params], list[list[Record]]]:
    """Train layers one after another, each on the codes of the preceding layers.

    Codes are computed from clean inputs: corruption and perturbation of a layer affect only its own
    training.

    Args:
        layers: (objective, optimizer) of each layer, from the input up. The input size of a layer
            is the code size of the preceding one.
        x: all examples, [examples, features].
        key: PRNG key, split into one key per layer.
        epochs: number of epochs per layer.
        batch_size: number of examples per step (default: 128, or all examples if fewer).

    Returns:
        The parameters of the layers, for `unroll`, and their histories.

    Raises:
        ValueError: if there are no layers, or the examples have targets or weights, which later
            layers cannot use; and as `fit`.
        NonFiniteLossError: as `fit`.

    Source: Bengio et al. 2007; Vincent et al. 2010 (denoising layers); Hinton & Salakhutdinov
        2006 (RBMs).
    """
    if not layers:
        raise ValueError("pretrain needs at least one layer, an (objective, optimizer), got none")
    batch = as_batch(x)
    if batch.target is not None or batch.weight is not None:
        raise ValueError(
            "pretrain accepts only x: layers reconstruct their input, so later layers cannot use "
            "targets or weights; remove them, or train layer by layer with fit"
        )
    trained, histories = [], []
    x = jnp.asarray(batch.x)
    keys = jax.random.split(typed_key(key), len(layers))
    for (shallow, optimizer), key_layer in zip(layers, keys, strict=True):
        state, history = fit(
            shallow, optimizer, Batch(x), key=key_layer, epochs=epochs, batch_size=batch_size
        )
        trained.append(state.params)
        histories.append(history)
        x = jax.jit(shallow.model.encode)(state.params, x)
    return trained, histories


def unroll(layers: Sequence[Params]) -> Params:
    """Stack autoencoders into a deep one: encoders in order, decoders in reverse.

    The result fits `dense(sizes, activation=f)` if f is both activation and link function of the
    layers. So sigmoid layers with the Bernoulli loss and binary RBMs unroll into `dense(sizes)`;
    with a Gaussian top layer, whose code is linear, into
    `dense(sizes, code_activation=jax.nn.identity)`. Tied layers give parameters for `tied=True`;
    `untied` converts them. To continue training, replace the initialisation:
    `model._replace(init=lambda _: params)`.

    Args:
        layers: parameters of dense autoencoders of any depth, from the input up.

    Returns:
        Parameters of the deep autoencoder.

    Raises:
        ValueError: if there are no layers, tied and untied layers are mixed, or the sizes of
            adjacent layers differ.

    Source: Hinton & Salakhutdinov 2006, fig. 1; Bengio et al. 2007.
    """
    _check_stack(layers)
    encoders = [layer for params in layers for layer in _in_order(params["encoder"])]
    decoders = [layer for params in layers[::-1] for layer in _in_order(params["decoder"])]
    return {"encoder": _number_layers(encoders), "decoder": _number_layers(decoders)}


def rbm_objective(
    sizes: tuple[int, int],
    rbm: RBM = RBM(),
    *,
    steps: int = 1,
    penalties: Mapping[str, tuple[float | Array, Penalty]] | None = None,
    initializers: Initializers = SMALL_NORMAL,
    dtype: DTypeLike = float,
) -> Objective:
    """Objective of a restricted Boltzmann machine: CD-k plus optional penalties.

    The model is the tied autoencoder with the parameters of the RBM; its code is E[h | v]. The term
    "reconstruction", the squared error of E[v | E[h | v]], is for monitoring only and has no
    gradient.

    Args:
        sizes: numbers of (visible, hidden) units.
        rbm: types of the units. Hinton & Salakhutdinov use `RBM(mean_field(bernoulli), bernoulli)`,
            and `RBM(mean_field(bernoulli), gaussian)` for a linear code.
        steps: number of Gibbs steps k of CD-k.
        penalties: name -> (weight, penalty), for example weight decay or sparsity.
        initializers: initialisers of kernels and biases.
        dtype: dtype of the parameters; `float` is JAX's default.

    Returns:
        The `Objective`, for `fit`, `train` or `pretrain`.

    Raises:
        ValueError: if `steps` or a size is less than 1, or a penalty has a reserved name.

    Source: Hinton & Salakhutdinov 2006, eq. 2.
    """
    penalties = dict(penalties or {})
    if "contrastive_divergence" in penalties:
        raise ValueError(
            "a penalty cannot be called 'contrastive_divergence', which rbm_objective adds; "
            "set the argument steps instead"
        )
    divergence = contrastive_divergence(rbm, steps=steps)
    return objective(
        dense(sizes, activation=rbm.hidden.mean, tied=True, initializers=initializers, dtype=dtype),
        _monitored_error(rbm.visible),
        penalties={"contrastive_divergence": (1.0, divergence), **penalties},
    )


def rbm_optimizer(*, learning_rate: float, switch: int) -> optax.GradientTransformation:
    """Gradient descent with momentum μ = 0.5, later 0.9: Δθ ← μ Δθ − η ∂J/∂θ, θ ← θ + Δθ.

    Hinton & Salakhutdinov use batches of 100, η = 0.1 (0.001 for linear hidden units), the switch
    after five epochs, and weight decay 2 · 10⁻⁴ W, which is `penalties.l2()` with weight 10⁻⁴
    because its gradient is 2λW.

    Args:
        learning_rate: learning rate η.
        switch: first step with momentum 0.9.

    Returns:
        The optax gradient transformation.

    Source: Hinton & Salakhutdinov 2006, supporting online material.
    """
    momentum = optax.piecewise_constant_schedule(0.5, {switch: 0.9 / 0.5})
    return optax.inject_hyperparams(optax.sgd)(learning_rate=learning_rate, momentum=momentum)


def _monitored_error(visible: Units) -> Loss:
    def elementwise(output: Array, target: Array) -> Array:
        return jax.lax.stop_gradient(squared_error(visible.mean(output), target))

    return Loss(elementwise, visible.mean, visible.support)


def _in_order(layers: Params) -> list[Params]:
    return [layers[f"layer_{i}"] for i in range(len(layers))]


def _number_layers(layers: Sequence[Params]) -> Params:
    return {f"layer_{i}": layer for i, layer in enumerate(layers)}


def _check_stack(layers: Sequence[Params]) -> None:
    if not layers:
        raise ValueError("unroll needs the params of at least one layer, got none")
    tied = {"kernel" not in params["decoder"]["layer_0"] for params in layers}
    if len(tied) > 1:
        raise ValueError(
            "unroll needs layers that are all tied or all untied, got both; "
            "make the tied ones untied with aejax.untied"
        )
    kernels = [layer["kernel"] for params in layers for layer in _in_order(params["encoder"])]
    for below, above in itertools.pairwise(kernels):
        if below.shape[1] != above.shape[0]:
            raise ValueError(
                f"a layer of {above.shape[0]} inputs cannot follow one of {below.shape[1]} units"
            )
