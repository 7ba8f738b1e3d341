"""The two pinned version sets named in CONTRIBUTING are consistent with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = re.findall(r"`(constraints\S*\.txt)`: jax ([\d.]+\d)", CONTRIBUTING)


def versions(file: str) -> dict[str, str]:
    """Pinned versions by normalised package name (PEP 503)."""
    pins = (line.split("==") for line in (ROOT / file).read_text().splitlines())
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}


def test_contributing_lists_an_older_and_a_newer_version_set():
    (first, older), (second, newer) = FILES
    assert (first, second) == ("constraints.txt", "constraints-newest.txt")
    assert Version(older) < Version(newer)


@pytest.mark.parametrize(("file", "jax"), FILES)
def test_pinned_versions_match_contributing_and_meet_the_dependency_bounds(file, jax):
    pinned = versions(file)
    assert pinned["jax"] == pinned["jaxlib"] == jax
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in [*project["dependencies"], *project["optional-dependencies"]["grain"]]:
        requirement = Requirement(line)
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert requirement.specifier.contains(pinned[name]), requirement
