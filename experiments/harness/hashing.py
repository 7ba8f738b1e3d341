"""Binary codes for retrieval: linear baselines, retrieval measures and search times."""

import time
from collections.abc import Callable

import faiss
import jax
import numpy as np
from sklearn.decomposition import PCA

from aejax import evaluation

Project = Callable[[np.ndarray], np.ndarray]
"""Examples [examples, features] -> scores [examples, bits], whose signs are the bits."""

KS = (1, 10, 100, 1000)
"""Values of k for precision at k."""


def pca_sign(x: np.ndarray, bits: int, seed: int) -> Project:
    """Signs of PCA scores."""
    return PCA(bits, random_state=seed).fit(x).transform


def itq(x: np.ndarray, bits: int, seed: int) -> Project:
    """Iterative quantisation: signs after PCA and the rotation that minimises quantisation error.

    Source: Gong & Lazebnik 2011, as implemented in faiss: examples have unit length after centring.
    """
    transform = faiss.ITQTransform(x.shape[1], bits, True)
    transform.itq.seed = seed
    transform.train(np.ascontiguousarray(x, np.float32))
    return lambda x: transform.apply(np.ascontiguousarray(x, np.float32))


def random_projection(x: np.ndarray, bits: int, seed: int) -> Project:
    """Signs of Gaussian random projections of centred examples (Charikar 2002)."""
    directions = np.random.default_rng(seed).normal(size=(x.shape[1], bits))
    mean = x.mean(axis=0)
    return lambda x: (x - mean) @ directions


LINEAR = {"PCA's signs": pca_sign, "ITQ": itq, "random projections": random_projection}
"""Linear methods: (x, bits, seed) -> `Project`."""


def retrieval(
    queries: np.ndarray, database: np.ndarray, relevant: np.ndarray, ks: tuple[int, ...] = KS
) -> dict[str, np.ndarray]:
    """Measure retrieval by Hamming distance, averaged over queries.

    Args:
        queries: bits [queries, bits], boolean.
        database: bits [examples, bits].
        relevant: [queries, examples], whether the example has the query's class.
        ks: values of k; those above the number of examples are ignored.

    Returns:
        "precision at" each k, with ties in random order; and for each radius 0, 1, …, bits:
        "retrieved", the number of examples within it, and their "precision" and "recall". This
        precision is pooled over queries, not averaged.
    """
    balls = _balls(queries, database, relevant)
    at = [evaluation.precision_at(balls, k=k).mean() for k in ks if k <= len(database)]
    retrieved, hits = (np.asarray(counts, float).sum(axis=0) for counts in balls)
    return {
        "precision at": np.array(at),
        "retrieved": retrieved / len(queries),
        "precision": hits / np.maximum(retrieved, 1),
        "recall": np.asarray(evaluation.recall_within(balls).mean(axis=0)),
    }


def exact_precision(
    queries: np.ndarray,
    database: np.ndarray,
    labels: tuple[np.ndarray, np.ndarray],
    ks: tuple[int, ...] = KS,
) -> np.ndarray:
    """Precision at each k of the exact Euclidean nearest neighbours, by faiss.

    Args:
        queries: features of the queries [queries, features].
        database: features of the examples [examples, features].
        labels: classes of queries and of examples.
        ks: values of k; those above the number of examples are ignored.
    """
    ks = tuple(k for k in ks if k <= len(database))
    index = _exact_index(database)
    _, nearest = index.search(np.ascontiguousarray(queries, np.float32), max(ks))
    hits = labels[1][nearest] == labels[0][:, None]
    return np.array([hits[:, :k].mean() for k in ks])


def seconds_per_query(
    features: tuple[np.ndarray, np.ndarray], bits: tuple[np.ndarray, np.ndarray], radius: int
) -> dict[str, float]:
    """Measure the search time per query of faiss on one thread.

    Args:
        features: features of queries and examples, [queries, features] and [examples, features].
        bits: bits of queries and examples, boolean.
        radius: Hamming radius of the hash-table lookup.

    Returns:
        Seconds of the exact ten nearest neighbours by all features and by bits, and of the lookup.
    """
    queries, packed = np.ascontiguousarray(features[0], np.float32), [_pack_bits(b) for b in bits]
    count = bits[0].shape[1]
    table = faiss.IndexBinaryHash(count, count)
    table.nflip = radius
    scan = faiss.IndexBinaryFlat(count)
    flat, threads = _exact_index(features[1]), faiss.omp_get_max_threads()
    for index in (table, scan):
        index.add(packed[1])
    searches = {
        "all features": lambda: flat.search(queries, 10),
        "bits": lambda: scan.search(packed[0], 10),
        "hash table": lambda: table.range_search(
            packed[0], radius + 1
        ),  # faiss excludes the radius
    }
    faiss.omp_set_num_threads(1)
    found = {name: _seconds(search) / len(queries) for name, search in searches.items()}
    faiss.omp_set_num_threads(threads)
    return found


_balls = jax.jit(evaluation.hamming_balls)


def _exact_index(database: np.ndarray) -> faiss.IndexFlatL2:
    index = faiss.IndexFlatL2(database.shape[1])
    index.add(np.ascontiguousarray(database, np.float32))
    return index


def _pack_bits(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, axis=1, bitorder="little")


def _seconds(search: Callable[[], object]) -> float:
    """Minimum time of three runs."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        search()
        times.append(time.perf_counter() - start)
    return min(times)
