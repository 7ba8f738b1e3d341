"""Dictionaries on streams on eight virtual devices, run as a separate process; prints JSON.

JAX_NUM_CPU_DEVICES=8 must be set.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

import aejax
from aejax import Batch, checkpoints, losses, penalties, sharding, trackers, training
from aejax.training import Stream, TrainState
from tests.sharding.eight_devices import digest, placements, relative

X = np.random.default_rng(0).random((40, 12), np.float32)
STREAM = Stream(lambda rows: Batch(X[rows]), len(X), 16)
"""Steps of 16, 16 and 8 examples."""

UNITS = 32
PLACES = ("data parallel", "fully sharded, tensor parallel")
PREFIXES = {"batch top-k": (), "Matryoshka": (8, 16)}
DIRECTIONS = training.unit_norm(select=lambda params: params["decoder"]["kernel"])
OPTIMIZER = training.constrained(optax.sgd(0.05), DIRECTIONS)


def objective_of(prefixes: tuple[int, ...]) -> aejax.Objective:
    terms: dict[str, Any] = {"auxk": (1 / 32, penalties.auxk(k=4, dead_after=2))}
    if prefixes:
        terms["prefixes"] = (1.0, penalties.matryoshka(prefixes=prefixes))
    return aejax.objective(
        aejax.dictionary(12, UNITS, activation=aejax.batch_top_k(k=2)),
        losses.squared,
        penalties=terms,
        tracker=trackers.steps_since_active(UNITS),
    )


def trained(prefixes: tuple[int, ...], epochs: int, **options: Any) -> tuple[TrainState, Any]:
    return training.fit_stream(
        objective_of(prefixes), OPTIMIZER, STREAM, epochs=epochs, steps_per_epoch=2, **options
    )


def cases(folder: Path) -> Iterator[dict[str, Any]]:
    """Differences from one device, and a training that is interrupted, stored and resumed."""
    for name, prefixes in PREFIXES.items():
        alone, _ = trained(prefixes, 4, key=0)
        for place in PLACES:
            placement = placements()[place]
            state, _ = trained(prefixes, 4, key=0, placement=placement)
            half, history = trained(prefixes, 2, key=0, placement=placement)
            path = folder / f"{name} {place}"
            checkpoints.save(path, half, configuration={})
            like = sharding.init_sharded(
                placement, objective_of(prefixes), OPTIMIZER, jax.random.key(9)
            )
            restored, _ = checkpoints.restore(path, like)
            resumed, _ = trained(prefixes, 4, state=restored, history=history, placement=placement)
            yield {
                "dictionary": name,
                "placement": place,
                "params": max(jax.tree.leaves(jax.tree.map(relative, state.params, alone.params))),
                "steps since active": [np.asarray(s.tracked).tolist() for s in (state, alone)],
                "digests": [digest(state), digest(resumed)],
            }


if __name__ == "__main__":
    print(json.dumps(list(cases(Path(sys.argv[1])))))
