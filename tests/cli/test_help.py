"""Help of every command, with examples that can be parsed."""

import shlex

import pytest

from aejax.cli.main import ACTIONS, _command

COMMANDS = (
    "train",
    "encode",
    "reconstruct",
    "explore",
    "export",
    "verify",
    "report",
    "data list",
    "data prepare",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_that_can_be_parsed(command, aejax):
    outcome = aejax(command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    examples = [line for line in outcome.out.splitlines() if line.startswith("Example: ")]
    assert examples
    for example in examples:
        name, *words = shlex.split(example.removeprefix("Example: "))
        assert name == "aejax"
        assert " ".join(words).startswith(command)
        assert type(_command(words)) in ACTIONS


def test_top_level_help_lists_commands_and_exit_codes(aejax):
    out = aejax("--help").out
    assert all(command.split()[0] in out for command in COMMANDS)
    assert all(words in out for words in ("0 done", "1 a verification failed", "2 bad input"))


def test_help_of_verify_lists_theorems(aejax):
    from aejax.theory import THEOREMS

    out = aejax("verify --help").out
    assert all(name in out for name in THEOREMS)
