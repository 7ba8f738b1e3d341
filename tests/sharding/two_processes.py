"""One of two processes of a `jax.distributed` training; prints its results as JSON."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

import aejax
from aejax import Batch, checkpoints, losses, penalties, runs, sharding, training
from aejax.training import Placement, TrainState
from aejax.training.records import Record

X = np.random.default_rng(0).uniform(size=(20, 12)).astype(np.float32)
"""One step of 16 examples and a remainder of 4."""

OBJECTIVE = aejax.objective(
    aejax.dense((12, 32, 8)),
    losses.bernoulli,
    penalties={"sparsity": (0.5, penalties.kl_sparsity(rho=0.1))},
)
OPTIMIZER = optax.adam(1e-2)
EPOCHS, DEATH = 100, 7


def main(process: int, port: int, folder: Path, task: str) -> None:
    jax.distributed.initialize(f"localhost:{port}", 2, process)
    mesh = sharding.make_mesh()
    placement = sharding.fully_sharded(sharding.data_parallel(mesh), least=64)
    state = sharding.init_sharded(placement, OBJECTIVE, OPTIMIZER, jax.random.key(0))
    if task == "divided":
        print(json.dumps(divided(folder, placement, state)))
        return
    if task == "go on":
        state, _ = checkpoints.restore(folder, state)

    def die(_: TrainState, record: Record) -> None:
        if task == "lose one" and record["epoch"] == DEATH and process == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def save(state: TrainState, record: Record) -> None:
        if record["epoch"] % 5 == 0:
            checkpoints.save(folder, state, configuration={})

    state, history = training.fit(
        OBJECTIVE,
        OPTIMIZER,
        Batch(X),
        state=state,
        epochs=EPOCHS,
        batch_size=16,
        placement=placement,
        callbacks=[die, save],
    )
    answer = {
        "processes": jax.process_count(),
        "devices": jax.device_count(),
        "losses": [record["loss"] for record in history],
    }
    print(json.dumps(answer))


def divided(folder: Path, placement: Placement, state: TrainState) -> dict[str, Any]:
    """Training on examples of which each process has only its half, or a memory-mapped file."""
    half = slice(*np.array([0, 10]) + 10 * jax.process_index())

    def joined(x: np.ndarray) -> Batch:
        assert placement.batch is not None
        return Batch(jax.make_array_from_process_local_data(placement.batch, x[half], x.shape))

    options: Any = {"batch_size": 16, "placement": placement}
    state, history = training.fit(
        OBJECTIVE, OPTIMIZER, joined(X), state=state, epochs=EPOCHS, validation=joined(X), **options
    )
    uneven = Batch(np.load(folder / "uneven.npy", mmap_mode="r"))  # type: ignore[arg-type]
    _, of_uneven = training.fit(OBJECTIVE, OPTIMIZER, uneven, key=0, epochs=2, **options)
    run = runs.train(
        OBJECTIVE, OPTIMIZER, joined(X), out=folder / "run", key=0, epochs=2, loggers=[], **options
    )
    invalid = X.copy()
    invalid[13, 2] = np.nan  # an example of process 1
    try:
        training.fit(OBJECTIVE, OPTIMIZER, joined(invalid), key=0, epochs=1, **options)
        error = "none"
    except ValueError as refused:
        error = str(refused)
    return {
        "losses": [record["loss"] for record in history],
        "validation": history[-1]["validation"]["loss"],
        "uneven": [record["loss"] for record in of_uneven],
        "run": [record["loss"] for record in run.history],
        "error": error,
    }


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
    except training.LostProcessError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)  # a normal exit would wait for the other process
