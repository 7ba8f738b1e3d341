"""What is searched for neighbours, images or documents, and with what queries."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax import data, losses
from aejax.types import Array, Loss
from experiments.harness.newsgroups import documents
from experiments.harness.training import flat


class Collection(NamedTuple):
    """Examples [examples, …] for an autoencoder, their features for all else, and their labels."""

    x: np.ndarray
    features: np.ndarray
    labels: np.ndarray


class Search(NamedTuple):
    """A database and the queries to it, and what of an autoencoder depends on the data.

    loss: of reconstructions of x.
    sees: x -> what is encoded: the features less their mean in the database, else the first bits
          are constant, and some stay so; scaled so that a feature's size is near one.
    """

    database: Collection
    queries: Collection
    loss: Loss
    sees: Callable[[Array], Array]


def search_of_images(dataset: data.Dataset, queries: int) -> Search:
    """Grey values with the Bernoulli loss; they are the features too.

    Args:
        dataset: with bounds and labels.
        queries: how many of the test examples, evenly spaced.
    """
    x, x_test = map(np.asarray, flat(dataset))
    asked = _spaced(Collection(x_test, x_test, dataset.labels_test), queries)
    mean = jnp.asarray(x.mean(axis=0))
    return Search(
        Collection(x, x, dataset.labels_train), asked, losses.bernoulli, lambda x: x - mean
    )


def search_of_documents(place: str, queries: int) -> Search:
    """Counts with the multinomial loss; what is seen, and the features, are tf-idf weights.

    The multinomial's likelihood is the constrained Poisson's but for a constant: both share out a
    document's known length by a softmax.

    Args:
        place: see `documents`.
        queries: how many of the test documents, evenly spaced.

    Source: Salakhutdinov & Hinton 2009 (constrained Poisson, and tf-idf for comparison).
    """
    found = documents(place)
    weights = jax.jit(tf_idf(found.x_train))
    database, tests = (
        Collection(x, np.asarray(weights(x)), labels)
        for x, labels in ((found.x_train, found.labels_train), (found.x_test, found.labels_test))
    )
    mean, length = jnp.asarray(database.features.mean(axis=0)), found.x_train.shape[1] ** 0.5
    return Search(
        database,
        _spaced(tests, queries),
        losses.categorical,
        lambda counts: length * (weights(counts) - mean),
    )


def tf_idf(counts: np.ndarray) -> Callable[[Array], Array]:
    """Weights (1 + log count) (1 + log (1 + n)/(1 + n_word)) of words that occur, of length one.

    Args:
        counts: [n, words], of which n_word documents have a word.

    Returns:
        A function from counts [documents, words], none of them empty, to weights of that shape.
    """
    rarity = 1 + np.log((1 + len(counts)) / (1 + np.count_nonzero(counts, axis=0)))
    rarity = jnp.asarray(rarity, jnp.float32)

    def weights(counts: Array) -> Array:
        found = jnp.where(counts > 0, 1 + jnp.log(jnp.maximum(counts, 1)), 0) * rarity
        return found / jnp.linalg.norm(found, axis=1, keepdims=True)

    return weights


def _spaced(collection: Collection, count: int) -> Collection:
    step = max(1, len(collection.x) // count)
    return Collection(*(part[::step][:count] for part in collection))
