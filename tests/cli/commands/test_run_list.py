"""`aejax runs`: settings of a run as text."""

from pathlib import Path

from aejax.cli.commands.runs import _distinctive
from aejax.runs.listing import RunSummary


def test_a_factory_is_named_without_its_folder_and_its_arguments_as_settings():
    settings = {
        "factory": "/home/me/my_model.py:make",
        "arguments": {"bottleneck": 4},
        "sizes": [8, 2],
        "label": "x.py",
    }
    rest = {"code": None, "epochs": 1, "figures": {}, "history": [], "modified": 0.0}
    run = RunSummary(Path("runs/a"), "digits", "", settings, tuple(settings), **rest)
    assert _distinctive(run) == "factory=my_model.py:make sizes=8,2 label=x.py bottleneck=4"
