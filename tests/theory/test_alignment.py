"""The ways of ordering a code side by side: three align it, and two never do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.theory import alignment
from aejax.theory.alignment import METHODS, epochs_to_alignment, misalignment

ORDERING, CONTROLS = METHODS[:3], METHODS[3:]


def spectrum(features):
    return 1 / np.arange(1, features + 1)


def test_misalignment_is_that_of_the_angles_in_order(x64):
    angle = 0.3
    rows = jnp.array([[2 * np.cos(angle), 0, 2 * np.sin(angle)], [0.0, -3.0, 0.0]])
    assert misalignment(rows) == pytest.approx(np.sin(angle) ** 2 / 2, rel=1e-5)
    assert misalignment(rows[::-1]) == pytest.approx(1.0)  # the same axes in another order


@pytest.mark.parametrize("method", ORDERING)
def test_each_way_of_ordering_aligns_the_code(method):
    epochs = epochs_to_alignment(jax.random.key(0), spectrum(16), 4, method)
    assert epochs is not None
    assert 10 < epochs < 5000
    assert epochs_to_alignment(jax.random.key(0), spectrum(16), 4, method, max_epochs=9) is None


@pytest.mark.parametrize("method", CONTROLS)
def test_equal_l2_and_plain_training_never_align_it(method):
    for seed in range(3):
        epochs = epochs_to_alignment(jax.random.key(seed), spectrum(16), 4, method)
        assert epochs is None


@pytest.mark.slow
@pytest.mark.parametrize("features", [16, 32, 64, 128, 256, 512])
def test_rotation_is_soonest_and_the_controls_never_align_at_any_width(features):
    found = {
        method: [
            epochs_to_alignment(
                jax.random.key(seed), spectrum(features), 4, method, max_epochs=20_000
            )
            for seed in range(3)
        ]
        for method in METHODS
    }
    assert all(epochs is None for method in CONTROLS for epochs in found[method])
    means = [np.mean(np.array(found[method], float)) for method in ORDERING]
    assert np.isfinite(means).all()  # NaN stands for never
    unequal, nested, rotation = means
    assert rotation < nested / 2 < unequal


def test_a_training_that_diverges_is_not_taken_for_one_that_never_aligns(monkeypatch):
    monkeypatch.setattr(alignment, "STEP", 10.0)
    with pytest.raises(FloatingPointError, match="plain diverged after"):
        epochs_to_alignment(jax.random.key(0), spectrum(7), 3, "plain")


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method must be one of unequal L2, nested dropout"):
        epochs_to_alignment(jax.random.key(0), spectrum(16), 4, "batch norm")
