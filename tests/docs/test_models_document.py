"""The functions, tests and experiments that docs/models.md names exist."""

import re
from types import ModuleType

import pytest

from tests.documents import ROOT, named_tests, names_of_tests, read, resolve

HEAD, _, *ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in read("models.md").splitlines()
    if line.startswith("|")
]
TOPICS = [topic for topic, *_ in ROWS]
MISSING = "–"


def test_each_topic_has_one_row():
    assert HEAD == ["topic", "formula", "function", "test", "experiment"]
    assert len(set(TOPICS)) == len(TOPICS) > 30


@pytest.mark.parametrize("row", ROWS, ids=TOPICS)
def test_the_names_of_a_row_exist(row):
    _, formula, functions, tests, experiment = row
    assert formula
    assert (functions == MISSING) == (tests == MISSING)
    if functions != MISSING:
        names = re.findall(r"`(aejax(?:\.\w+)+)`", functions)
        assert functions == ", ".join(f"`{name}`" for name in names)
        assert not any(isinstance(resolve(name), ModuleType) for name in names)
        ((file, name),) = named_tests(tests)
        assert tests == f"`{file}::{name}`"
        assert name in names_of_tests(file)
    if experiment != MISSING:
        name, link = re.fullmatch(r"\[(\w+)\]\((\.\./experiments/\w+\.py)\)", experiment).groups()
        assert link == f"../experiments/{name}.py"
        assert (ROOT / "docs" / link).exists()
