"""Greedy layer-wise pretraining: each layer learns the codes of the one before; then all unroll.

A layer is any `Objective`: a shallow autoencoder (denoising, sparse, contractive …) or, with
`rbm_objective`, a restricted Boltzmann machine.
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
"""Where RBMs start: kernels N(0, 0.01²), biases zero (Hinton 2012, §8.1)."""

Layer = tuple[Objective, optax.GradientTransformation]
"""What one layer minimises, and how."""


def pretrain(
    layers: Sequence[Layer],
    x: Any,
    *,
    key: KeyLike,
    epochs: SupportsIndex,
    batch_size: SupportsIndex | None = None,
) -> tuple[list[Params], list[list[Record]]]:
    """Train layer after layer, each on the codes that the layers before it give the clean data.

    A layer's corruption and perturbation disturb its own training alone: the next layer sees codes
    of clean inputs.

    Args:
        layers: (objective, optimizer) of each layer, from the input up; every layer's input is as
            wide as the code below it.
        x: all examples, [examples, features].
        key: split into one key a layer.
        epochs: passes over the data, for each layer.
        batch_size: examples a step (default: 128, or all where they are fewer).

    Returns:
        The layers' params, for `unroll`, and their histories.

    Raises:
        ValueError: for no layers, or examples with targets or weights, which would mean nothing
            to the layers above; and as `fit`.
        NonFiniteLossError: as `fit`.

    Source: Bengio et al. 2007; Vincent et al. 2010 (denoising layers); Hinton & Salakhutdinov
        2006 (RBMs).
    """
    if not layers:
        raise ValueError("pretrain needs at least one layer, an (objective, optimizer), got none")
    batch = as_batch(x)
    if batch.target is not None or batch.weight is not None:
        raise ValueError(
            "pretrain takes x alone: each layer reconstructs its own input, so targets and weights "
            "of x have no meaning above the first; leave them out, or train layer by layer with fit"
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
    """The deep autoencoder of stacked ones: encoders in order, decoders in reverse.

    The params are those of `dense(sizes, …)` whose activation is the layers' own, and whose
    decoder's hidden activation is the layers' link: logistic layers with the Bernoulli loss, or
    binary RBMs, unroll into `dense(sizes)`; a linear code, from a Gaussian top layer, into
    `dense(sizes, code_activation=jax.nn.identity)`. Tied layers unroll into `tied=True`; `untied`
    gives their decoder transposed copies of its own. To train on from them, start the model
    there: `model._replace(init=lambda _: params)`.

    Args:
        layers: params of dense autoencoders, from the input up, of any depth each.

    Returns:
        Params of the deep autoencoder.

    Raises:
        ValueError: for no layers, layers of which some are tied and some not, or layers that do
            not fit on one another.

    Source: Hinton & Salakhutdinov 2006, fig. 1; Bengio et al. 2007.
    """
    _check_stack(layers)
    encoders = [layer for params in layers for layer in _in_order(params["encoder"])]
    decoders = [layer for params in layers[::-1] for layer in _in_order(params["decoder"])]
    return {"encoder": _named(encoders), "decoder": _named(decoders)}


def rbm_objective(
    sizes: tuple[int, int],
    rbm: RBM = RBM(),
    *,
    steps: int = 1,
    penalties: Mapping[str, tuple[float | Array, Penalty]] | None = None,
    initializers: Initializers = SMALL_NORMAL,
    dtype: DTypeLike = float,
) -> Objective:
    """A restricted Boltzmann machine as an `Objective`: CD-k and further penalties minimised.

    The model is the tied autoencoder of the machine's params: its code E[h | v], its link that of
    the visible units. The term "reconstruction" is the squared error of E[v | E[h | v]], watched
    and not minimised: it has no gradient.

    Args:
        sizes: (visible, hidden) units.
        rbm: their kinds. Hinton & Salakhutdinov's are `RBM(mean_field(bernoulli), bernoulli)`,
            and `RBM(mean_field(bernoulli), gaussian)` for a linear code.
        steps: k of CD-k.
        penalties: name -> (weight, penalty): weight decay, sparsity.
        initializers: how kernels and biases start.
        dtype: of the parameters; `float` is JAX's default.

    Returns:
        The `Objective`, for `fit`, `train` or `pretrain`.

    Raises:
        ValueError: for fewer than one step, a size below one, or a penalty with a reserved name.

    Source: Hinton & Salakhutdinov 2006, eq. 2.
    """
    penalties = dict(penalties or {})
    if "contrastive_divergence" in penalties:
        raise ValueError(
            "a penalty cannot be called 'contrastive_divergence': rbm_objective adds it; "
            "set its steps instead"
        )
    divergence = contrastive_divergence(rbm, steps=steps)
    return objective(
        dense(sizes, activation=rbm.hidden.mean, tied=True, initializers=initializers, dtype=dtype),
        _watched_error(rbm.visible),
        penalties={"contrastive_divergence": (1.0, divergence), **penalties},
    )


def rbm_optimizer(*, learning_rate: float, switch: int) -> optax.GradientTransformation:
    """Gradient descent whose momentum rises from 0.5 to 0.9: Δθ ← μ Δθ − η ∂, θ ← θ + Δθ.

    Hinton & Salakhutdinov's: batches of 100, η = 0.1 (0.001 where the hidden units are linear),
    the switch after five epochs, and weight decay 2 · 10⁻⁴ W, which is `penalties.l2()` with the
    weight 10⁻⁴, for its gradient is 2λW.

    Args:
        learning_rate: η.
        switch: the step from which the momentum is 0.9.

    Returns:
        The optax gradient transformation.

    Source: Hinton & Salakhutdinov 2006, supporting online material.
    """
    momentum = optax.piecewise_constant_schedule(0.5, {switch: 0.9 / 0.5})
    return optax.inject_hyperparams(optax.sgd)(learning_rate=learning_rate, momentum=momentum)


def _watched_error(visible: Units) -> Loss:
    def elementwise(output: Array, target: Array) -> Array:
        return jax.lax.stop_gradient(squared_error(visible.mean(output), target))

    return Loss(elementwise, visible.mean, visible.support)


def _in_order(layers: Params) -> list[Params]:
    return [layers[f"layer_{i}"] for i in range(len(layers))]


def _named(layers: Sequence[Params]) -> Params:
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
                f"a layer of {above.shape[0]} inputs does not fit on one of {below.shape[1]} units"
            )
