"""Settings of a run: defaults, ranges, JSON and the settings that a resumed run must share."""

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import pytest

from aejax.runs.configuration import Training, check, dumps, fixed_settings, loads

# Stored settings are complete; those of older runs must keep their meaning.
DEFAULTS = {
    "data": "digits",
    "normalise": "unit-range",
    "activation": "sigmoid",
    "code_activation": None,
    "tied": False,
    "refinement_steps": 0,
    "refinement_rate": 0.03,
    "loss": "bernoulli",
    "corruption": "none",
    "corruption_level": 0.25,
    "precision": "full",
    "optimizer": "adam",
    "learning_rate": 0.001,
    "warm_up": 0.0,
    "schedule": "constant",
    "clip": None,
    "epochs": 20,
    "batch_size": None,
    "validation": 0.1,
    "patience": None,
    "seed": 0,
    "stream": False,
    "steps_per_epoch": None,
    "skip": 0,
}
NO_PENALTY = {"l2": 0.0, "l1": 0.0, "sparsity": 0.0, "rho": 0.05, "contraction": 0.0}
NO_AUGMENTATION = {
    "rotation": 0.0,
    "stretch": 0.0,
    "shear": 0.0,
    "shift": 0.0,
    "interpolation": "linear",
}


def test_default_settings():
    found = dataclasses.asdict(Training())
    assert {name: found[name] for name in DEFAULTS} == DEFAULTS
    assert {name: found["penalty"][name] for name in NO_PENALTY} == NO_PENALTY
    assert {name: found["augmentation"][name] for name in NO_AUGMENTATION} == NO_AUGMENTATION
    assert found["sizes"] == found["decoder_sizes"] == found["channels"] == ()


STREAM = {"stream": True}


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 1},
        {"batch_size": 1},
        {"patience": 1},
        {"validation": 0.0},
        {"validation": 0.999},
        {"learning_rate": 1e-30},
        {"learning_rate": 1.5},
        {"refinement_steps": 1},
        {"refinement_rate": 1e-30},
        {"warm_up": 19.5},
        {"steps_per_epoch": 1, **STREAM},
        {"skip": 1, **STREAM},
        {"image_mode": "RGB", **STREAM},
        {"image_mode": "RGB", "resize": "1", "crop": "1x1"},
        {"clip": 1e-30},
        {"seed": 2**32 - 1},
        {"split_seed": 0},
        {"split_seed": 2**32 - 1},
    ],
    ids=str,
)
def test_values_at_the_bounds_are_accepted(settings):
    check(replace(Training(), **settings))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"epochs": -1}, "epochs"),
        ({"batch_size": -1}, "batch-size"),
        ({"patience": -1}, "patience"),
        ({"validation": 1.5}, "validation"),
        ({"learning_rate": -1.0}, "learning-rate"),
        ({"refinement_steps": -1}, "refinement-steps"),
        ({"refinement_rate": 0.0}, "refinement-rate"),
        ({"refinement_rate": -1.0}, "refinement-rate"),
        ({"warm_up": 20.0}, "warm-up"),
        ({"warm_up": 20.5}, "warm-up"),
        ({"steps_per_epoch": 1}, "steps-per-epoch"),
        ({"steps_per_epoch": 0, **STREAM}, "steps-per-epoch"),
        ({"steps_per_epoch": -1, **STREAM}, "steps-per-epoch"),
        ({"skip": 1}, "skip"),
        ({"resize": "4x0"}, "resize"),
        ({"resize": "wide"}, "resize"),
        ({"crop": "4"}, "crop"),
        ({"skip": -1}, "skip"),
        ({"skip": -1, **STREAM}, "skip"),
        ({"clip": -1.0}, "clip"),
        ({"seed": -2}, "seed"),
        ({"seed": 2**32 + 1}, "seed"),
        ({"split_seed": -1}, "split-seed"),
        ({"split_seed": 2**32}, "split-seed"),
    ],
    ids=str,
)
def test_values_beyond_the_bounds_are_refused(settings, name):
    with pytest.raises(ValueError, match=f"^{name} must .*, got "):
        check(replace(Training(), **settings))


def test_settings_round_trip_through_json():
    training = Training(
        data_dir=Path("place"), sizes=(6, 4, 2), decoder_sizes=(2, 6), channels=(3,), clip=2.0
    )
    assert loads(dumps(training)) == training
    assert loads(dumps(Training())) == Training()
    assert json.loads(dumps(training))["data_dir"] == "place"


def test_fixed_settings_exclude_what_may_change():
    plain = fixed_settings(Training())
    assert plain["penalty.rho"] == 0.05
    assert plain["augmentation.interpolation"] == "linear"
    for free in ({"data_dir": Path("elsewhere")}, {"epochs": 50}):
        assert fixed_settings(replace(Training(), **free)) == plain
    streamed = fixed_settings(Training(stream=True))
    assert fixed_settings(Training(stream=True, skip=3)) == streamed
    assert fixed_settings(Training(stream=True, steps_per_epoch=2)) != streamed
    decaying = Training(schedule="cosine")
    assert fixed_settings(replace(decaying, epochs=50)) != fixed_settings(decaying)


LATER = {
    "decoder_sizes": (2, 6),
    "refinement_steps": 2,
    "stream": True,
    "image_mode": "L",
    "split_seed": 0,
    "crop": "2x3",
}


@pytest.mark.parametrize("name", [*LATER, "refinement_rate"])
def test_fixed_settings_omit_unused_later_options(name):
    assert name not in fixed_settings(Training())
    assert name in fixed_settings(Training(**LATER))
