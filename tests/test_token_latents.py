"""Coherence of latents, and the page of token latents, on embeddings of known groups."""

import itertools

import numpy as np
import pytest

from benchmarks import token_latents
from benchmarks.token_latents import Config


def test_coherence_is_the_mean_cosine_similarity_of_all_pairs():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 5)).astype(np.float32)
    examples = np.array([[0, 3, 7], [4, 2, -1], [5, -1, -1]])
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = [
        np.mean([unit[i] @ unit[j] for i, j in itertools.combinations(row[row >= 0], 2)])
        for row in examples[:2]
    ]
    found = token_latents.coherence(x, examples)
    np.testing.assert_allclose(found[:2], expected, rtol=1e-5)
    assert np.isnan(found[2])


def test_latents_of_known_groups_of_embeddings_are_coherent():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(8), 32)
    x = rng.normal(size=(8, 16))[groups] + 0.1 * rng.normal(size=(256, 16))
    tokens = [f"<{group}|{index}" for index, group in enumerate(groups)]
    config = Config(latents=16, k=1, epochs=30, batch_size=32, learning_rate=1e-2, count=4)
    found = token_latents.measure(tokens, x.astype(np.float32), config)
    assert found["l0"] == pytest.approx(1, rel=0.05)
    assert found["coherence"] > 0.9
    best = found["latents"][0]["tokens"]
    assert len({token.split("|")[0] for token in best}) == 1
    record = {"settings": {"latents": 16}, "tokens": 256, "measurements": found}
    rows = token_latents.page(record).splitlines()
    assert all(row.count("|") == 5 for row in rows if row.startswith("|"))
