"""Journey 5: a notebook, run twice: progress, readable objects, a figure, resumed training."""

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from tests.journeys.journey import environment, lines, timed

CELLS = (
    """
%matplotlib inline
import optax
import aejax
from aejax import corruptions, data, losses, plots, runs

digits = data.digits()
x, x_test = (images.reshape(-1, 64) / 16 for images in (digits.x_train, digits.x_test))
digits
""",
    """
objective = aejax.objective(
    aejax.dense((64, 32)), losses.bernoulli, corruption=corruptions.masking(rate=0.25)
)
aejax.summary(objective, 64)
""",
    """
run = runs.train(
    objective, optax.adam(1e-2), x[:1200], validation=x[1200:], out="runs/digits", epochs=EPOCHS,
    key=0, resume=True, progress=True,
)
run
""",
    """
x_hat = runs.reconstruct(run, x_test)
print(f"squared error {((x_hat - x_test) ** 2).sum(axis=1).mean():.2f} per image")
plots.reconstructions(x_test, x_hat, (8, 8))
""",
)


def execute(journey, epochs):
    """Run all cells in a fresh kernel; the outputs of each cell by type."""
    cells = [
        nbformat.v4.new_code_cell(f"EPOCHS = {epochs}"),
        *map(nbformat.v4.new_code_cell, CELLS),
    ]
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=cells),
        kernel_name="python3",
        resources={"metadata": {"path": str(journey.folder)}},
        timeout=600,
    )
    with timed(journey):
        executed = client.execute(env=environment(journey)).cells
    return [by_type(cell.outputs) for cell in executed[1:]]


def by_type(outputs):
    """Streams by name and data by MIME type; several outputs of a type are joined."""
    found = {}
    for output in outputs:
        parts = output.data if "data" in output else {output.name: output.text}
        for kind, text in parts.items():
            found[kind] = found.get(kind, "") + text
    return found


@pytest.mark.slow
def test_a_notebook_is_run_twice(journey):
    journey.written.extend(line for cell in CELLS for line in lines(cell))
    first, again = execute(journey, 20), execute(journey, 30)
    for data, summary, training, result in (first, again):
        assert "float64 [1438, 8, 8]" in data["text/plain"]
        assert "4,192" in summary["text/plain"]
        assert "runs/digits" in training["text/plain"]
        assert training["stderr"].count("\n") == 1  # one line, which is overwritten
        assert result["image/png"]
        assert "stderr" not in data | summary | result
        assert result["stdout"].startswith("squared error")
    assert "epoch 20/20" in first[2]["stderr"].split("\r")[-1]
    assert "epoch 21/30" in again[2]["stderr"].split("\r")[1]
    errors = [float(each[3]["stdout"].split()[2]) for each in (first, again)]
    assert errors[1] < errors[0] < 2
    history = (journey.folder / "runs" / "digits" / "history.jsonl").read_text()
    assert len(history.splitlines()) == 30
    assert np.isfinite(errors).all()
