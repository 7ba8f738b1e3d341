"""Help of every command, with examples that can be parsed."""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import tyro

import aejax as package
from aejax.cli import main
from aejax.cli.all_commands import ACTIONS
from aejax.cli.commands.train import Train
from aejax.cli.execution import _message, parsed
from aejax.cli.process.help_groups import (
    TRAIN_GROUPS,
    HelpBuffer,
    captured_help,
    grouped,
    options,
    without_none,
)

ENVIRONMENT = {"COLUMNS": "80", "NO_COLOR": "1"}
COMMANDS = (
    "train",
    "sweep",
    "plan",
    "runs",
    "compare",
    "encode",
    "reconstruct",
    "score",
    "explore",
    "export",
    "publish",
    "push",
    "pull",
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
        assert type(parsed(words)) in ACTIONS


@pytest.mark.parametrize("words", ["", "--help", "-h"])
def test_the_program_alone_lists_commands_and_exit_codes(aejax, words):
    outcome = aejax(words)
    assert (outcome.code, outcome.err) == (0, "")
    listed = outcome.out.partition("commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [re.split("  +", line.strip())[0] for line in listed] == list(COMMANDS)
    assert all(line.endswith(".") and len(line) <= 80 for line in listed)
    assert all(
        words in outcome.out for words in ("0 done", "1 a verification failed", "2 bad input")
    )


def test_a_group_of_commands_alone_lists_its_commands(aejax):
    outcome = aejax("data")
    assert outcome.code == 0
    assert "data prepare" in outcome.out
    assert "  train" not in outcome.out


def test_the_version_is_that_of_the_distribution(aejax):
    assert aejax("--version") == (0, f"aejax {package.__version__}\n", "")


def test_python_m_aejax_equals_the_command(aejax):
    words = [sys.executable, "-m", "aejax"]
    found = subprocess.run(words, capture_output=True, text=True, env=os.environ | ENVIRONMENT)
    assert (found.returncode, found.stdout, found.stderr) == aejax("")


@pytest.mark.parametrize("columns", ["60", "100", "200"])
def test_help_of_train_groups_each_option_once_basic_options_first(aejax, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    out = aejax("train --help").out
    titles = re.findall("^╭─ (.+?) ─+╮$", out, re.MULTILINE)
    assert titles == list(TRAIN_GROUPS)  # an option in no group would follow as `options`
    listed = " ".join(TRAIN_GROUPS.values()).split()
    assert list(options(out)) == listed
    text = HelpBuffer()
    with captured_help(text), pytest.raises(SystemExit):
        tyro.cli(Train, args=["--help"])
    assert sorted(options(without_none(text.getvalue())).items()) == sorted(options(out).items())
    assert "{None" not in out
    assert "(default: )" not in out
    boxes = [line for line in out.splitlines() if line.startswith(("╭", "│", "╰"))]
    assert {len(line) for line in boxes} == {min(int(columns), 120)}


def test_grouped_help_keeps_colours():
    edge, bold = "╰─────────────╯\n", "│ \x1b[1m--b INT\x1b[0m   │\n│    more     │\n"
    given = "intro\n╭─ options ───╮\n" + bold + "│ --a INT     │\n" + edge
    expected = (
        "intro\n╭─ first ─────╮\n│ --a INT     │\n" + edge + "╭─ options ───╮\n" + bold + edge
    )
    assert grouped(given, {"first": "a", "none": "c"}) == expected


def test_help_has_boxes_in_ascii_where_the_encoding_lacks_others(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    sys.stdout.flush()
    assert "\n+- basic options ---" in written.getvalue().decode("ascii")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("tra", "train"),
        ("train --learn", "--learning-rate"),
        ("train --loss squared-t", "squared-tanh"),
    ],
)
def test_completion_in_bash(aejax, tmp_path, words, expected):
    script = tmp_path / "aejax.bash"
    script.write_text(aejax("--tyro-print-completion bash").out, encoding="utf-8")
    typed = ["aejax", *words.split()]
    lines = f"source {script}; COMP_WORDS=({' '.join(typed)}); COMP_CWORD={len(typed) - 1}; "
    lines += '_tyro_aejax; echo "${COMPREPLY[@]}"'
    found = subprocess.run(["bash", "-c", lines], capture_output=True, text=True)
    assert expected in found.stdout.split()


def test_help_of_verify_lists_theorems(aejax):
    from aejax.theory import THEOREMS

    out = aejax("verify --help").out
    assert all(name in out for name in THEOREMS)


def test_a_choice_that_is_none_is_not_offered(aejax):
    message = aejax("train --loggers tensorbord").err
    assert "Did you mean tensorboard?" in message
    assert "None" not in message


def test_a_missing_file_is_named_first(aejax, tmp_path):
    message = aejax("report", tmp_path / "nowhere", "--out", "r.html").err
    assert "[Errno" not in message
    error = FileNotFoundError(2, "No such file or directory", "new.npy")
    assert _message(error) == "new.npy: No such file or directory"
