"""docs/accelerators.md from the stored results."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from statistics import median
from typing import Any

from aejax.repr_text import bytes_text
from aejax.runs.atomic_files import write_text
from experiments.harness.markdown import table
from tests.accelerators import scaling_figure
from tests.accelerators.results import COMPILERS, FOLDER, ROOT, WEAK_SCALING

PAGE = ROOT / "docs" / "accelerators.md"
Record = dict[str, Any]
"""Results of one target, or of weak scaling, as stored."""

HEAD = """# Accelerators

`make accelerators` writes this page and its data, `docs/results/accelerators`; `python -m
tests.accelerators --add` compiles only what new components add. Training steps are
compiled for TPUs and GPUs by their own compilers, without the devices
([plan a run](how-to/plan.md) does so for your settings). Nothing here was run on an accelerator:
every memory size is the compiler's, and every time is a prediction.

- [Support matrix](#support-matrix): every component compiles, and the memory it needs.
- [Exclusions](#exclusions): combinations that aejax refuses, with the reason.
- [Weak scaling](#weak-scaling-predicted): memory and communication from 4 to 256 devices.
- [All programs](#all-programs): one row for each compiled program.
"""
SUPPORT_HEAD = """
## Support matrix

A training step is composed of one component of each axis: model, loss, penalty, noise, optimizer,
precision, placement and gradient. The components are those of the contract tests with {size}
times their widths, and {batch_size} examples a step. Every pair of components of any two axes is
in at least one of {programs} programs, and every model with every precision and placement. The
programs with the most combinations are compiled first. In tensor parallel steps, layers of
{divided} units or more are divided between two devices.

{summary}

Each row of the table shows the programs with one component on each target. *Temporaries* are the
memory that a device needs besides the state and the examples: activations, gradients and copies.
*Fusions* are the operations that the compiler fused, and about the number of kernels that a device
launches. Both are given as median and maximum of the programs.

{components}
"""
EXCLUDED_HEAD = """
## Exclusions

aejax refuses these combinations before anything is compiled, with the reason shown.

"""
LIMITS = """
What the matrix does not show:

- Larger sets of components than a pair occur, but not in all combinations.
- Programs are small. `aejax plan` compiles yours at its own size.
- Without a device, nothing is autotuned: on a GPU, matrix products are Triton fusions instead of
  calls to cuBLAS, and sorts use a slower algorithm. The counts of fusions change where they are.
- Loops count once if the compiler does not record how often they run.
"""
SCALING_HEAD = """
## Weak scaling, predicted

An autoencoder {widths} with {examples} examples a step for each device, on meshes from {first} to
{last} devices: every device has the same work on each of them. The plans are those of
[benchmarks.mesh_plans](../benchmarks/results/mesh_plans.md), at the revision of this page. *State*
is the memory of parameters and optimiser state, which fully sharded training divides among all
devices; *program* is that of the instructions; *rest* is examples, activations, gradients and other
values of the step. *Sent* is what a device sends, beside the minimum
in theory for ring algorithms and float32 values. *Least time* is the largest of computation, memory
traffic and communication at published peak rates: a prediction from below that no program reaches.

![Predicted least time of a step against the number of devices](figures/weak_scaling.png)

*Predictions, not measurements: least time of a step against the number of devices.*

"""


def write() -> None:
    """Write docs/accelerators.md and its figure from the stored results."""
    records = stored()
    if WEAK_SCALING in records:
        scaling_figure.write(records[WEAK_SCALING]["rows"])
    write_text(PAGE, text(records))


def stored() -> dict[str, Record]:
    """The records in docs/results/accelerators, by the name of their file."""
    files = sorted(FOLDER.glob("*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def text(records: Mapping[str, Record]) -> str:
    """Format the page.

    Args:
        records: records by the name of their file.

    Returns:
        The page (Markdown).
    """
    matrices = [record for name, record in records.items() if name != WEAK_SCALING]
    parts = [HEAD]
    if matrices:
        parts.append(_support(matrices))
    if WEAK_SCALING in records:
        parts.append(_weak_scaling(records[WEAK_SCALING]["rows"]))
    if matrices:
        parts.append(_programs(matrices))
    return "".join([*parts, _versions(records.values())])


def _support(matrices: Sequence[Record]) -> str:
    first = matrices[0]
    head = SUPPORT_HEAD.format(
        **first["settings"],
        programs=first["programs"],
        summary=" ".join(map(_summary, matrices)),
        components=_components(matrices),
    )
    return head + LIMITS + EXCLUDED_HEAD + _exclusions(matrices) + "\n"


def _summary(record: Record) -> str:
    rows = record["rows"]
    compiled = [row for row in rows if "fault" not in row]
    fit, host = (sum(map(bool, (row[name] for row in compiled))) for name in ("fits", HOST))
    contained, every = record["combinations"]
    left, kept = record["programs"] - len(rows), record.get("kept", 0)
    earlier = f" The first {kept} were compiled at an earlier revision." if kept else ""
    return (
        f"**{record['target']}: {len(compiled)} of {len(rows)} programs compile, {fit} fit, "
        f"{host} transfer data to the host.** They contain {contained / every:.0%} of the "
        f"combinations{f'; {left} programs are not compiled yet' if left else ''}.{earlier}"
    )


HOST = "host_transfers"


def _components(matrices: Sequence[Record]) -> str:
    """A row for each component: number of programs, temporaries and fusions on each target."""
    head = ["axis", "component"]
    for record in matrices:
        head += [f"{record['target']}: programs", "temporaries", "fusions"]
    every = [row for record in matrices for row in record["rows"]]
    rows = [
        [axis, value, *(cell for record in matrices for cell in _medians(record, axis, value))]
        for axis in matrices[0]["axes"]
        for value in dict.fromkeys(row[axis] for row in every)
    ]
    return table(head, rows)


def _medians(record: Record, axis: str, value: str) -> list[str]:
    chosen = [row for row in record["rows"] if row[axis] == value and "fault" not in row]
    if not chosen:
        return ["0", "", ""]
    temporaries, fusions = ([row[name] for row in chosen] for name in ("temporaries", "fusions"))
    return [
        str(len(chosen)),
        f"{bytes_text(round(median(temporaries)))}, {bytes_text(max(temporaries))}",
        f"{median(fusions):.0f}, {max(fusions)}",
    ]


def _exclusions(matrices: Sequence[Record]) -> str:
    """Exclusions with the same reason in one row."""
    models = {row["model"]: None for record in matrices for row in record["rows"]}
    reasons: dict[tuple[str, str, str], list[Record]] = {}
    for each in matrices[0]["exclusions"]:
        reason = re.sub(r"\d+", "#", each["reason"])
        reasons.setdefault((each["axis"], each["value"], reason), []).append(each)
    rows: dict[tuple[str, str, str], list[str]] = {}
    shown: dict[str, str] = {}
    for (axis, value, reason), found in reasons.items():
        which = _which([each["model"] for each in found], list(models))
        rows.setdefault((axis, which, reason), []).append(value)
        shown.setdefault(reason, found[0]["reason"])
    return table(
        ["axis", "components", "models", "reason"],
        [
            [axis, ", ".join(values), which, shown[reason].replace("|", "\\|")]
            for (axis, which, reason), values in rows.items()
        ],
    )


def _which(names: Sequence[str], every: Sequence[str]) -> str:
    others = [name for name in every if name not in names]
    if len(names) > len(every) / 2:
        return f"all except {', '.join(others)}" if others else "all"
    return ", ".join(names)


PARTS = ("state", "program", "rest")
"""Parts of the memory of a device."""


def _weak_scaling(rows: Sequence[Record]) -> str:
    devices = [row["devices"] for row in rows]
    head = SCALING_HEAD.format(
        widths="-".join(map(str, rows[0]["widths"])),
        examples=rows[0]["examples"],
        first=min(devices),
        last=max(devices),
    )
    columns = ("case", "target", *PARTS, "sent", "ideal", "ratio", "collectives")
    columns += ("least time (ms)", "bound")
    return head + table(columns, list(map(_scaling_row, rows))) + _spread(rows)


def _scaling_row(row: Record) -> list[str]:
    sizes = [bytes_text(round(row[name])) for name in (*PARTS, "sent", "ideal")]
    return [
        row["case"],
        row["target"],
        *sizes,
        f"{row['sent'] / row['ideal']:.3f}" if row["ideal"] else "",
        _collectives(row["collectives"]),
        f"{1e3 * row['seconds']:.3g}",
        row["bound"],
    ]


def _spread(rows: Sequence[Record]) -> str:
    """Largest differences of memory between meshes, for each case."""
    found = {"all memory": PARTS, "*rest*": ("rest",)}
    return (
        "".join(
            f"\n\nLargest difference of {title} between the meshes: {_differences(rows, names)}."
            for title, names in found.items()
        )
        + "\n"
    )


def _differences(rows: Sequence[Record], names: Sequence[str]) -> str:
    parts = []
    for case in dict.fromkeys(row["case"] for row in rows):
        sizes = [sum(row[name] for name in names) for row in rows if row["case"] == case]
        parts.append(f"{case} {max(sizes) / min(sizes) - 1:.1%}")
    return "; ".join(parts)


def _programs(matrices: Sequence[Record]) -> str:
    """All programs with their figures on each target."""
    axes = matrices[0]["axes"]
    head = [*axes]
    for record in matrices:
        head += [f"{record['target']}: temporaries", "fusions", "collectives"]
    longest = max((record["rows"] for record in matrices), key=len)
    every = zip_longest(*(record["rows"] for record in matrices))
    rows = [
        [*(choice[axis] for axis in axes), *(cell for row in rows for cell in _figures(row))]
        for choice, rows in zip(longest, every, strict=True)
    ]
    return f"\n## All programs\n\n{table(head, rows)}\n"


def _figures(row: Record | None) -> list[str]:
    if row is None:
        return ["not compiled", "", ""]
    if "fault" in row:
        return ["does not compile", "", row["fault"].replace("|", "\\|").replace("\n", " ")]
    size = bytes_text(row["temporaries"]) + ("" if row["fits"] else " (does not fit)")
    return [size, str(row["fusions"]), _collectives(row["collectives"])]


def _collectives(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())


def _versions(records: Iterable[Record]) -> str:
    """Versions of JAX and of the compilers."""
    found = {
        f"{name} {record['environment'][name]}"
        for record in records
        for name in ("jax", "jaxlib", *COMPILERS)
        if name in record["environment"]
    }
    return f"\nCompiled with {', '.join(sorted(found))}.\n"
