"""Data with a given spectrum."""

import jax

from aejax import theory


def with_spectrum(eigenvalues, *, examples=40, features=None, seed=0):
    """Centred x [examples, features] whose covariance S has these eigenvalues, then zeros."""
    return theory.with_spectrum(
        jax.random.key(seed), eigenvalues, examples=examples, features=features
    )
