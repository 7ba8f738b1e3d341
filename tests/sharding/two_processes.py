"""One of two processes of a `jax.distributed` training; prints its results as JSON."""

import json
import os
import signal
import sys
from pathlib import Path

import jax
import numpy as np
import optax

import aejax
from aejax import Batch, checkpoints, losses, penalties, sharding, training
from aejax.training import TrainState
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


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
    except training.LostProcessError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)  # a normal exit would wait for the other process
