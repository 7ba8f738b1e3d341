"""`aejax verify`: a table for people, JSON for programs, an exit code for scripts."""

import json

import numpy as np
import pytest
from rich.cells import cell_len

FIELDS = ["claim", "formula", "source", "residual", "tolerance", "verdict", "reason", "control"]


@pytest.fixture
def data(tmp_path):
    """Sixty examples whose variances are well apart."""
    generator = np.random.default_rng(0)
    np.save(tmp_path / "data.npy", generator.normal(size=(60, 5)) * [5, 4, 3, 2, 1])
    return tmp_path / "data.npy"


def test_the_theorems_hold_and_are_written_as_json(data, tmp_path, aejax):
    names = "optimal_loss optimal_map gradient_training code_invariance"
    words = f"verify --data {data} --code 2 --theorem {names} --json"
    outcome = aejax(words, tmp_path / "deep/found.json")
    found = json.loads((tmp_path / "deep/found.json").read_text())
    assert (outcome.code, outcome.err) == (0, "")
    assert [list(certificate) for certificate in found] == [FIELDS] * len(found)
    assert {certificate["verdict"] for certificate in found} == {"holds"}
    assert all(c["residual"] <= c["tolerance"] < c["control"] for c in found)
    assert outcome.out.count(" holds ") == len(found) >= 4
    assert f"{found[0]['residual']:.1e}" in outcome.out


def test_piped_it_has_no_colour_and_fits_eighty_columns(data, aejax):
    out = aejax(f"verify --data {data} --code 2 --theorem optimal_loss").out
    assert "\x1b" not in out
    title, *table = out.splitlines()
    assert title == f"{data}, 48 examples, code of 2"
    assert max(map(cell_len, table)) <= 80
    assert "Eckart" in out


@pytest.mark.parametrize(
    ("verdict", "code"),
    [("holds", 0), ("not identifiable", 0), ("not applicable", 0), ("fails", 1)],
)
def test_only_a_theorem_that_fails_makes_the_exit_code_one(data, aejax, monkeypatch, verdict, code):
    from aejax.theory import certificates

    def judged(*arguments, **settings):
        first, *others = certificates(*arguments, **settings)
        return (first._replace(verdict=verdict, residual=None), *others)

    monkeypatch.setattr("aejax.cli.verify.certificates", judged)
    outcome = aejax(f"verify --data {data} --code 2 --theorem optimal_loss")
    assert outcome.code == code
    assert verdict.split()[-1] in outcome.out
