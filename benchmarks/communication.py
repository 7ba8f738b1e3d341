"""Communication per training step on a mesh: count in the compiled program and ideal.

Data-parallel training sums the gradients over the devices in one all-reduce. Fully sharded training
(ZeRO stage 3) also gathers the parameters. Tensor-parallel training sums the outputs of row-split
layers and the gradients of the inputs of column-split layers. The ideal, the minimum in theory,
follows from the layer widths.

Command:  python -m benchmarks.communication
Run time: a minute on one core. The devices are virtual: speed is not measured.
Source:   Shoeybi et al. 2019, §3 (tensor parallel); Rajbhandari et al. 2020 (fully sharded).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding, PartitionSpec

import aejax
from aejax import Batch, Objective, losses, penalties, sharding, training
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment
from aejax.sharding.collectives import collectives
from aejax.training import Placement, TrainState, place_objective

RESULTS = Path(__file__).parent / "results" / "communication"
HEAD = """# Communication per step

Written by `python -m benchmarks.communication`: a dense autoencoder {sizes} on {devices} devices,
batch size {batch_size}; tensor parallel: layers of at least {wide} units are split over {model}
devices. Bytes are those that each device sends per step with ring algorithms. XLA's CPU compiler
uses an all-reduce for sharded gradients instead of a reduce-scatter, so a fully sharded step sends
up to 1.5 times the ideal.

| objective | placement | collectives per step | MiB sent | ideal | ratio |
|---|---|---|---:|---:|---:|
"""


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """widths of the input, the hidden layers and the code"""
    batch_size: int = 256
    """batch size"""
    devices: int = 8
    """number of devices of the mesh"""
    model: int = 4
    """number of devices over which wide layers are split in tensor-parallel training"""
    wide: int = 500
    """minimum number of units of a layer that is split"""


QUICK = Config(sizes=(64, 128, 64, 8), batch_size=64, wide=128)


def placements(config: Config) -> dict[str, Placement]:
    """Every placement of state and batch on the devices."""
    devices = jax.devices("cpu")[: config.devices]
    data = sharding.data_parallel(sharding.make_mesh(devices=devices))
    model = sharding.tensor_parallel(
        sharding.make_mesh(model=config.model, devices=devices), wide=config.wide
    )
    return {
        "data parallel": data,
        "fully sharded": sharding.fully_sharded(data),
        "tensor parallel": model,
        "fully sharded, tensor parallel": sharding.fully_sharded(model),
    }


def objectives(config: Config) -> dict[str, Objective]:
    """A plain autoencoder, and one with a penalty on means over the batch."""
    model = aejax.dense(config.sizes)
    sparsity = {"sparsity": (0.1, penalties.kl_sparsity(rho=0.1))}
    return {
        "dense": aejax.objective(model, losses.bernoulli),
        "sparse": aejax.objective(model, losses.bernoulli, penalties=sparsity),
    }


def run(config: Config) -> dict[str, Any]:
    """Compile a step of every objective under every placement and count its collectives."""
    return {
        "rows": [
            {"objective": name, **count(objective, placement_name, placement, config)}
            for name, objective in objectives(config).items()
            for placement_name, placement in placements(config).items()
        ]
    }


def count(
    objective: Objective, placement_name: str, placement: Placement, config: Config
) -> dict[str, Any]:
    """One row of the table: collectives by kind, bytes sent per device, and the ideal."""
    step = compiled_step(
        objective, placement, features=config.sizes[0], batch_size=config.batch_size
    )
    found = collectives(step)
    sent = sum(traffic.sent for traffic in found.values())
    minimum = ideal(config, split="tensor" in placement_name)
    return {
        "placement": placement_name,
        "collectives": {kind: traffic.instructions for kind, traffic in found.items()},
        "sent": sent,
        "ideal": minimum,
        "ratio": sent / minimum,
    }


def compiled_step(
    objective: Objective, placement: Placement, *, features: int, batch_size: int
) -> jax.stages.Compiled:
    """Compile one step of Adam under a placement, for abstract arrays and a sharded batch."""
    optimizer = optax.adam(1e-3)
    on_mesh = place_objective(placement, objective)

    def start() -> tuple[TrainState, Batch]:
        state = training.init_state(objective, optimizer, jax.random.key(0))
        return state, Batch(jnp.zeros((batch_size, features)))

    state, batch = jax.eval_shape(start)
    shardings = jax.tree.map(placement.array, state)
    mesh = cast(NamedSharding, placement.data).mesh
    examples = NamedSharding(mesh, PartitionSpec("data"))
    step = jax.jit(
        lambda state, batch: training.step(on_mesh, optimizer, state, batch),
        in_shardings=(shardings, examples),
        out_shardings=(shardings, placement.data),
    )
    return step.lower(state, batch).compile()


def ideal(config: Config, *, split: bool) -> float:
    """Bytes that each device must send in a step of a dense autoencoder.

    The gradients of the parameters that a device uses are summed over the axis "data", which costs
    2(n−1)/n of their bytes: one all-reduce, or a reduce-scatter and an all-gather of the updated
    parameters. If wide layers are split over the axis "model", the outputs of row-split layers and
    the gradients of the inputs of column-split layers (except of the data) are summed too, which
    costs 2(m−1)/m of their bytes.
    """
    m = config.model if split else 1
    n = config.devices // m
    batch = config.batch_size // n
    gradients = activations = 0.0
    layers = list(pairwise(config.sizes + config.sizes[-2::-1]))
    for inputs, outputs in layers:
        columns = split and outputs >= config.wide
        rows = split and not columns and inputs >= config.wide
        gradients += inputs * outputs / (m if columns or rows else 1)
        gradients += outputs / (m if columns else 1)
        activations += batch * outputs * rows + batch * inputs * (
            columns and (inputs, outputs) != layers[0]
        )
    return 4 * (2 * (n - 1) / n * gradients + 2 * (m - 1) / m * activations)


def table(config: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Format the rows as a Markdown document."""
    lines = []
    for row in rows:
        kinds = ", ".join(f"{count} {kind}" for kind, count in row["collectives"].items())
        mebibytes = " | ".join(f"{row[name] / 2**20:.2f}" for name in ("sent", "ideal"))
        cells = (row["objective"], row["placement"], kinds, mebibytes, f"{row['ratio']:.3f}")
        lines.append(f"| {' | '.join(cells)} |\n")
    sizes = "-".join(map(str, config["sizes"]))
    return HEAD.format(**{**config, "sizes": sizes}) + "".join(lines)


def main() -> None:
    """Run the benchmark, write its results and their table, and print the table."""
    config = Config()
    jax.config.update("jax_num_cpu_devices", config.devices)
    results = run(config)
    record = {"config": asdict(config), **results, "environment": environment()}
    write_text(RESULTS.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
    write_text(RESULTS.with_suffix(".md"), table(record["config"], record["rows"]))
    print(RESULTS.with_suffix(".md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
