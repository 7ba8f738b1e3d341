"""`aejax verify`: table, JSON, HTML report and exit code."""

import json
import math
import re

import numpy as np
import pytest
from rich.cells import cell_len

from aejax.cli.process import task_progress
from aejax.report.theorem_report import FIGURES
from aejax.theory import THEOREMS, certificates
from aejax.theory.theorems import TABLE
from tests.cli.conftest import check
from tests.documents import theory_sections
from tests.report.test_page import Parsed

FIELDS = ["claim", "formula", "source", "residual", "tolerance", "verdict", "reason", "control"]


@pytest.fixture(autouse=True)
def no_lines_of_progress(monkeypatch):
    """No line about a theorem that takes long on a slow machine."""
    monkeypatch.setattr(task_progress, "SECONDS_BETWEEN_LINES", math.inf)


@pytest.fixture
def data(tmp_path):
    """Sixty examples with well separated variances."""
    generator = np.random.default_rng(0)
    np.save(tmp_path / "data.npy", generator.normal(size=(60, 5)) * [5, 4, 3, 2, 1])
    return tmp_path / "data.npy"


def test_theorems_hold_and_certificates_are_written_as_json(data, tmp_path, aejax):
    names = "optimal_loss optimal_map gradient_training code_invariance"
    words = f"verify --data {data} --code 2 --theorem {names} --verbose --json"
    outcome = aejax(words, tmp_path / "deep/found.json")
    found = json.loads((tmp_path / "deep/found.json").read_text())
    assert (outcome.code, outcome.err) == (0, "")
    assert [list(certificate) for certificate in found] == [FIELDS] * len(found)
    assert {certificate["verdict"] for certificate in found} == {"holds"}
    assert all(c["residual"] <= c["tolerance"] < c["control"] for c in found)
    assert outcome.out.count(" holds ") == len(found) >= 4
    assert outcome.out.count(" rejected ") == len(found)
    assert f"{found[0]['residual']:.1e}" in outcome.out


def test_piped_table_has_no_colour_and_fits_80_columns(data, aejax):
    out = aejax(f"verify --data {data} --code 2 --theorem optimal_loss --verbose").out
    assert "\x1b" not in out
    title, *table = out.splitlines()
    assert title == f"{data}, 48 examples, code of 2"
    assert max(map(cell_len, table)) <= 80
    assert "Eckart" in out


@pytest.mark.parametrize("scale", [1e-140, 1e140])
def test_data_of_any_scale_are_verified_and_the_title_names_the_unit(
    data, tmp_path, aejax, scale, undrawn
):
    np.save(data, scale * np.load(data))
    names = "optimal_map gaussian_denoising single_precision"
    words = f"verify --data {data} --code 2 --theorem {names} --report {tmp_path}/page.html --json"
    outcome = aejax(words, tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text(), parse_constant=pytest.fail)
    assert {certificate["verdict"] for certificate in found} == {"holds"}
    power = re.search(r"code of 2, in units of 2\^(-?\d+)$", outcome.out.splitlines()[0])[1]
    assert int(power) == pytest.approx(np.log2(20 * scale), abs=2)
    page = Parsed((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert f"unit of x2^{power}" in page.text["dl"] or f"2^{power}" in page.text["dd"]


def test_timestamps_in_nanoseconds_hold_or_are_not_identifiable(data, aejax):
    np.save(data, 2**60 + np.round(1e3 * np.load(data)).astype(np.int64))
    outcome = aejax(f"verify --data {data} --code 2 --theorem optimal_map optimal_loss")
    assert outcome.code == 0
    assert "3 certificates: 1 holds, 2 not identifiable;" in outcome.out


@pytest.mark.parametrize(
    ("verdict", "code"),
    [("holds", 0), ("not identifiable", 0), ("not applicable", 0), ("fails", 1)],
)
def test_exit_code_is_one_only_if_a_theorem_fails(data, aejax, monkeypatch, verdict, code):
    from aejax.theory import THEOREMS

    theorem = THEOREMS["optimal_loss"]

    def judged(problem):
        first, *others = theorem(problem)
        return (first._replace(verdict=verdict, residual=None), *others)

    monkeypatch.setitem(THEOREMS, "optimal_loss", judged)
    outcome = aejax(f"verify --data {data} --code 2 --theorem optimal_loss")
    assert outcome.code == code
    assert verdict.split()[-1] in outcome.out


def test_one_line_per_theorem_with_the_totals_last(data, tmp_path, aejax):
    names = ["optimal_loss", "code_invariance", "encoders_bounded_by_pca"]
    outcome = aejax(
        f"verify --data {data} --code 2 --theorem", *names, "--json", tmp_path / "c.json"
    )
    found = certificates(np.load(data)[np.arange(60) % 5 != 4], 2, theorems=names)
    written = json.loads((tmp_path / "c.json").read_text())
    title, head, *lines, theorems, total = outcome.out.splitlines()
    assert (title, head.split()) == (
        f"{data}, 48 examples, code of 2",
        ["theorem", "residual/tolerance", "verdict"],
    )
    assert [line.split()[0] for line in lines] == names
    for name, line in zip(names, lines, strict=True):
        expected = certificates(np.load(data)[np.arange(60) % 5 != 4], 2, theorems=[name])
        claims = {each.claim for each in expected}
        ratios = [c["residual"] / c["tolerance"] for c in written if c["claim"] in claims]
        assert line.split()[1] == f"{max(ratios):.1e}"
        assert line.split()[2] == "holds"
    assert theorems == "3 theorems: 3 hold"
    assert total.startswith(f"{len(found)} certificates: {len(found)} hold; controls rejected: ")
    assert total.endswith("--verbose shows each certificate")


def test_a_table_has_the_certificates_of_its_features(data, tmp_path, aejax):
    x = np.load(data)
    rows = np.column_stack([np.arange(60), x, np.arange(60) % 3])
    table, words = tmp_path / "my.csv", "--code 2 --theorem optimal_loss optimal_map --json"
    np.savetxt(table, rows, "%.17g", delimiter=",", header="id,a,b,c,d,e,kind", comments="")
    assert aejax("verify --data", data, words, tmp_path / "array.json").code == 0
    options = f"--label kind --ignore id {words}"
    outcome = aejax("verify --data", table, options, tmp_path / "table.json")
    assert (outcome.code, outcome.err) == (0, "")
    assert (tmp_path / "table.json").read_text() == (tmp_path / "array.json").read_text()
    check(aejax("verify --data", table, "--label knd"), "no column 'knd'")
    check(aejax("verify --data digits --label kind"), "label and ignore name columns of a table")


def test_a_refuted_theorem_is_listed_with_its_reason(data, aejax, monkeypatch):
    theorem = THEOREMS["optimal_loss"]

    def refuted(problem):
        first, *others = theorem(problem)
        return (first._replace(verdict="fails", residual=2.0, reason="too far"), *others)

    monkeypatch.setitem(THEOREMS, "optimal_loss", refuted)
    outcome = aejax(f"verify --data {data} --code 2 --theorem optimal_loss")
    assert outcome.code == 1
    assert re.search(
        r"optimal_loss +\S+ +fails \(1 holds, 1 fails\)\n    .+: too far\n1 theorem: 1 f",
        outcome.out,
    )


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(data, aejax, monkeypatch):
    words = f"verify --data {data} --code 2 --theorem optimal_loss optimal_map"
    assert aejax(words).err == ""
    monkeypatch.setattr(task_progress, "SECONDS_BETWEEN_LINES", 0)
    assert aejax(words).err == "theorem 1/2: optimal_loss\ntheorem 2/2: optimal_map\n"
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert "optimal_loss" in aejax(words).err


def page_of(aejax, tmp_path, words):
    outcome = aejax(f"verify {words} --report", tmp_path / "deep/page.html")
    assert (outcome.code, outcome.err) == (0, "")
    assert str(tmp_path / "deep/page.html") in outcome.out
    return Parsed((tmp_path / "deep/page.html").read_text(encoding="utf-8"))


def test_the_report_shows_each_theorem_with_its_figure_and_certificates(data, tmp_path, aejax):
    names = "optimal_loss optimal_map contractive_optimum"
    page = page_of(aejax, tmp_path, f"--data {data} --code 2 --theorem {names}")
    assert page.text["h2"] == "At a glanceOne minimum, and saddlesContractionEnvironment"
    assert page.text["h3"].count("optimal_") == 2
    assert len(page.of("img")) == 1 + 1 + 1 + 2
    assert all(len(image["alt"]) > 30 for image in page.of("img"))
    assert page.text["dd"].startswith("48")
    assert page.text["dd"].endswith("5 of 5")
    assert page.text["main"].count("✓ holds") == 5 + 3  # certificates and theorems
    assert page.text["main"].count("rejected") == 5
    assert "seed0" in page.text["main"]
    for term in ("residual", "tolerance", "control", "verdict"):
        assert term in page.text["th"]
    targets = [link["href"] for link in page.of("a") if link["href"] not in ("#s0", "#s3")]
    assert targets[:2] == ["#s1", "#s2"]  # contents
    assert targets[2:] == [
        *("#optimal_loss", "#s1", "#optimal_map", "#s1", "#contractive_optimum", "#s2")
    ]
    identifiers = {tag["id"] for name in ("h2", "h3") for tag in page.of(name) if "id" in tag}
    assert {target[1:] for target in targets} <= identifiers


def test_a_figure_that_the_data_cannot_show_is_omitted_with_the_reason(tmp_path, aejax):
    x = np.random.default_rng(0).normal(size=(60, 2)) @ np.ones((2, 5))
    np.save(tmp_path / "flat.npy", x)
    words = f"--data {tmp_path}/flat.npy --code 2 --theorem optimal_loss optimal_map"
    page = page_of(aejax, tmp_path, words)
    assert len(page.of("img")) == 2
    assert "No figure; the data cannot show it: rank 1 < code 2" in page.text["p"]
    assert page.text["dt"].count("not identifiable") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda normal: normal(size=(60, 5)) * [5, 4, 3, 2, 1],
        lambda normal: normal(size=(12, 20)),
        lambda normal: normal(size=(60, 1)) @ np.ones((1, 5)),
        lambda normal: np.zeros((20, 4)),
        lambda normal: (normal(size=(60, 3, 3)) * 40).astype(np.int16),
        lambda normal: normal(size=(60, 6)) > 0,
        lambda normal: normal(size=(9, 2)).astype(np.float32),
        lambda normal: normal(size=(60, 5)) * [1, 1, 1, 1, 0] + 1e6,
    ],
    ids=["plain", "wide", "rank 1", "constant", "images", "boolean", "2 features", "offset"],
)
@pytest.mark.parametrize("code", [1, 2])
def test_any_user_array_gives_a_report_of_all_theorems(make, code, tmp_path, aejax):
    np.save(tmp_path / "own.npy", make(np.random.default_rng(0).normal))
    page = page_of(aejax, tmp_path, f"--data {tmp_path}/own.npy --code {code}")
    for name in THEOREMS:
        assert name in page.text["h3"]
    shown, left_out = len(page.of("img")) - 1, page.text["p"].count("No figure")
    assert shown + left_out == sum(len(row.figures) for row in TABLE)
    assert "✗" not in page.text["main"]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([[1.0, np.nan]] * 6), "NaN"),
        (np.arange(12.0), "own.npy"),
        (np.array([["a", "b"]] * 6), "own.npy"),
    ],
    ids=["NaN", "a vector", "text"],
)
def test_an_array_that_no_theorem_covers_is_rejected_with_a_message(array, words, tmp_path, aejax):
    np.save(tmp_path / "own.npy", array)
    check(aejax("verify --data", tmp_path / "own.npy", "--code 1"), words)


def test_an_unknown_theorem_is_rejected_before_the_data_is_read(aejax):
    check(aejax("verify --data nowhere.npy --theorem pythagoras"), "no theorem pythagoras")


def test_command_report_and_document_have_the_order_of_the_table(tmp_path, aejax):
    names, titles = [row.name for row in TABLE], list(dict.fromkeys(row.section for row in TABLE))
    assert len(names) == len(set(names))
    assert list(THEOREMS) == names
    np.save(tmp_path / "own.npy", np.zeros((20, 3)))
    page = page_of(aejax, tmp_path, f"--data {tmp_path}/own.npy --code 3 --json {tmp_path}/c.json")
    assert page.text["h2"] == "".join(["At a glance", *titles, "Environment"])
    assert page.text["h3"] == "Residual, tolerance and control" + "".join(names)
    claims = [certificate["claim"] for certificate in json.loads((tmp_path / "c.json").read_text())]
    assert claims == [each.claim for each in certificates(np.eye(3), 3, theorems=names)]
    for document, title in zip(theory_sections(), titles, strict=True):
        assert title.lower() in document.partition("\n")[0].lower()
        members = [row.name for row in TABLE if row.section == title]
        assert re.findall(r"^## `(\w+)`", document, re.MULTILINE) == members


def test_every_figure_of_the_table_is_a_function_of_the_report_and_has_its_certificates():
    names = [name for row in TABLE for name in row.figures]
    assert len(names) == len(set(names))
    assert set(names) <= set(FIGURES)
    for row in TABLE:
        found = certificates(np.eye(3), 3, theorems=[row.name])
        assert all(indices and max(indices) < len(found) for indices in row.figures.values())
