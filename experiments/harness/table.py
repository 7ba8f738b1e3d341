"""The table of all experiments, written from their committed records: `make experiments-table`."""

import importlib
import json
import pkgutil
from types import ModuleType
from typing import Any

import experiments
from aejax.runs.atomic_files import write_text
from experiments.harness import records

README = records.ROOT / "experiments" / "README.md"
HEAD = """# Experiments

One readable file for each claim of the course. Each runs with one command and writes its numbers,
verdict and figure under `results/`; those of the full setting are committed in
[`experiments/results`](results). `--quick` is the small setting, on data that need no network;
`--seeds`, `--data` and every other field of the experiment's `Config` are options. Where a command
names MNIST, that is the data set once prepared (`aejax data prepare mnist`), or by
`--data FOLDER` its four files. `aejax report experiments/results` makes pages of them all.

A claim that compares is decided over seeds: by the 95 % interval, by Student's t, of the difference
paired over seeds, which must lie on the claimed side of zero. *Confirmed* means that all of an
experiment's comparisons hold, *partly confirmed* that some do. The number is the first of them:
its mean with that interval. Time is by the wall clock, on two cores shared with other work; an
experiment's docstring says what a quiet core takes.

This file is written by `make experiments-table` from the committed results.

| claim | verdict | figure | number | command | time |
|---|---|---|---|---|---|
"""


def modules() -> dict[str, ModuleType]:
    """Every experiment by name."""
    names = [module.name for module in pkgutil.iter_modules(experiments.__path__)]
    return {
        name: importlib.import_module(f"experiments.{name}")
        for name in sorted(names)
        if name != "harness"
    }


def refreshed(experiment: ModuleType) -> dict[str, Any]:
    """The committed record, with the words and the verdict that the file now has for it."""
    file = records.summary_file(records.name_of(experiment))
    record = json.loads(file.read_text(encoding="utf-8"))
    verdict = records.judged(experiment, record["metrics"])
    return record | {"about": records.about(experiment), **verdict}


def table(found: list[dict[str, Any]]) -> str:
    """The README, from the records in order."""
    return HEAD + "".join(_row(record) for record in found)


def main() -> None:
    """Refresh the committed records, and write the README of them."""
    found = [refreshed(experiment) for experiment in modules().values()]
    for record in found:
        records.write_record(records.summary_file(record["experiment"]), record)
    write_text(README, table(found))


def _row(record: dict[str, Any]) -> str:
    name = record["experiment"]
    claim, (mean, low, high, _) = next(iter(record["comparisons"].items()))
    number = f"{claim}: {mean:.3g} [{low:.3g}, {high:.3g}]".replace("-", "−")
    cells = (
        f"[{record['about']['title'].rstrip('.')}]({name}.py)",
        f"{record['verdict']} ({sum(holds for *_, holds in record['comparisons'].values())} of "
        f"{len(record['comparisons'])})",
        f"[figure](results/{name}.png)",
        number,
        f"`{record['about']['command']}`",
        f"{record['seconds']:.0f} s",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    main()
