"""The README keeps its word: its code runs, its commands parse, its links lead somewhere."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import tyro

from aejax.cli.main import Command

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_example_runs_and_learns():
    (example,) = blocks("python")
    names = {}
    exec(example, names)
    history, x_hat, x_test = names["history"], names["x_hat"], names["x_test"]
    assert history[-1]["reconstruction"] < history[0]["reconstruction"]
    error = np.mean(np.sum((x_hat - x_test) ** 2, axis=1))
    blank = np.mean(np.sum((x_test.mean(axis=0) - x_test) ** 2, axis=1))
    assert error < 0.5 * blank


def commands(program: str) -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [rest for first, *rest in words if first == program]


@pytest.mark.parametrize("words", commands("aejax"), ids=" ".join)
def test_every_command_of_the_readme_parses(words):
    assert tyro.cli(Command, args=words) is not None


def test_the_two_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert commands("make") == [["demo"], ["test"]]
    for (target,) in commands("make"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_links_lead_to_files():
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / link).exists(), link
