"""Training steps compiled for meshes of TPUs: communication beside its minimum, and wide codes.

Each row is a plan of `aejax.planning`, compiled by XLA for TPUs that are not at hand. Volumes are
bytes that each device sends per step with ring algorithms. The minimum counts float32 values; XLA
gathers the kernels of fully sharded training in bfloat16, so it can send less.

Command:  python -m benchmarks.mesh_plans
Run time: ten minutes on two cores. It needs `pip install 'aejax[plan-tpu]'`; nothing is measured.
Source:   Shoeybi et al. 2019, §3 (tensor parallel); Rajbhandari et al. 2020 (fully sharded).
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import jax
import optax

import aejax
from aejax import losses, planning, sharding
from aejax.planning.compiled_steps import uncached_programs
from aejax.planning.plan_records import as_json
from aejax.repr_text import bytes_text
from aejax.runs.atomic_files import write_text
from aejax.runs.json_files import read_json
from aejax.training import Placement

RESULTS = Path(__file__).parent / "results" / "mesh_plans"
HEAD = """# Training steps compiled for meshes of TPUs

Written by `python -m benchmarks.mesh_plans` with jax {jax} and libtpu {libtpu}: predictions of the
compiler, not measurements. Sizes are those of one device. "Sent" counts ring algorithms; its ideal
counts float32 values, and the compiler gathers the kernels of fully sharded training in bfloat16,
so that the ratio can be below 1. The candidates of a top-k code are exchanged too. State:
parameters and optimiser state.

"""
DEEP = (784, 1000, 500, 250, 30)
SQUARE = (2048, 4096, 2048)
"""Widths that 256 devices can divide."""

TARGETS = ("v5e:2x2", "v5e:4x4", "v5e:8x8", "v5e:16x16")


class Case(NamedTuple):
    """One training step.

    table:      title of its table.
    sizes:      widths of the input, the hidden layers and the code.
    active:     number of active units of a top-k code; 0 for ReLU units.
    target:     name of the target.
    model:      number of devices that share a wide layer.
    sharded:    whether parameters and optimiser state are divided along "data".
    batch_size: number of examples of a step, of all devices.
    wide:       minimum number of units of a layer that is split.
    """

    table: str
    sizes: tuple[int, ...]
    active: int
    target: str
    model: int
    sharded: bool
    batch_size: int
    wide: int = 1024


def cases() -> Iterator[Case]:
    """Every case, table by table."""
    yield Case("Dictionaries", (4096, 2**20), 64, "v5p:8x8x8", 64, False, 131072)
    for model in (4, 8, 16, 32, 64, 128, 256):
        yield Case("Dictionaries", (4096, 2**18), 0, "v5e:16x16", model, False, 65536)
    title, modes = "Communication, 256 examples a device", product((1, 2), (False, True))
    for model, sharded in modes:
        yield Case(title, DEEP, 0, "v5e:2x2", model, sharded, 1024, wide=500)
    for target, (model, sharded) in product(TARGETS, product((1, 4), (False, True))):
        devices = planning.find_target(target).devices
        if model < devices or not sharded:
            yield Case(title, SQUARE, 0, target, model, sharded, 256 * devices)


def place(devices: Sequence[Any], case: Case) -> Placement:
    """Placement of a case on the devices of its target."""
    mesh = sharding.make_mesh(model=case.model, devices=devices)
    placement = (
        sharding.tensor_parallel(mesh, wide=case.wide)
        if case.model > 1
        else sharding.data_parallel(mesh)
    )
    return sharding.fully_sharded(placement) if case.sharded else placement


def plan(case: Case) -> dict[str, Any]:
    """Compile the step of a case, and return its plan."""
    activation = aejax.top_k(k=case.active) if case.active else jax.nn.relu
    objective = aejax.objective(aejax.dense(case.sizes, code_activation=activation), losses.squared)
    x = jax.ShapeDtypeStruct((case.batch_size, case.sizes[0]), "float32")
    found = planning.plan(
        objective,
        optax.adam(1e-3),
        x,
        target=case.target,
        batch_size=case.batch_size,
        place=partial(place, case=case),
    )
    return as_json(found)


def run(
    kept: Mapping[str, Any], progress: Callable[[Sequence[dict[str, Any]]], Any]
) -> list[dict[str, Any]]:
    """Plan every case, one for each CPU core at a time, except those with a kept plan.

    Args:
        kept: plans of earlier calls by the text of their case.
        progress: function called with all rows that are there, after each case.

    Returns:
        The cases with their plans.
    """
    plans, lock = dict(kept), Lock()

    def rows() -> list[dict[str, Any]]:
        return [
            {"case": case._asdict() | {"sizes": list(case.sizes)}, "plan": plans[str(case)]}
            for case in cases()
            if str(case) in plans
        ]

    def add(case: Case) -> None:
        found = plan(case)
        with lock:
            plans[str(case)] = found
            progress(rows())

    with uncached_programs(), ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(add, (case for case in cases() if str(case) not in plans)))
    return rows()


def table(rows: Sequence[Mapping[str, Any]], versions: Mapping[str, str]) -> str:
    """Format the rows as a Markdown document."""
    text = HEAD.format(**versions)
    for title in dict.fromkeys(row["case"]["table"] for row in rows):
        text += (
            f"## {title}\n\n| autoencoder | target | data × model | sharded | batch | state | "
            "temporaries | sent | ideal | ratio | collectives |\n"
            "|---|---|---|---|---:|---:|---:|---:|---:|---:|---|\n"
        )
        text += "".join(_line(row) for row in rows if row["case"]["table"] == title) + "\n"
    return text.rstrip() + "\n"


def _line(row: Mapping[str, Any]) -> str:
    case, found = row["case"], row["plan"]
    memory, sizes = found["memory"], "-".join(map(str, case["sizes"]))
    kinds: dict[str, int] = {}
    for each in found["collectives"]:
        kinds[each["kind"]] = kinds.get(each["kind"], 0) + each["executions"]
    cells = (
        f"{sizes}, top {case['active']}" if case["active"] else sizes,
        case["target"],
        f"{found['mesh']['data']} × {found['mesh']['model']}",
        "yes" if case["sharded"] else "no",
        case["batch_size"],
        bytes_text(memory["parameters"] + memory["optimizer_state"]),
        bytes_text(memory["temporaries"]) if found["fits"] else "does not fit",
        bytes_text(round(found["sent"])),
        bytes_text(round(found["ideal_sent"])),
        f"{found['sent'] / found['ideal_sent']:.3f}" if found["ideal_sent"] else "–",
        ", ".join(f"{count} {kind}" for kind, count in kinds.items()),
    )
    return f"| {' | '.join(map(str, cells))} |\n"


def main() -> None:
    """Plan every case, write the plans and their tables, and print the tables.

    Plans that were written with the same versions are kept; `--fresh` compiles them again.
    """
    jax.config.update("jax_platforms", "cpu")
    versions = {name: version(name) for name in ("jax", "libtpu")}
    record, text = RESULTS.with_suffix(".json"), RESULTS.with_suffix(".md")
    old = read_json(record) if record.exists() and "--fresh" not in sys.argv else {"versions": {}}
    kept = {
        str(Case(**row["case"] | {"sizes": tuple(row["case"]["sizes"])})): row["plan"]
        for row in (old["rows"] if old["versions"] == versions else ())
    }

    def write(rows: Sequence[dict[str, Any]]) -> None:
        found = {"versions": versions, "rows": rows}
        write_text(record, json.dumps(found, indent=1) + "\n")
        print(f"{len(rows)} of {len(list(cases()))}", file=sys.stderr, flush=True)

    rows = run(kept, write)
    write_text(text, table(rows, versions))
    print(table(rows, versions))


if __name__ == "__main__":
    main()
