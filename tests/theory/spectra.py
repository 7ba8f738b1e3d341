"""Data whose spectrum is known before it is made."""

import numpy as np


def with_spectrum(eigenvalues, *, examples=40, features=None, seed=0):
    """Centred x [examples, features] whose normalised S has these eigenvalues, then zeros."""
    generator = np.random.default_rng(seed)
    features = features or len(eigenvalues)
    scores = generator.normal(size=(examples, len(eigenvalues)))
    left, _ = np.linalg.qr(scores - scores.mean(axis=0))
    right, _ = np.linalg.qr(generator.normal(size=(features, len(eigenvalues))))
    return np.sqrt(examples) * (left * np.sqrt(eigenvalues)) @ right.T
