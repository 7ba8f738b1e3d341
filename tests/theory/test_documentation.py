"""docs/theory has a section for each theorem; the functions and tests that it names exist."""

import re

import numpy as np
import pytest

import aejax
from aejax import theory
from aejax.theory.learning import dynamics
from aejax.theory.optimum import landscape
from tests.documents import named_tests, names_of_tests, read, resolve, theory_sections

OVERVIEW = read("theory.md")
TEXT = "\n".join([OVERVIEW, *theory_sections()])
SECTIONS = dict(re.findall(r"\n## `(\w+)`\n(.*?)(?=\n##? |\Z)", TEXT, re.DOTALL))
PARTS = ("**Statement.**", "**Proof.**", "**Source.**", "**Checked by**")
NAMED = named_tests(TEXT)


def test_the_sections_are_the_theorems_in_the_order_of_the_table():
    assert list(SECTIONS) == list(theory.THEOREMS)
    assert len(re.findall(r"^## `", TEXT, re.MULTILINE)) == len(theory.THEOREMS)


def test_the_overview_states_each_theorem_in_the_order_of_the_sections():
    rows = re.findall(
        r"^\| .*\[`(\w+)`\]\(theory/(\w+\.md)#(\w+)\) \| .+\. \|$", OVERVIEW, re.MULTILINE
    )
    assert [name for name, _, _ in rows] == list(SECTIONS)
    for name, page, anchor in rows:
        assert name == anchor
        assert f"\n## `{name}`\n" in read(f"theory/{page}")


@pytest.mark.parametrize("name", theory.THEOREMS)
def test_a_section_states_proves_and_names_its_function_and_the_test_of_its_control(name):
    section = SECTIONS[name]
    positions = [section.index(part) for part in PARTS]
    assert positions == sorted(positions)
    assert f"**Checked by** `aejax.theory.{name}`" in section
    assert "**The control changes**" in section or "**no control is judged**" in section
    assert named_tests(section.replace("\n", " "))
    assert section.count("$") >= 4


@pytest.mark.parametrize("name", theory.THEOREMS)
def test_a_section_has_a_numbered_statement_for_each_certificate(name):
    """Data to which no theorem applies give all certificates without measurements."""
    found = theory.certificates(np.eye(3), 3, theorems=[name])
    statement = SECTIONS[name].split("**Proof.**")[0]
    numbers = re.findall(r"^(\d+)\. ", statement, re.MULTILINE)
    assert numbers == [str(i) for i in range(1, len(found) + 1)]


def test_the_numbers_of_steps_modes_and_directions_are_the_codes():
    words = " ".join(TEXT.split())
    for phrase in (
        f"{dynamics.STEP_COUNTS[0]} to {dynamics.STEP_COUNTS[-1]} steps",
        f"Modes weaker than {100 * dynamics.MIN_RELATIVE_EIGENVALUE:.0f} %",
        f"For {landscape.MAX_ENUMERATED_FEATURES} features or fewer",
        f"{landscape.NUM_DIRECTIONS} of its principal directions with {landscape.NUM_UNITS} units",
    ):
        assert phrase in words


def test_every_function_that_is_named_exists():
    names = set(re.findall(r"`(aejax(?:\.\w+)+)`", TEXT))
    assert len(names) > len(theory.THEOREMS)
    for name in names:
        assert resolve(name) is not None
    penalties = set(re.findall(r"`penalties\.(\w+)`", TEXT))
    assert penalties
    assert all(hasattr(aejax.penalties, penalty) for penalty in penalties)


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_the_named_tests_exist(file, name):
    assert name in names_of_tests(file)


def test_formulas_within_a_line_have_no_escapes_that_markdown_would_eat():
    prose = re.sub(r"```math\n.*?```", "", TEXT, flags=re.DOTALL)
    formulas = re.findall(r"\$[^$]+\$", prose)
    assert len(formulas) > 300
    assert not [f for f in formulas if "\n" in f or re.search(r"\\[^A-Za-z]", f)]
