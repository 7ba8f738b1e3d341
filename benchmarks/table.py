"""Report of all benchmark results, benchmarks/README.md: `python -m benchmarks.table`."""

import importlib
import json
from pathlib import Path
from typing import Any

import tyro

from aejax.runs.atomic_files import write_text
from benchmarks.interleaved import RESULTS

README = RESULTS.parent / "README.md"
COMMANDS = {
    "throughput": "throughput",
    "accelerator": "accelerator",
    "recipes": "recipes",
    "optimizers": "optimizers",
    "population": "population",
    "population_cuda": "population --config.device cuda",
    "dictionary_throughput": "dictionary_throughput",
    "convolution": "convolution",
    "pca": "pca",
    "checkpoints": "checkpoints",
    "command": "command",
    "command_start": "command_start",
    "compile_time": "compile_time",
    "input_pipeline": "input_pipeline",
    "attempts": "attempts",
}
"""Module that wrote a results file and its options, by name of the file."""
HEAD = """# Benchmarks

Each benchmark compares variants in one process. Every variant is called once, which compiles it;
then all take turns for several rounds. Other load slows all variants of a round, so ratios
are more reliable than seconds. *ratio* is the first variant's time divided by a variant's own, as
the median over rounds with its quartiles; a ratio above one is faster than the first. *seconds* is
the median over rounds and *least* the minimum. `make bench` runs the benchmarks on an otherwise
idle machine and writes this report, which keeps the results of other machines. `make bench-cuda`
runs those that need a GPU. See also [the conclusions](../docs/performance.md), [the
communication per step](results/communication.md), [plans for meshes of
TPUs](results/mesh_plans.md) and [examples divided among devices](results/divided_data.md).
`benchmarks.seeds`, `benchmarks.memory` and `benchmarks.kernels` only write to [results](results).
"""
TIMES = ("first", "median", "least", "greatest", "ratio")


def report(results: Path = RESULTS) -> str:
    """Format the results in a folder, of all machines, as Markdown."""
    found = [
        (command, [json.loads(file.read_text(encoding="utf-8")) for file in files])
        for name, command in COMMANDS.items()
        if (files := sorted(results.glob(f"*/{name}.json")))
    ]
    return HEAD + "".join(_section(command, records) for command, records in found)


def main() -> None:
    """Write benchmarks/README.md."""
    write_text(README, report())


def _section(command: str, records: list[dict[str, Any]]) -> str:
    """Section of a benchmark: its docstring, and a table for each machine."""
    module = importlib.import_module(f"benchmarks.{command.split()[0]}")
    title, about, *_ = (module.__doc__ or "").split("\n\n")
    head = f"\n## {title.rstrip('.')}\n\n{about} `python -m benchmarks.{command}`\n"
    return head + "".join(f"\n{_machine(record)}\n\n{_table(record)}" for record in records)


def _machine(record: dict[str, Any]) -> str:
    """Machine and package versions of a record."""
    machine = record["environment"]
    device = "" if "cpu" in machine["device"] else f"{machine['device']}; "
    versions = ", ".join(f"{name} {machine[name]}" for name in ("jax", *record["peers"]))
    return (
        f"**{device}{machine['processor']}, {machine['cores']} cores**, load average "
        f"{machine['load'][0]} in the last minute; {versions}; "
        f"commit {machine['revision']}"
    )


def _table(record: dict[str, Any]) -> str:
    extras = [name for name in next(_rows(record))[2] if name not in TIMES]
    head = ["case", "variant", "seconds", "least", "ratio", *extras, "first call"]
    rows = [head, ["---"] * 2 + ["---:"] * (len(head) - 2)]
    rows += [[case, variant, *_cells(each, extras)] for case, variant, each in _rows(record)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _rows(record: dict[str, Any]) -> Any:
    for case, variants in record["found"].items():
        for variant, each in variants.items():
            yield case, variant, each


def _cells(each: dict[str, Any], extras: list[str]) -> list[str]:
    median, low, high = each["ratio"]
    ratio = f"{median:.2f} [{low:.2f}, {high:.2f}]"
    times = [f"{each['median']:.4g}", f"{each['least']:.4g}"]
    return [*times, ratio, *(f"{each[name]:g}" for name in extras), f"{each['first']:.3g}"]


if __name__ == "__main__":
    tyro.cli(main)
