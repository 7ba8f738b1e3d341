"""Measures of Jacobians against a linear encoder of known singular values."""

import jax.numpy as jnp
import numpy as np
import pytest

from aejax.types import Autoencoder
from experiments.harness.jacobians import measure_jacobians


def test_jacobians_of_a_linear_encoder_have_its_singular_values():
    generator = np.random.default_rng(0)
    rows = np.linalg.qr(generator.normal(size=(6, 6)))[0][:4]
    values = np.array([3.0, 2.0, 0.5, 0.1])
    kernel = jnp.asarray((values[:, None] * rows).T, jnp.float32)
    model = Autoencoder(lambda _: kernel, lambda params, x: x @ params, lambda _, code: code)
    points = jnp.asarray(generator.normal(size=(5, 6)), jnp.float32)
    inside = generator.normal(size=(5, 3, 2)) @ rows[:2]
    outside = generator.normal(size=(5, 3, 2)) @ rows[2:]
    differences = jnp.asarray(np.concatenate([inside, outside], axis=1), jnp.float32)
    measured, spectrum, leading = measure_jacobians(model, kernel, points, differences, 2)
    energy = values**2
    np.testing.assert_allclose(spectrum, values, rtol=1e-5)
    np.testing.assert_allclose(np.abs(leading[0] @ rows.T), np.eye(2, 4), atol=1e-5)
    assert measured["large"] == 2
    assert measured["ninety"] == 2  # 9 of 13.26 is less than 90 %, 13 is more
    assert measured["sensitivity"] == pytest.approx(energy.sum(), rel=1e-5)
    assert measured["participation"] == pytest.approx(
        energy.sum() ** 2 / np.square(energy).sum(), rel=1e-5
    )
    share = np.square(inside).sum() / (np.square(inside).sum() + np.square(outside).sum())
    assert measured["tangent"] == pytest.approx(share, rel=1e-4)
