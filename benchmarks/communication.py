"""Communication per training step on a mesh: count in the compiled program and ideal.

Data-parallel training sums the gradients over the devices in one all-reduce. Fully sharded training
(ZeRO stage 3) also gathers the parameters. Tensor-parallel training sums the outputs of row-split
layers and the gradients of the inputs of column-split layers. The ideal, the minimum in theory,
follows from the shardings.

Command:  python -m benchmarks.communication
Run time: a minute on one core. The devices are virtual: speed is not measured.
Source:   Shoeybi et al. 2019, §3 (tensor parallel); Rajbhandari et al. 2020 (fully sharded).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import optax

import aejax
from aejax import Objective, losses, penalties, planning, sharding
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment
from aejax.sharding.collectives import collectives
from aejax.training import Placement

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
    optimizer = optax.adam(1e-3)
    x = jax.ShapeDtypeStruct((config.batch_size, config.sizes[0]), "float32")
    step = planning.compile_step(
        objective, optimizer, x, batch_size=config.batch_size, placement=placement
    )
    assert isinstance(step, jax.stages.Compiled), step
    found = collectives(step)
    sent = sum(traffic.sent for traffic in found.values())
    params = planning.abstract_state(objective, optimizer, placement).params
    minimum = planning.ideal_communication(params, config.batch_size)
    return {
        "placement": placement_name,
        "collectives": {kind: traffic.instructions for kind, traffic in found.items()},
        "sent": sent,
        "ideal": minimum,
        "ratio": sent / minimum,
    }


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
