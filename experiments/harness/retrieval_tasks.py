"""Retrieval of documents: database, queries and tf-idf weights."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax import data
from aejax.types import Array


class Collection(NamedTuple):
    """Word counts x, their tf-idf weights as features, and labels."""

    x: np.ndarray
    features: np.ndarray
    labels: np.ndarray


class RetrievalTask(NamedTuple):
    """Documents that are searched, and queries."""

    database: Collection
    queries: Collection


def document_retrieval(dataset: data.Dataset, queries: int) -> RetrievalTask:
    """Retrieval of training documents for test documents.

    Args:
        dataset: word counts with labels, as of `documents`.
        queries: number of test documents as queries, evenly spaced.

    Source: Salakhutdinov & Hinton 2009 (tf-idf for comparison).
    """
    weights = jax.jit(tf_idf(dataset.x_train))
    database, tests = (
        Collection(x, np.asarray(weights(x)), labels)
        for x, labels in (
            (dataset.x_train, dataset.labels_train),
            (dataset.x_test, dataset.labels_test),
        )
    )
    return RetrievalTask(database, _evenly_spaced(tests, queries))


def centred_tf_idf(counts: np.ndarray) -> Callable[[Array], Array]:
    """Input of an encoder: tf-idf weights minus their mean, with a magnitude of about one.

    Without centring, all inputs would be positive, and most bits constant.

    Args:
        counts: counts [n, words] of the training documents.

    Returns:
        Function from counts [documents, words] of non-empty documents to inputs.
    """
    weights, length = tf_idf(counts), counts.shape[1] ** 0.5
    mean = jnp.mean(weights(jnp.asarray(counts)), axis=0)
    return lambda x: length * (weights(x) - mean)


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
