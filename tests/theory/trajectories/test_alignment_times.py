"""Epochs to alignment: three methods align a code, and two controls never do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.theory.trajectories import alignment_times
from aejax.theory.trajectories.alignment_times import METHODS, epochs_to_alignment, misalignment

ORDERING, CONTROLS = METHODS[:3], METHODS[3:]


def spectrum(features):
    return 1 / np.arange(1, features + 1)


def test_untied_training_starts_with_independent_kernels(x64):
    untied, tied = (
        alignment_times._start(jax.random.key(0), 200, 50, tied=tied) for tied in (False, True)
    )
    sides = [np.asarray(untied[side]["layer_0"]["kernel"]) for side in ("encoder", "decoder")]
    assert abs(np.corrcoef(sides[0].ravel(), sides[1].T.ravel())[0, 1]) < 0.05
    assert "kernel" not in tied["decoder"]["layer_0"]


def test_misalignment_is_that_of_the_angles_in_order(x64):
    angle = 0.3
    rows = jnp.array([[2 * np.cos(angle), 0, 2 * np.sin(angle)], [0.0, -3.0, 0.0]])
    assert misalignment(rows) == pytest.approx(np.sin(angle) ** 2 / 2, rel=1e-5)
    assert misalignment(rows[::-1]) == pytest.approx(1.0)  # the same axes in another order


def followed_by_numpy(rows, values, code, method):
    """Epochs of Nesterov's descent in NumPy, on the expectation over truncations."""
    s, (encoder, decoder) = np.diag(values), (np.array(side) for side in rows)
    decays = values[code - 1] * np.arange(1, code + 1) / (code + 1) * (method == "unequal L2")
    sizes = range(1, code + 1) if method == "nested dropout" else [code]
    speed, epochs = np.zeros((2, *encoder.shape)), 0
    while True:
        units = decoder / np.linalg.norm(decoder, axis=1, keepdims=True)
        if 1 - np.mean(np.diagonal(units) ** 2) <= 1e-3:
            return epochs
        slope = np.stack([encoder * decays, (decays[:, None] * decoder).T]) * 2
        for b in sizes:
            missed = s @ (encoder[:, :b] @ decoder[:b] - np.eye(len(s)))
            slope[0][:, :b] += 2 * missed @ decoder[:b].T / len(sizes)
            slope[1][:, :b] += 2 * (encoder[:, :b].T @ missed).T / len(sizes)
        speed = 0.9 * speed + slope
        encoder, decoder = (
            side - 0.03 * (0.9 * each + own)
            for side, each, own in zip((encoder, decoder.T), speed, slope, strict=True)
        )
        decoder, epochs = decoder.T, epochs + 1


@pytest.mark.parametrize("method", METHODS[:2])
def test_the_epochs_are_those_of_numpys_descent_and_the_last_is_allowed(method):
    key, values = jax.random.key(2), spectrum(6)
    with jax.enable_x64(True):
        start = alignment_times._start(key, 6, 3, tied=False)
    rows = [np.asarray(start[side]["layer_0"]["kernel"]) for side in ("encoder", "decoder")]
    expected = followed_by_numpy(rows, values, 3, method)
    assert epochs_to_alignment(key, 5 * values, 3, method, max_epochs=expected) == expected
    assert epochs_to_alignment(key, 5 * values, 3, method, max_epochs=expected - 1) is None


def test_a_start_has_entries_of_variance_one_over_n(x64):
    start = alignment_times._start(jax.random.key(0), 400, 50, tied=False)
    for side in ("encoder", "decoder"):
        kernel = np.asarray(start[side]["layer_0"]["kernel"])
        assert np.mean(kernel**2) == pytest.approx(1 / 400, rel=0.05)
    both = [np.asarray(start[side]["layer_0"]["kernel"]).ravel() for side in start]
    assert np.abs(np.corrcoef(*both)[0, 1]) < 0.05
    assert alignment_times._start(jax.random.key(0), 4, 2, tied=True)["decoder"] == {"layer_0": {}}


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
def test_rotation_is_fastest_and_the_controls_never_align_at_any_width(features):
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


def test_a_diverging_training_raises(monkeypatch):
    monkeypatch.setattr(alignment_times, "LEARNING_RATE", 10.0)
    with pytest.raises(FloatingPointError, match="plain diverged after"):
        epochs_to_alignment(jax.random.key(0), spectrum(7), 3, "plain")


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method must be one of unequal L2, nested dropout"):
        epochs_to_alignment(jax.random.key(0), spectrum(16), 4, "batch norm")
