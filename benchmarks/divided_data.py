"""Memory and communication of examples that are divided among the devices of a mesh.

The epoch of `training.fit` is compiled for meshes of several sizes. Each device stores its share of
the examples, and receives those of the next steps in one exchange. Ideally only the examples of a
device's part of a batch that are stored elsewhere move, (n − 1)/n of them.

Command:  python -m benchmarks.divided_data
Run time: a minute on one core. The devices are virtual: speed is not measured.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax

import aejax
from aejax import Batch, losses, sharding, training
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment
from aejax.sharding.example_exchange import steps_per_exchange
from aejax.training.batches import DividedData
from aejax.training.placement import place_objective

RESULTS = Path(__file__).parent / "results" / "divided_data"
HEAD = """# Examples divided among devices

Written by `python -m benchmarks.divided_data`: {examples} examples of {features} features, batch
size {batch_size}. Per device: the examples that it stores; the temporaries of the compiled epoch;
the examples that it sends for a step, and the minimum.

| devices | MiB stored | MiB of all examples | MiB of temporaries | KiB sent per step | ideal |
|---:|---:|---:|---:|---:|---:|
"""


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    examples: int = 60_000
    """number of examples"""
    features: int = 784
    """number of features"""
    batch_size: int = 1000
    """batch size; the number of steps has divisors, so that all exchanges have the same size"""
    devices: tuple[int, ...] = (2, 4, 8)
    """numbers of devices of the meshes"""


QUICK = Config(examples=640, features=16, batch_size=32, devices=(2,))


def run(config: Config) -> list[dict[str, Any]]:
    """One row per number of devices."""
    return [measure(config, devices) for devices in config.devices]


def measure(config: Config, devices: int) -> dict[str, Any]:
    """Memory of a device in bytes, and the bytes that it sends per step in the exchange."""
    placement = sharding.data_parallel(sharding.make_mesh(devices=jax.devices("cpu")[:devices]))
    optimizer = optax.sgd(0.1)
    objective = aejax.objective(aejax.dense((config.features, 16)), losses.bernoulli)

    def start() -> tuple[training.TrainState, Batch]:
        state = training.init_state(objective, optimizer, jax.random.key(0))
        return state, Batch(jnp.zeros((config.examples, config.features)))

    state, batch = jax.eval_shape(start)
    data = DividedData(batch, None)
    epoch = jax.jit(
        lambda state, data: training.epoch(
            place_objective(placement, objective),
            optimizer,
            state,
            data,
            batch_size=config.batch_size,
            scan=placement.scan,
        ),
        in_shardings=(placement.data, DividedData(placement.batch, None)),  # type: ignore[arg-type]
        out_shardings=placement.data,
    )
    program = epoch.lower(state, data).compile()
    steps = config.examples // config.batch_size
    together = steps_per_exchange(data, steps, config.batch_size, devices)
    assert steps % together == 0  # all exchanges have one size
    memory = program.memory_analysis()
    assert memory is not None
    row_bytes = 4 * config.features
    return {
        "devices": devices,
        "stored": memory.argument_size_in_bytes - state_bytes(state),
        "all": config.examples * row_bytes,
        "temporaries": memory.temp_size_in_bytes,
        "sent": sharding.collectives(program)["all-to-all"].sent / together,
        "ideal": (devices - 1) / devices * config.batch_size / devices * row_bytes,
    }


def state_bytes(state: training.TrainState) -> int:
    """Size of a state."""
    leaves = jax.tree.leaves(state._replace(key=jax.random.key_data(jax.random.key(0))))
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def table(config: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Format the rows as a Markdown document."""
    lines = []
    for row in rows:
        mebibytes = [f"{row[name] / 2**20:.1f}" for name in ("stored", "all", "temporaries")]
        kibibytes = [f"{row[name] / 2**10:.0f}" for name in ("sent", "ideal")]
        lines.append(f"| {' | '.join([str(row['devices']), *mebibytes, *kibibytes])} |\n")
    return HEAD.format(**config) + "".join(lines)


def main() -> None:
    """Run the benchmark, write its results and their table, and print the table."""
    config = Config()
    jax.config.update("jax_num_cpu_devices", max(config.devices))
    rows = run(config)
    record = {"config": asdict(config), "rows": rows, "environment": environment()}
    write_text(RESULTS.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
    write_text(RESULTS.with_suffix(".md"), table(record["config"], rows))
    print(RESULTS.with_suffix(".md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
