"""CITATION.cff has the version, authors and licence of the package."""

from pathlib import Path

import yaml

import aejax


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((Path(__file__).parents[2] / "CITATION.cff").read_text("utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == aejax.__version__
    assert citation["authors"] == [{"name": "The aejax authors"}]
    assert citation["license"] == "Apache-2.0"
