"""Weak scaling, from the plans of `benchmarks.mesh_plans`: more devices, constant work for each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.accelerators.results import ROOT

PLANS = ROOT / "benchmarks" / "results" / "mesh_plans.json"
CASES = {
    (False, False): "data parallel",
    (False, True): "fully sharded",
    (True, False): "tensor parallel",
    (True, True): "fully sharded, tensor parallel",
}
"""(whether devices share layers, whether the state is divided) -> name of the case."""


def rows(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Select the steps that were planned for several numbers of devices.

    Args:
        record: results of `benchmarks.mesh_plans`.

    Returns:
        A row for each case and target: sizes of a device, and predicted seconds by their cause.
    """
    targets: dict[tuple[int, ...], set[str]] = {}
    for row in _same_work(record):
        targets.setdefault(tuple(row["case"]["sizes"]), set()).add(row["case"]["target"])
    widths = max(targets, key=lambda sizes: len(targets[sizes]))
    chosen = [row for row in _same_work(record) if tuple(row["case"]["sizes"]) == widths]
    return sorted(map(_row, chosen), key=lambda row: [*CASES.values()].index(row["case"]))


def _same_work(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [row for row in record["rows"] if row["case"]["table"].startswith("Communication")]


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    case, plan = row["case"], row["plan"]
    memory = plan["memory"]
    state = memory["parameters"] + memory["optimizer_state"]
    kinds: Counter[str] = Counter()
    for each in plan["collectives"]:
        kinds[each["kind"]] += each["executions"]
    return {
        "case": CASES[case["model"] > 1, case["sharded"]],
        "target": case["target"],
        "devices": plan["devices"],
        "widths": case["sizes"],
        "examples": case["batch_size"] // plan["devices"],
        "state": state,
        "program": memory["code"],
        "rest": memory["total"] - state - memory["code"],
        "sent": plan["sent"],
        "ideal": plan["ideal_sent"],
        "collectives": dict(kinds),
        **plan["roofline"],
    }
