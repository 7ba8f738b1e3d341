"""Plans as JSON values, and as rows of tables for terminals and reports."""

from collections.abc import Mapping
from typing import Any

from aejax.planning.step_plan import Plan
from aejax.repr_text import bytes_text

Row = dict[str, Any]
"""Column -> text or number."""


def as_json(found: Plan) -> dict[str, Any]:
    """A plan as JSON values.

    Args:
        found: the plan.

    Returns:
        Its fields by name, with the totals of memory and communication.
    """
    fields = found._asdict() | {
        "target": found.target.name,
        "chip": found.target.kind,
        "devices": found.target.devices,
        "source": found.target.chip.source,
        "available_source": found.target.chip.usable_source,
        "memory": found.memory._asdict() | {"total": found.memory.total},
        "counts": None if found.counts is None else found.counts._asdict(),
        "collectives": [row._asdict() for row in found.collectives],
        "sent": found.sent,
    }
    if found.roofline is not None:
        bound = {"seconds": found.roofline.seconds, "bound": found.roofline.bound}
        fields["roofline"] = found.roofline._asdict() | bound
    return fields


def heading(record: Mapping[str, Any]) -> str:
    """Target, mesh and batch size of a plan in one line.

    Args:
        record: plan from `as_json`.

    Returns:
        The line.
    """
    mesh = ", ".join(f"{axis} {size}" for axis, size in record["mesh"].items()) or "one device"
    steps = "" if record["steps"] == 1 else f", epoch of {record['steps']} steps"
    return (
        f"{record['target']}: {record['devices']} × {record['chip']}, {mesh}, batch size "
        f"{record['batch_size']}{steps}"
    )


def memory_rows(record: Mapping[str, Any]) -> list[Row]:
    """Memory of one device by use.

    Args:
        record: plan from `as_json`.

    Returns:
        Rows of the columns "memory of a device" and "bytes"; the last are the sum and the memory
        that is available.
    """
    uses = {name: size for name, size in record["memory"].items() if name != "total"}
    if record["message"]:  # the program was refused, so that only its arguments are known
        uses = {name: size for name, size in uses.items() if size}
    total = "needed" if record["message"] else "total"
    sizes = uses | {total: record["needed"], "available": record["available"]}
    return [
        {"memory of a device": name.replace("_", " "), "bytes": bytes_text(size)}
        for name, size in sizes.items()
        if size or name in uses
    ]


def communication_rows(record: Mapping[str, Any]) -> list[Row]:
    """Collectives by kind and axes of the mesh, their sum and its minimum.

    Args:
        record: plan from `as_json`.

    Returns:
        Rows of the columns "communication", "along", "executions" and "sent"; none for a program
        without collectives.
    """
    rows = [
        {
            "communication": each["kind"],
            "along": ", ".join(each["axes"]) or "-",
            "executions": each["executions"],
            "sent": bytes_text(round(each["sent"])),
        }
        for each in record["collectives"]
    ]
    if not rows:
        return []
    total = {
        "communication": "total",
        "along": "",
        "executions": sum(row["executions"] for row in rows),
        "sent": bytes_text(round(record["sent"])),
    }
    rows.append(total)
    if record["ideal_sent"]:
        ratio = record["sent"] / record["ideal_sent"]
        ideal = f"{bytes_text(round(record['ideal_sent']))} × {ratio:.3f}"
        rows.append(total | {"communication": "ideal of a dense model", "sent": ideal})
        del rows[-1]["executions"]
    return rows


def sentences(record: Mapping[str, Any]) -> list[str]:
    """Operations and times of a plan, and the compiler's refusal.

    Args:
        record: plan from `as_json`.

    Returns:
        One text for each.
    """
    found = [] if record["fits"] else [f"does not fit: {record['message'] or _excess(record)}"]
    counts, line = record["counts"], record["roofline"]
    if counts is not None:
        found.append(
            f"operations {counts['operations']:.4g}, of which low precision "
            f"{counts['low_precision']:.4g}; {bytes_text(counts['bytes'])} read and written; "
            f"{counts['host_transfers']} transfers to the host"
        )
    if line is not None:
        parts = ", ".join(
            f"{name} {_milliseconds(line[name])}" for name in ("compute", "memory", "interconnect")
        )
        what = "a step" if record["steps"] == 1 else f"an epoch of {record['steps']} steps"
        found.append(
            f"least time of {what} {_milliseconds(line['seconds'])}, bound by {line['bound']} "
            f"({parts}); predicted from {record['source']}"
        )
    if record["estimate"] is not None:
        found.append(f"XLA's own estimate {_milliseconds(record['estimate'])}")
    return found


def _excess(record: Mapping[str, Any]) -> str:
    """Reason that a program does not fit which the compiler did not refuse."""
    needed, available = bytes_text(record["needed"]), bytes_text(record["available"])
    return f"{needed} needed, {available} available: {record['available_source']}"


def report_rows(record: Mapping[str, Any]) -> list[Row]:
    """A plan as rows of one table.

    Args:
        record: plan from `as_json`.

    Returns:
        Rows of the columns "quantity" and "of one device".
    """
    rows = [
        {"quantity": f"memory: {row['memory of a device']}", "of one device": row["bytes"]}
        for row in memory_rows(record)
    ]
    for row in communication_rows(record):
        along = f" along {row['along']}" if row["along"] else ""
        rows.append(
            {
                "quantity": f"communication: {row['communication']}{along}",
                "of one device": row["sent"],
            }
        )
    counts, line = record["counts"], record["roofline"]
    if counts is not None:
        rows += [
            {"quantity": name.replace("_", " "), "of one device": counts[name]}
            for name in ("operations", "low_precision", "fusions", "transposes", "host_transfers")
        ]
    for name, seconds in (line or {}).items():
        if name != "bound":
            label = "least time" if name == "seconds" else f"time of {name} at its peak"
            rows.append({"quantity": label, "of one device": _milliseconds(seconds)})
    return rows


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.4g} ms"
