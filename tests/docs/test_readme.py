"""The code of the README runs, its commands parse, its links and its image exist."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import tyro

from aejax.cli.all_commands import Command
from aejax.cli.process.swept_options import split_swept

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_example_has_fifteen_lines_and_prints_what_the_readme_shows(capsys):
    (example,), (shown,) = blocks("python"), blocks("text")
    assert len(example.splitlines()) == 15
    exec(example, {})
    words, values = zip(*map(separated, (capsys.readouterr().out, shown)), strict=True)
    assert words[0] == words[1]
    np.testing.assert_allclose(*values, rtol=0.05)
    masked, denoised = values[0]
    assert denoised < 0.5 * masked


def separated(text: str) -> tuple[list[str], list[float]]:
    """The text between numbers, and the numbers."""
    numbers = r"\d+\.\d+"
    return re.split(numbers, text), [float(number) for number in re.findall(numbers, text)]


def test_an_image_is_shown_before_the_first_heading_of_a_section():
    first, *_ = README.split("\n## ")
    images = re.findall(r"!\[[^]]+\]\(([^)]+)\)", first)
    assert len(images) == README.count("![") == 1
    assert (ROOT / images[0]).exists()


def commands(program: str) -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [rest for first, *rest in words if first == program]


@pytest.mark.parametrize("words", commands("aejax"), ids=" ".join)
def test_every_command_of_the_readme_parses(words):
    plain, _ = split_swept(words) if words[0] == "sweep" else (words, {})
    assert tyro.cli(Command, args=plain) is not None


def test_the_two_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert commands("make") == [["demo"], ["test"]]
    for (target,) in commands("make"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_links_lead_to_files():
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / link).exists(), link
