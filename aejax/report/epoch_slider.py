"""HTML table of a training history, with a slider over all epochs if the history is long."""

import json
from collections.abc import Mapping, Sequence
from string import Template
from typing import Any

from aejax.plots import NORMS, terms_of
from aejax.report.tables import row_of, table, text_of

_MAX_ROWS = 20

Records = Sequence[Mapping[str, Any]]


def epochs(history: Records) -> str:
    """Render a training history as a table of about twenty epochs at most, and a slider.

    Args:
        history: records of `aejax.training.fit`, at least one.

    Returns:
        HTML: the spacing of the rows and the best validation epoch, the table, and, if the table
        omits epochs, a slider over all of them (it needs JavaScript).
    """
    stride = -(-len(history) // _MAX_ROWS)
    shown = {*range(stride - 1, len(history), stride), len(history) - 1}
    notes = [
        f"All {len(history)} epochs." if stride == 1 else f"One epoch in {stride}, and the last."
    ]
    losses = {i: r["validation"]["loss"] for i, r in enumerate(history) if "validation" in r}
    best = min(losses, key=lambda i: losses[i]) if losses else len(history) - 1
    if losses:
        shown.add(best)
        notes.append(
            f"The validation loss was lowest, {text_of(losses[best])}, "
            f"after epoch {text_of(history[best]['epoch'])}."
        )
    records = [_measurements(record, terms_of(history)) for record in history]
    rows = table([records[i] for i in sorted(shown)])
    return f"<p>{' '.join(notes)}</p>\n{rows}{'' if stride == 1 else _slider(records, best)}"


def _slider(records: Sequence[Mapping[str, Any]], start: int) -> str:
    """Render a slider over the rows, initially at row `start`; hidden without JavaScript."""
    columns = list(dict.fromkeys(name for record in records for name in record))
    rows = json.dumps([row_of(record, columns) for record in records]).replace("</", "<\\/")
    first = {name: records[start].get(name, "") for name in columns}
    return _SLIDER.substitute(
        last=len(records) - 1, start=start, number=start + 1, table=table([first]), rows=rows
    )


def _measurements(record: Mapping[str, Any], terms: Sequence[str]) -> dict[str, Any]:
    validation = record.get("validation", {})
    return {
        **{name: record[name] for name in ("epoch", "step", *terms)},
        **{f"validation {name}": validation[name] for name in terms if name in validation},
        **{name.replace("_", " "): record[name] for name in NORMS if name in record},
        **{name: record[name] for name in ("seconds",) if name in record},
    }


_SLIDER = Template("""<div id="every-epoch" hidden>
<label>Epoch <output>$number</output>
<input type="range" min="0" max="$last" value="$start"></label>
$table</div>
<script>
{
  const part = document.getElementById("every-epoch"), rows = $rows;
  part.querySelector("input").addEventListener("input", event => {
    part.querySelector("output").textContent = 1 + event.target.valueAsNumber;
    part.querySelector("tbody tr").innerHTML = rows[event.target.valueAsNumber];
  });
  part.hidden = false;
}
</script>
""")
