"""Codes of one logistic layer with different regularisers: denoising, sparse and contractive."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

import aejax
from aejax import Batch, corruptions, losses, penalties, training
from aejax.types import Params


class CodeSettings(Protocol):
    """Fields of a `Config` that determine the codes and their training."""

    hidden: int
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int


def train_regularised(
    settings: CodeSettings, levels: Sequence[Mapping[str, float]], x: np.ndarray
) -> Callable[[int], list[Params]]:
    """Function seed -> parameters of the encoder layer of each code, compiled once for all seeds.

    Args:
        settings: units and training settings.
        levels: masking rate "denoising", KL weight "sparse" (ρ = 0.05) and weight "contractive" of
            each code; zero omits a regulariser.
        x: training examples [examples, features] in [0, 1].
    """
    model = aejax.dense((x.shape[1], settings.hidden))
    batch = Batch(jnp.asarray(x))
    optimizer = optax.adam(settings.learning_rate)
    objectives = [
        aejax.objective(
            model,
            losses.bernoulli,
            corruption=corruptions.masking(rate=level["denoising"]),
            penalties={
                "KL": (level["sparse"], penalties.kl_sparsity(rho=0.05)),
                "contraction": (level["contractive"], penalties.contractive_logistic()),
            },
        )
        for level in levels
    ]

    def train(seed: int) -> list[Params]:
        states = [
            training.fit(
                objective, optimizer, batch, key=jax.random.key(settings.seed + seed),
                epochs=settings.epochs, batch_size=settings.batch_size,
            )[0]
            for objective in objectives
        ]  # fmt: skip
        return [state.params["encoder"]["layer_0"] for state in states]

    return train
