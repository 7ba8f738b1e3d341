"""`aejax verify`: a table for people, JSON for programs, an exit code for scripts."""

import json

import numpy as np
import pytest

FIELDS = ["claim", "formula", "source", "residual", "tolerance", "verdict", "reason", "control"]


@pytest.fixture
def data(tmp_path):
    """Sixty examples whose variances are well apart."""
    generator = np.random.default_rng(0)
    np.save(tmp_path / "data.npy", generator.normal(size=(60, 5)) * [5, 4, 3, 2, 1])
    return tmp_path / "data.npy"


def test_every_theorem_holds_and_is_written_as_json(data, tmp_path, aejax):
    outcome = aejax(f"verify --data {data} --code 2 --json {tmp_path / 'deep/found.json'}")
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
    assert max(map(len, out.splitlines())) <= 80
    assert "data.npy" in out
    assert "Eckart" in out


@pytest.mark.parametrize(
    ("verdict", "code"),
    [("holds", 0), ("not identifiable", 0), ("not applicable", 0), ("fails", 1)],
)
def test_only_a_theorem_that_fails_makes_the_exit_code_one(
    data, aejax, monkeypatch, verdict, code
):
    from aejax.theory import certificates

    def judged(*arguments, **settings):
        first, *others = certificates(*arguments, **settings)
        return (first._replace(verdict=verdict, residual=None), *others)

    monkeypatch.setattr("aejax.cli.verify.certificates", judged)
    outcome = aejax(f"verify --data {data} --code 2 --theorem optimal_loss")
    assert outcome.code == code
    assert verdict in " ".join(outcome.out.split()) or " " in verdict  # a cell may break it


def test_the_path_of_the_data_is_no_markup(tmp_path, data, aejax):
    path = data.rename(tmp_path / "[bold]x[/nonsense].npy".replace("/", "-"))
    assert "[bold]x[-nonsense].npy" in aejax(
        f"verify --data {path} --code 2 --theorem code_invariance"
    ).out.replace("\n", "")
