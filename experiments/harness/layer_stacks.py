"""Layers for greedy pretraining: stacks of Boltzmann machines and of denoising autoencoders."""

from collections.abc import Sequence
from itertools import pairwise

import jax
import optax

import aejax
from aejax import Objective, corruptions, losses, penalties, training
from aejax.models.boltzmann import RBM, bernoulli, gaussian, mean_field


def rbm_stack(
    sizes: Sequence[int], *, examples: int, batch_size: int
) -> list[tuple[Objective, optax.GradientTransformation]]:
    """Objective and optimizer of each layer as a restricted Boltzmann machine.

    The recipe is that of Hinton & Salakhutdinov 2006 (supporting material): probabilities as
    visible units, a linear code, CD-1, an L2 penalty of 1e-4, and momentum that increases after
    five epochs.

    Args:
        sizes: units of the encoder's layers.
        examples: number of training examples, which determines the length of an epoch.
        batch_size: examples per step.

    Returns:
        One pair per layer, as `training.pretrain` expects them.
    """
    switch = 5 * -(-examples // batch_size)
    decay = {"decay": (1e-4, penalties.l2())}
    *hidden, last = pairwise(sizes)
    layers = [(pair, RBM(mean_field(bernoulli)), 0.1) for pair in hidden]
    layers.append((last, RBM(mean_field(bernoulli), gaussian), 0.01))
    return [
        (
            training.rbm_objective(pair, rbm, penalties=decay),
            training.rbm_optimizer(learning_rate=rate, switch=switch),
        )
        for pair, rbm, rate in layers
    ]


def denoising_stack(
    sizes: Sequence[int],
) -> list[tuple[Objective, optax.GradientTransformation]]:
    """Objective and optimizer of each layer as a denoising autoencoder, with a linear code."""
    *hidden, last = pairwise(sizes)
    models = [*map(aejax.dense, hidden), aejax.dense(last, code_activation=jax.nn.identity)]
    corruption = corruptions.masking(rate=0.1)
    return [
        (aejax.objective(model, losses.bernoulli, corruption=corruption), optax.adam(3e-3))
        for model in models
    ]
