"""Rankings of documents: average precision, and precision against recall."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

Similarity = Float[np.ndarray, "queries examples"]

RETRIEVED = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
"""Numbers of retrieved documents at which precision and recall are measured."""

CHUNK = 250
"""Queries ranked at a time, which limits the memory."""


def ranking_measures(
    similarity: Similarity, relevant: Bool[np.ndarray, "queries examples"], seed: int
) -> dict[str, Any]:
    """Measure rankings in descending order of similarity, averaged over queries.

    Args:
        similarity: similarity of each query and document; ties are in random order.
        relevant: whether the document has the query's class; each query has a relevant document.
        seed: seed of the order of ties.

    Returns:
        "average precision", the mean over relevant documents of the precision at their rank, and
        lists "precision" and "recall" after each number of documents in `RETRIEVED`, those above
        the number of documents omitted.

    Source: Salakhutdinov & Hinton 2009, §4 (precision against recall).
    """
    rng, found = np.random.default_rng(seed), []
    counts = [count for count in RETRIEVED if count <= similarity.shape[1]]
    for start in range(0, len(similarity), CHUNK):
        part = slice(start, start + CHUNK)
        order = np.lexsort((rng.random(similarity[part].shape), -similarity[part]))
        hits = np.take_along_axis(relevant[part], order, axis=1)
        total = np.cumsum(hits, axis=1)
        precision = total / np.arange(1, hits.shape[1] + 1)
        recall = total / total[:, -1:]
        at = np.array(counts) - 1
        average = (precision * hits).sum(axis=1) / total[:, -1]
        found.append(np.column_stack([average, precision[:, at], recall[:, at]]))
    average, *others = np.concatenate(found).mean(axis=0)
    precision, recall = np.split(np.array(others), 2)
    return {
        "average precision": float(average),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
    }


def hamming_similarity(
    queries: Bool[np.ndarray, "queries bits"], database: Bool[np.ndarray, "examples bits"]
) -> Similarity:
    """Number of equal bits of each query and example."""
    signs = (np.where(bits, 1, -1).astype(np.float32) for bits in (queries, database))
    products = np.matmul(*(part if i == 0 else part.T for i, part in enumerate(signs)))
    return (products + queries.shape[1]) / 2


def cosine_similarity(
    queries: Float[np.ndarray, "queries units"], database: Float[np.ndarray, "examples units"]
) -> Similarity:
    """Cosine of the angle between each query and example; 0 for a zero vector."""
    first, second = (
        part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
        for part in (queries, database)
    )
    return first @ second.T


def within_shortlist(similarity: Similarity, by: Similarity, size: int, seed: int) -> Similarity:
    """Rank the documents that another similarity ranks first; the others follow in its order.

    Args:
        similarity: similarity in [0, 1] that orders the shortlist.
        by: similarity in whole numbers that selects it, with ties in random order.
        size: number of documents of the shortlist.
        seed: seed of the order of ties.

    Returns:
        Similarity whose descending order is this ranking.
    """
    ranked = by + np.random.default_rng(seed).random(by.shape)
    limit = -np.partition(-ranked, size - 1, axis=1)[:, size - 1 : size]
    return np.where(ranked >= limit, 1 + similarity, ranked / (1 + ranked.max()))
