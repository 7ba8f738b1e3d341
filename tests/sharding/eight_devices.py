"""Measurements on eight virtual devices, run as a separate process; prints JSON.

The process of the tests has one device, as most users have. JAX_NUM_CPU_DEVICES=8 must be set.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import aejax
from aejax import (
    Batch,
    Objective,
    checkpoints,
    corruptions,
    losses,
    models,
    penalties,
    sharding,
    trackers,
    training,
)
from aejax.theory.analysis.moments import moments
from aejax.theory.learning.streamed_moments import merge_in_pairs
from aejax.training import Placement, TrainState, place_objective
from aejax.types import Array, Params
from benchmarks import communication, divided_data
from tests.sharding import divided_examples

KEY = jax.random.key(0)
X = jax.random.uniform(jax.random.key(1), (20, 12))
"""One step of 16 examples and a remainder of 4, which eight devices cannot share."""

IMAGES = jax.random.uniform(jax.random.key(2), (20, 6, 6, 1))
LABELS = (IMAGES[..., 0] > 0.5).astype(jnp.int32)

OPTIMIZER = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2))
MODEL = aejax.dense((12, 32, 16, 8))
SPARSE = {"sparsity": (0.5, penalties.kl_sparsity(rho=0.1)), "decay": (1e-3, penalties.l2())}
OBJECTIVES = {
    "dense": aejax.objective(MODEL, losses.bernoulli),
    "sparse": aejax.objective(
        MODEL, losses.bernoulli, corruption=corruptions.masking(rate=0.25), penalties=SPARSE
    ),
}

SEGMENTING = aejax.objective(
    aejax.segnet(models.BASIC._replace(blocks=((3,),), kernel=(3, 3)), channels=1, classes=2),
    losses.categorical_labels(classes=2),
)
# Logistic units: of others the training at this rate is chaotic, and rounding grows in 200 steps.
ON_IMAGES = {
    "convolutional": (
        aejax.objective(
            aejax.convolutional((6, 6, 1), (4, 16), units=(5,), activation=jax.nn.sigmoid),
            losses.bernoulli,
        ),
        Batch(IMAGES),
    ),
    "segnet": (SEGMENTING, Batch(IMAGES, LABELS)),
}
CASES = {name: (objective, Batch(X)) for name, objective in OBJECTIVES.items()} | ON_IMAGES
"""Objectives and their data."""


def placements() -> dict[str, Placement]:
    data = sharding.data_parallel(sharding.make_mesh())
    model = sharding.tensor_parallel(sharding.make_mesh(model=2), wide=16)
    return {
        "data parallel": data,
        "fully sharded": sharding.fully_sharded(data, least=64),
        "tensor parallel": model,
        "fully sharded, tensor parallel": sharding.fully_sharded(model, least=64),
    }


def trained(
    objective: Objective, data: Batch, *, epochs: int, **options: Any
) -> tuple[TrainState, np.ndarray]:
    """Final state of `fit`, two steps an epoch, and its measurements, [epochs, measurements]."""
    state, history = training.fit(
        objective, OPTIMIZER, data, key=KEY, epochs=epochs, batch_size=16, **options
    )
    assert int(state.step) == 2 * epochs
    timeless = [
        {name: value for name, value in record.items() if "second" not in name}
        for record in history
    ]
    return state, np.array([jax.tree.leaves(record) for record in timeless])


def differences(cases: Mapping[str, Sequence[str]], epochs: int) -> Iterator[dict[str, Any]]:
    """Differences of the training on the mesh from that on one device."""
    for name, places in cases.items():
        objective, data = CASES[name]
        alone, measured_alone = trained(objective, data, epochs=epochs)
        for place in places:
            placement = placements()[place]
            state, measured = trained(objective, data, epochs=epochs, placement=placement)
            yield {
                "objective": name,
                "placement": place,
                "measurements": relative(measured, measured_alone),
                "params": max(jax.tree.leaves(jax.tree.map(relative, state.params, alone.params))),
                "share": share_of_one_device(state),
            }


def dictionaries() -> Iterator[dict[str, Any]]:
    """Dictionaries, with the state of their tracker, on each mesh and on one device.

    Few steps, because rounding changes the selected units of a long training.
    """
    for name, activation in {
        "top-k": aejax.top_k_relu(k=2),
        "batch top-k": aejax.batch_top_k(k=2),
    }.items():
        objective = aejax.objective(
            aejax.dictionary(12, 32, activation=activation),
            losses.squared,
            penalties={
                "auxk": (1 / 32, penalties.auxk(k=4, dead_after=2)),
                "prefixes": (1.0, penalties.matryoshka(prefixes=(8,))),
            },
            tracker=trackers.steps_since_active(32),
        )
        alone, _ = trained(objective, Batch(X), epochs=4)
        for place, placement in placements().items():
            state, _ = trained(objective, Batch(X), epochs=4, placement=placement)
            yield {
                "dictionary": name,
                "placement": place,
                "params": max(jax.tree.leaves(jax.tree.map(relative, state.params, alone.params))),
                "same tracker": bool(np.array_equal(state.tracked, alone.tracked)),
            }


def relative(found: Any, expected: Any) -> float:
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    scale = np.max(np.abs(expected), axis=0) + np.finfo(np.float32).tiny
    return float(np.max(np.abs(found - expected) / scale))


def share_of_one_device(state: TrainState) -> float:
    """Fraction of the bytes of parameters and optimiser state stored on the first device."""
    leaves = jax.tree.leaves((state.params, state.optimizer_state))
    held = sum(leaf.addressable_shards[0].data.nbytes for leaf in leaves)
    return held / sum(leaf.nbytes for leaf in leaves)


def batch_terms() -> dict[str, dict[str, float]]:
    """Batch terms: KL sparsity of a dense code, and the loss of a SegNet with batch statistics."""
    level = jnp.linspace(0, 1, 16)  # so that the means of the devices differ
    images = level[:, None, None, None] * jax.random.uniform(KEY, (16, 4, 4, 1))
    labels = (images[..., 0] > 0.2).astype(jnp.int32)
    return {
        "sparsity": batch_term(OBJECTIVES["sparse"], Batch(level[:, None] * jnp.ones(12))),
        "reconstruction": batch_term(SEGMENTING, Batch(images, labels)),
    }


def batch_term(objective: Objective, batch: Batch) -> dict[str, float]:
    """Last term of a sharded batch, of the same batch on one device, and mean over the shards."""
    params = jax.tree.map(lambda leaf: 5 * leaf, objective.model.init(KEY))
    placement = placements()["data parallel"]
    on_mesh = place_objective(placement, objective)
    parts = [jax.tree.map(lambda array: array[i : i + 2], batch) for i in range(0, 16, 2)]  # noqa: B023

    @jax.jit
    def alone(params: Params, batch: Batch, parts: list[Batch]) -> tuple[Array, Array]:
        own = [last_term(objective, params, part) for part in parts]
        return last_term(objective, params, batch), jnp.mean(jnp.stack(own))

    whole, own = alone(params, batch, parts)
    mesh = jax.jit(partial(last_term, on_mesh))(*jax.device_put((params, batch), placement.data))
    return {"mesh": float(mesh), "whole": float(whole), "own parts": float(own)}


def last_term(objective: Objective, params: Params, batch: Batch) -> Array:
    terms = objective(params, batch, KEY)[1]
    return terms["sparsity"] if "sparsity" in terms else terms["reconstruction"]


def restored_elsewhere(folder: Path) -> dict[str, Any]:
    """Save a fully sharded state, and restore it on half the devices."""
    objective = OBJECTIVES["dense"]
    state = sharding.init_sharded(placements()["fully sharded"], objective, OPTIMIZER, KEY)
    checkpoints.save(folder, state, configuration={})
    half = sharding.data_parallel(sharding.make_mesh(devices=jax.devices()[:4]))
    like = sharding.init_sharded(
        sharding.fully_sharded(half, least=64), objective, OPTIMIZER, jax.random.key(9)
    )
    restored, _ = checkpoints.restore(folder, like)
    in_place = jax.tree.map(lambda a, b: a.sharding == b.sharding, restored, like)
    return {
        "saved": digest(state),
        "restored": digest(restored),
        "in place": all(jax.tree.leaves(in_place)),
    }


def digest(state: TrainState) -> str:
    """Digest of all bytes of a state, on any devices."""
    leaves = jax.tree.leaves(state._replace(key=jax.random.key_data(state.key)))
    return hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves)).hexdigest()


def born_sharded() -> dict[str, float]:
    """Compare a state initialised sharded with one that is resharded."""
    objective, placement = OBJECTIVES["dense"], placements()["fully sharded"]
    born = sharding.init_sharded(placement, objective, OPTIMIZER, KEY)
    put = training.init_state(objective, OPTIMIZER, KEY)
    differences = jax.tree.map(relative, born.params, put.params)
    return {
        "difference": max(jax.tree.leaves(differences)),
        "share": share_of_one_device(born),
    }


def work_of_an_epoch() -> float:
    """FLOPs of one device in an epoch without remainder, relative to a single device."""
    objective, placement = OBJECTIVES["dense"], placements()["data parallel"]
    state = training.init_state(objective, OPTIMIZER, KEY)
    data = Batch(jnp.tile(X, (64, 1)))

    def operations(placement: Placement) -> float:
        on_mesh = place_objective(placement, objective)
        run = jax.jit(
            lambda state, data: training.epoch(on_mesh, OPTIMIZER, state, data, batch_size=640)
        )
        put = jax.device_put((state, data), placement.data)
        return (run.lower(*put).compile().cost_analysis() or {})["flops"]

    return operations(placement) / operations(training.ONE_DEVICE)


def moments_of_shards() -> dict[str, float]:
    """Moments merged from the shards of all devices, against NumPy's of all data."""
    x = np.random.default_rng(0).normal(size=(40, 6)) + np.arange(40)[:, None]  # devices differ
    x = x.astype(np.float32)
    rows = jax.sharding.NamedSharding(sharding.make_mesh(), jax.sharding.PartitionSpec("data"))
    data = jax.device_put(x, rows)
    parts = [moments(np.asarray(shard.data)) for shard in data.addressable_shards]
    merged = merge_in_pairs(parts)
    second = merged.factor.T @ merged.factor
    return {
        "parts": len(parts),
        "mean": relative(merged.mean, x.mean(axis=0, dtype=np.float64)),
        "covariance": relative(second, np.cov(x, rowvar=False, bias=True, dtype=np.float64)),
    }


def population_on_two() -> float:
    """Three members on two devices, against three members on one."""

    def make(rate: Array) -> tuple[Objective, optax.GradientTransformation]:
        return OBJECTIVES["dense"], optax.sgd(rate)

    two, one = (
        training.fit_population(
            make,
            Batch(X),
            hyperparameters=jnp.asarray([0.1, 0.2, 0.3]),
            key=KEY,
            epochs=3,
            batch_size=16,
            devices=jax.devices()[:count],
        )
        for count in (2, 1)
    )
    values = jax.tree.map(relative, (two[0].params, two[1]), (one[0].params, one[1]))
    return max(jax.tree.leaves(values))


def changed_before_epochs() -> float:
    """Parameters on eight devices, against one, if a function changes the state before epochs."""

    def shrunk(state: TrainState) -> TrainState:
        return state._replace(params=jax.tree.map(lambda leaf: 0.9 * leaf, state.params))

    found, expected = (
        training.fit(
            *(OBJECTIVES["dense"], OPTIMIZER, Batch(X)),
            epochs=2,
            key=KEY,
            batch_size=16,
            before_epoch=shrunk,
            placement=placement,
        )[0].params
        for placement in (placements()["fully sharded"], training.ONE_DEVICE)
    )
    return max(jax.tree.leaves(jax.tree.map(relative, found, expected)))


QUICK = {"sparse": ("data parallel", "fully sharded, tensor parallel")}


def main(folder: Path, every: bool) -> None:
    answers = {
        "devices": jax.device_count(),
        "batch terms": batch_terms(),
        "restored": restored_elsewhere(folder),
        "moments": moments_of_shards(),
        "population": population_on_two(),
        "changed before epochs": changed_before_epochs(),
        "exchanges": divided_examples.exchanges(),
        "epoch of large data": divided_examples.epoch_of_large_data(),
        "refusal": divided_examples.refusal(),
    }
    if every:
        cases = {name: tuple(placements()) for name in CASES}
        answers |= {
            "differences": list(differences(cases, epochs=100)),
            "dictionaries": list(dictionaries()),
            "born sharded": born_sharded(),
            "work of an epoch": work_of_an_epoch(),
            "own division": divided_examples.own_division(),
            "divided data": divided_data.run(divided_data.QUICK),
            "communication": communication.run(communication.QUICK)["rows"],
        }
    else:
        config = communication.QUICK
        dense = communication.objectives(config)["dense"]
        place = "data parallel"
        row = communication.count(dense, place, communication.placements(config)[place], config)
        answers |= {
            "differences": list(differences(QUICK, epochs=20)),
            "communication": [{"objective": "dense", **row}],
        }
    print(json.dumps(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]), every="--every" in sys.argv)
