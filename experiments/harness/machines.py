"""The stack of machines that a deep logistic autoencoder is pretrained with."""

from collections.abc import Sequence
from itertools import pairwise

import optax

from aejax import Objective, penalties, training
from aejax.models.boltzmann import RBM, bernoulli, gaussian, mean_field


def machines(
    sizes: Sequence[int], *, examples: int, batch_size: int
) -> list[tuple[Objective, optax.GradientTransformation]]:
    """Each layer's objective and optimizer, as `training.pretrain` takes them.

    Probabilities as visible units, a linear code, one step of contrastive divergence, L2 of 1e-4,
    and momentum that rises after five epochs: the recipe of Hinton & Salakhutdinov 2006, in their
    supporting material.

    Args:
        sizes: units of the encoder's layers.
        examples: of the data, which decide when five epochs are over.
        batch_size: examples a step.

    Returns:
        One pair a layer.
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
