"""The list of commands matches their definitions."""

import inspect
import re

from aejax.cli.all_commands import ACTIONS
from aejax.cli.process.command_list import COMMANDS, named_command

MAXIMUM_SUMMARY = 64
"""Maximum length of the help of a command in the list, which fits 80 columns."""


def summary(kind: type) -> str:
    """First line of a docstring, without details after a colon or semicolon if it is long."""
    line = (inspect.getdoc(kind) or "").partition("\n")[0]
    return line if len(line) <= MAXIMUM_SUMMARY else f"{re.split('[:;]', line)[0]}."


def test_every_command_is_listed_with_its_module_and_function():
    assert [each.load() for each in COMMANDS.values()] == list(ACTIONS.items())


def test_the_lines_of_the_list_are_those_of_the_docstrings():
    assert [each.summary for each in COMMANDS.values()] == list(map(summary, ACTIONS))
    assert max(len(each.summary) for each in COMMANDS.values()) <= MAXIMUM_SUMMARY


def test_a_command_is_named_by_the_first_words():
    assert named_command(["data", "list", "--json"]) == "data list"
    assert named_command(["encode", "train"]) == "encode"
    assert named_command(["data"]) is None
    assert named_command(["--debug"]) is None
