"""Binary codes for retrieval: linear baselines and search times."""

import time
from collections.abc import Callable

import faiss
import numpy as np
from sklearn.decomposition import PCA

Project = Callable[[np.ndarray], np.ndarray]
"""Examples [examples, features] -> scores [examples, bits], whose signs are the bits."""


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


def seconds_per_query(
    features: tuple[np.ndarray, np.ndarray], bits: tuple[np.ndarray, np.ndarray]
) -> dict[str, float]:
    """Measure the search time per query of faiss on one thread.

    Args:
        features: features of queries and examples, [queries, features] and [examples, features].
        bits: bits of queries and examples, boolean.

    Returns:
        Seconds of the exact ten nearest neighbours by "all features" and by "bits".
    """
    queries, packed = np.ascontiguousarray(features[0], np.float32), [_pack_bits(b) for b in bits]
    scan, flat = faiss.IndexBinaryFlat(bits[0].shape[1]), faiss.IndexFlatL2(features[1].shape[1])
    scan.add(packed[1])
    flat.add(np.ascontiguousarray(features[1], np.float32))
    searches = {
        "all features": lambda: flat.search(queries, 10),
        "bits": lambda: scan.search(packed[0], 10),
    }
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    found = {name: _seconds(search) / len(queries) for name, search in searches.items()}
    faiss.omp_set_num_threads(threads)
    return found


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
