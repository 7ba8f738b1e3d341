"""Progress in a log file, a terminal and a notebook."""

import nbformat
import optax
import pytest
from nbclient import NotebookClient

import aejax
from aejax import losses, training
from aejax.training.progress import _lines  # pyright: ignore[reportPrivateUsage]

STATE = training.init_state(
    aejax.objective(aejax.dense((3, 2)), losses.squared), optax.sgd(0.1), key=0
)


def record(epoch, **more):
    return {"epoch": epoch, "loss": 2.0 / epoch, "examples_per_second": 12345.6} | more


def test_a_log_file_gets_the_first_line_one_every_ten_seconds_and_the_last(capsys):
    times = iter([0.0, 4.0, 9.9, 10.0, 19.0, 21.0, 22.0])
    with _lines(100, clock=lambda: next(times)) as show:
        for epoch in range(1, 8):
            show(STATE, record(epoch, validation={"loss": 3.0}))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "epoch 1/100: loss 2, validation 3, 12,346 examples/s"
    assert [line.partition("/")[0] for line in lines] == [f"epoch {n}" for n in (1, 4, 6, 7)]


def test_the_last_line_is_printed_once_and_after_an_error(capsys):
    def fail():
        with training.progress(3) as show:
            show(STATE, record(1))
            show(STATE, record(2))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [line[:9] for line in capsys.readouterr().err.splitlines()] == ["epoch 1/3", "epoch 2/3"]
    with training.progress(1) as show:
        show(STATE, record(1))
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes rich treat stderr as a terminal
    with training.progress(4, done=1) as show:
        show(STATE, record(4))
    assert "4/4" in capsys.readouterr().err


def test_a_notebook_gets_one_line_that_is_overwritten():
    source = """
from aejax import training
with training.progress(4) as show:
    for epoch in range(1, 5):
        show(None, {"epoch": epoch, "loss": 1.0, "examples_per_second": 2.0})
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    (cell,) = NotebookClient(notebook, kernel_name="python3").execute().cells
    text = "".join(output.text for output in cell.outputs if output.output_type == "stream")
    last = text.replace("\r", "\n").splitlines()[-1]
    assert last == f"epoch 4/4 {'#' * 30} loss 1, 2 examples/s"
