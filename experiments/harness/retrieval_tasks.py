"""Retrieval tasks on images and documents: databases, queries and losses."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax import data, losses
from aejax.types import Array, Loss
from experiments.harness.newsgroups import documents
from experiments.harness.training import flatten_and_scale


class Collection(NamedTuple):
    """Inputs x of an autoencoder, features for the other methods, and labels."""

    x: np.ndarray
    features: np.ndarray
    labels: np.ndarray


class RetrievalTask(NamedTuple):
    """A database with queries, and the data-dependent parts of an autoencoder.

    loss:       loss of reconstructions of x.
    preprocess: x -> encoder input: features minus their mean in the database (otherwise bits would
                be constant), scaled to a magnitude of about one.
    """

    database: Collection
    queries: Collection
    loss: Loss
    preprocess: Callable[[Array], Array]


def image_retrieval(dataset: data.Dataset, queries: int) -> RetrievalTask:
    """Retrieval of images by grey values, with the Bernoulli loss.

    Args:
        dataset: data set with bounds and labels.
        queries: number of test examples as queries, evenly spaced.
    """
    x, x_test = map(np.asarray, flatten_and_scale(dataset))
    asked = _evenly_spaced(Collection(x_test, x_test, dataset.labels_test), queries)
    mean = jnp.asarray(x.mean(axis=0))
    return RetrievalTask(
        Collection(x, x, dataset.labels_train), asked, losses.bernoulli, lambda x: x - mean
    )


def document_retrieval(path: str, queries: int) -> RetrievalTask:
    """Retrieval of documents by tf-idf weights, with the multinomial loss of word counts.

    The multinomial likelihood equals that of the constrained Poisson model up to a constant: both
    distribute the known length of a document by a softmax.

    Args:
        path: data set, as for `documents`.
        queries: number of test documents as queries, evenly spaced.

    Source: Salakhutdinov & Hinton 2009 (constrained Poisson, and tf-idf for comparison).
    """
    found = documents(path)
    weights = jax.jit(tf_idf(found.x_train))
    database, tests = (
        Collection(x, np.asarray(weights(x)), labels)
        for x, labels in ((found.x_train, found.labels_train), (found.x_test, found.labels_test))
    )
    mean, length = jnp.asarray(database.features.mean(axis=0)), found.x_train.shape[1] ** 0.5
    return RetrievalTask(
        database,
        _evenly_spaced(tests, queries),
        losses.categorical,
        lambda counts: length * (weights(counts) - mean),
    )


def tf_idf(counts: np.ndarray) -> Callable[[Array], Array]:
    """Unit-length weights (1 + log count) (1 + log((1 + n)/(1 + n_word))) of occurring words.

    The same as `TfidfTransformer(sublinear_tf=True)` of scikit-learn.

    Args:
        counts: counts [n, words] of n documents, of which n_word contain the word.

    Returns:
        Function from counts [documents, words] of non-empty documents to weights.
    """
    rarity = 1 + np.log((1 + len(counts)) / (1 + np.count_nonzero(counts, axis=0)))
    rarity = jnp.asarray(rarity, jnp.float32)

    def weights(counts: Array) -> Array:
        found = jnp.where(counts > 0, 1 + jnp.log(jnp.maximum(counts, 1)), 0) * rarity
        return found / jnp.linalg.norm(found, axis=1, keepdims=True)

    return weights


def _evenly_spaced(collection: Collection, count: int) -> Collection:
    step = max(1, len(collection.x) // count)
    return Collection(*(part[::step][:count] for part in collection))
