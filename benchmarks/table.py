"""The page of all benchmarks, written from their results: `python -m benchmarks.table`."""

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
    "population": "population",
    "population_cuda": "population --config.device cuda",
    "convolution": "convolution",
    "pca": "pca",
    "checkpoints": "checkpoints",
    "command": "command",
    "compile_time": "compile_time",
    "input_pipeline": "input_pipeline",
    "attempts": "attempts",
}
"""Name of a file of results -> the module that wrote it, and its options."""
HEAD = """# Benchmarks

Ways to the same end, side by side in one process: each is called once, which compiles it, and then
all in turn, round after round. What slows the machine for a while slows all of them, so that a
ratio stands where seconds do not: it is the first way's time over a way's own, as the median over
rounds with its quartiles; above one is faster than the first. Seconds are the median of the rounds,
and the least. `make bench` runs all of them, on a machine that should do nothing else, and writes
this page, beside what other machines found; [what was found and changed](../docs/performance.md),
and [what a step communicates](results/communication.md). `make bench-cuda` adds what needs a GPU.
`benchmarks.seeds`, `benchmarks.memory` and `benchmarks.kernels` have results of their own in
[results](results).
"""
TIMES = ("first", "median", "least", "greatest", "ratio")


def page(results: Path = RESULTS) -> str:
    """The page of what has been recorded in a folder, on whatever machines."""
    found = [
        (command, [json.loads(file.read_text(encoding="utf-8")) for file in files])
        for name, command in COMMANDS.items()
        if (files := sorted(results.glob(f"*/{name}.json")))
    ]
    return HEAD + "".join(_section(command, records) for command, records in found)


def main() -> None:
    """Write the page."""
    write_text(README, page())


def _section(command: str, records: list[dict[str, Any]]) -> str:
    """A benchmark's tables, one of each machine, under what its docstring says of it."""
    module = importlib.import_module(f"benchmarks.{command.split()[0]}")
    title, about, *_ = (module.__doc__ or "").split("\n\n")
    head = f"\n## {title.rstrip('.')}\n\n{about} `python -m benchmarks.{command}`\n"
    return head + "".join(f"\n{_machine(record)}\n\n{_table(record)}" for record in records)


def _machine(record: dict[str, Any]) -> str:
    """What a record was made on, and with."""
    machine = record["environment"]
    device = "" if "cpu" in machine["device"] else f"{machine['device']}; "
    versions = ", ".join(f"{what} {machine[what]}" for what in ("jax", *record["peers"]))
    return (
        f"**{device}{machine['processor']}, {machine['cores']} cores**, of which "
        f"{machine['load'][0]} busy a minute before the end; {versions}; "
        f"commit {machine['revision']}"
    )


def _table(record: dict[str, Any]) -> str:
    extras = [what for what in next(_ways(record))[2] if what not in TIMES]
    head = ["what", "way", "seconds", "least", "ratio", *extras, "first call"]
    rows = [head, ["---"] * 2 + ["---:"] * (len(head) - 2)]
    rows += [[case, way, *_cells(each, extras)] for case, way, each in _ways(record)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _ways(record: dict[str, Any]) -> Any:
    for case, ways in record["found"].items():
        for way, each in ways.items():
            yield case, way, each


def _cells(each: dict[str, Any], extras: list[str]) -> list[str]:
    median, low, high = each["ratio"]
    ratio = f"{median:.2f} [{low:.2f}, {high:.2f}]"
    times = [f"{each['median']:.4g}", f"{each['least']:.4g}"]
    return [*times, ratio, *(f"{each[what]:g}" for what in extras), f"{each['first']:.3g}"]


if __name__ == "__main__":
    tyro.cli(main)
