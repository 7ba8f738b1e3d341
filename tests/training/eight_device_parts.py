"""Accumulated gradients on eight virtual devices, run as a separate process; prints JSON.

JAX_NUM_CPU_DEVICES=8 must be set.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import aejax
from aejax import Batch, corruptions, losses, penalties, planning, trackers, training
from aejax.planning.hlo_text import executions
from aejax.sharding.collectives import each_collective
from aejax.types import Array
from tests.sharding.eight_devices import placements

KEY = jax.random.key(0)
X = jax.random.uniform(jax.random.key(1), (36, 12))
"""One step of 32 examples, two parts a device, and a remainder of 4, which all devices share."""

PARTS = training.accumulated(part_size=2)
MODEL = aejax.dense((12, 32, 16, 8))
OBJECTIVES = {
    "noisy, with terms of a part": aejax.objective(
        MODEL,
        losses.bernoulli,
        corruption=corruptions.masking(rate=0.25),
        penalties={
            "sparsity": (0.5, penalties.kl_sparsity(rho=0.1)),
            "decay": (1e-3, penalties.l2()),
        },
    ),
    "units selected in a part, tracked": aejax.objective(
        aejax.dictionary(12, 32, activation=aejax.batch_top_k(k=2)),
        losses.squared,
        penalties={"auxk": (1 / 32, penalties.auxk(k=4, dead_after=2))},
        tracker=trackers.steps_since_active(32),
    ),
}


def relative(found: Any, expected: Any) -> float:
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    return float(np.max(np.abs(found - expected)) / (np.max(np.abs(expected)) + 1e-30))


def differences(
    objectives: Sequence[str], places: Sequence[str], x: Array
) -> Iterator[dict[str, Any]]:
    """Differences from the training on one device, in two epochs."""
    for name in objectives:
        objective = OBJECTIVES[name]
        options: dict[str, Any] = {"key": KEY, "epochs": 2, "batch_size": 32, "gradient_of": PARTS}
        alone, expected = training.fit(objective, optax.sgd(0.1), Batch(x), **options)
        for place in places:
            placement = placements()[place]
            state, found = training.fit(
                objective, optax.sgd(0.1), Batch(x), placement=placement, **options
            )
            yield {
                "objective": name,
                "placement": place,
                "params": max(jax.tree.leaves(jax.tree.map(relative, state.params, alone.params))),
                "measurements": max(
                    relative(found[-1][term], expected[-1][term])
                    for term in ("loss", "gradient_norm", *objective.penalties)
                ),
            }


def communication(place: str, parts: int) -> dict[str, Any]:
    """Executions of each collective in a step, and the bytes that it sends beside the ideal."""
    placement, objective = placements()[place], aejax.objective(MODEL, losses.bernoulli)
    size = 8 * 2 * parts
    step = planning.compile_step(
        objective,
        optax.adam(1e-3),
        jax.ShapeDtypeStruct((size, 12), jnp.float32),
        batch_size=size,
        placement=placement,
        gradient_of=PARTS,
    )
    assert isinstance(step, jax.stages.Compiled), step
    text = step.as_text() or ""
    times = {each.instruction.name: each.times for each in executions(text)}
    counts: dict[str, int] = {}
    for each in each_collective(text):
        counts[each.kind] = counts.get(each.kind, 0) + times[each.name]
    params = planning.abstract_state(objective, optax.adam(1e-3), placement).params
    return {
        "placement": place,
        "parts": parts,
        "collectives": counts,
        "sent": sum(each.sent * times[each.name] for each in each_collective(text)),
        "ideal": planning.ideal_communication(params, size),
    }


def main(*, every: bool) -> None:
    objectives, places = list(OBJECTIVES), list(placements())
    if not every:
        objectives, places = objectives[:1], places[:1]
    answers = {
        "differences": list(differences(objectives, places, X if every else X[:32])),
        "communication": [
            communication(place, parts)
            for place in ("data parallel", "fully sharded")
            for parts in ((2, 6) if every else (6,) if place == "data parallel" else (2,))
        ],
    }
    print(json.dumps(answers))


if __name__ == "__main__":
    main(every="--every" in sys.argv)
