"""Binary codes of documents: an autoencoder with noise on the logits of its bits."""

from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

import aejax
from aejax import Batch, corruptions, losses, training
from experiments.harness.hashing import Project
from experiments.harness.retrieval_tasks import centred_tf_idf
from experiments.harness.training import adam_with_cosine_decay


class BinarySettings(Protocol):
    """Fields of a `Config` that determine a binary code and its training."""

    bits: int
    hidden: int
    noise: float
    epochs: int
    batch_size: int
    learning_rate: float
    seeds: int


def train_binary_code(settings: BinarySettings, counts: np.ndarray) -> Callable[[int], Project]:
    """Function seed -> trained encoder from counts to logits of bits, compiled once for all seeds.

    The logits are made binary by noise (Salakhutdinov & Hinton 2009): only logits of large
    magnitude survive it. The multinomial loss of word counts equals that of the constrained Poisson
    model up to a constant: both distribute the known length of a document by a softmax.

    Args:
        settings: architecture and training settings.
        counts: word counts [documents, words] without empty documents.
    """
    x, preprocess = jnp.asarray(counts), centred_tf_idf(counts)
    sizes = x.shape[1], settings.hidden, settings.bits
    dense = aejax.dense(sizes, activation=jax.nn.gelu, code_activation=jax.nn.identity)
    model = dense._replace(encode=lambda params, x: dense.encode(params, preprocess(x)))
    objective = aejax.objective(
        aejax.binary_code(model, activation=jax.nn.sigmoid),
        losses.categorical,
        perturbation=corruptions.gaussian(sigma=settings.noise),
    )
    optimizer = adam_with_cosine_decay(settings, len(x))

    def train(seed: int) -> Project:
        state, _ = training.fit(
            objective, optimizer, Batch(x), key=jax.random.key(seed),
            epochs=settings.epochs, batch_size=settings.batch_size,
        )  # fmt: skip
        return lambda x: np.asarray(model.encode(state.params, jnp.asarray(x)))

    return train
