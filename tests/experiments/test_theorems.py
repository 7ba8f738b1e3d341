"""The table of certificates in docs/theory matches the committed record of all data sets."""

import json

import numpy as np
import pytest

from aejax import theory
from aejax.theory import Certificate
from experiments.harness import theorems
from experiments.harness.markdown import replace_section
from tests.documents import read

RESULTS = json.loads(theorems.RESULTS.read_text(encoding="utf-8"))


def verdicts(data, name):
    return [certificate["verdict"] for certificate in RESULTS[data]["certificates"][name]]


def test_the_document_contains_the_table_of_the_record():
    text = read("theory/measurements.md")
    assert replace_section(text, theorems.COMMAND, theorems.render(RESULTS)) == text
    assert text.count("≤") > 300


def test_the_record_covers_every_data_set_and_theorem_with_the_statements_of_the_code():
    assert set(RESULTS) == set(theorems.CASES)
    for result in RESULTS.values():
        assert list(result["certificates"]) == list(theory.THEOREMS)
        assert {"jax", "device", "python"} <= set(result["environment"])
    for name in theory.THEOREMS:
        now = [
            certificate.claim for certificate in theory.certificates(np.eye(3), 3, theorems=[name])
        ]
        for result in RESULTS.values():
            assert [found["claim"] for found in result["certificates"][name]] == now


@pytest.mark.parametrize("data", theorems.CASES)
def test_no_certificate_fails_and_every_control_is_rejected(data):
    for name, found in RESULTS[data]["certificates"].items():
        for fields in found:
            certificate = Certificate(**fields)
            assert certificate.verdict != "fails"
            if certificate.verdict == "holds":
                assert certificate.residual <= certificate.tolerance
                sampled = name == "sampled_denoising"
                assert certificate.control_verdict == ("none" if sampled else "rejected")


@pytest.mark.parametrize(
    ("data", "beyond"),
    [
        ("digits", set()),
        ("constant", set()),
        (
            "photos",
            {
                "ordered_recovery",
                "critical_point_search",
                "probabilistic_pca",
                "variational_landscape",
            },
        ),
        ("MNIST", {"ordered_recovery"}),
        ("m < n", {"critical_point_search"}),
    ],
)
def test_statements_hold_but_for_those_whose_tolerance_an_eigengap_puts_beyond_its_cap(
    data, beyond
):
    for name in theory.THEOREMS:
        allowed = {"holds", "not identifiable"} if name in beyond else {"holds"}
        assert set(verdicts(data, name)) <= allowed, name


def test_degenerate_data_gives_verdicts_for_what_it_determines():
    hold = {"holds"}
    for data in ("repeated", "rank < k", "m < n", "condition 1e12"):
        for name in ("optimal_loss", "code_invariance", "gaussian_denoising"):
            assert set(verdicts(data, name)) == hold
    for data in ("repeated", "rank < k"):
        assert verdicts(data, "optimal_map") == ["not identifiable"]
        assert verdicts(data, "gradient_training") == ["holds", "not identifiable"]
    assert verdicts("m < n", "optimal_map") == ["holds"]
    assert verdicts("condition 1e12", "optimal_map") == ["holds"]


def test_a_data_set_is_measured_again_and_the_others_are_unchanged(tmp_path, monkeypatch, capsys):
    some = {name: theory.THEOREMS[name] for name in ("optimal_loss", "optimal_map")}
    monkeypatch.setattr(theorems, "THEOREMS", some)
    monkeypatch.setattr(theorems, "RESULTS", tmp_path / "theory.json")
    monkeypatch.setattr(theorems, "DOCUMENT", tmp_path / "theory.md")
    theorems.DOCUMENT.write_text(
        f"before\n<!-- written by `{theorems.COMMAND}`: begin -->\nstale\n"
        f"<!-- written by `{theorems.COMMAND}`: end -->\nafter\n"
    )
    theorems.main(("constant",))
    first = json.loads(theorems.RESULTS.read_text(encoding="utf-8"))["constant"]
    theorems.main(("constant",), ("optimal_map",))
    again = json.loads(theorems.RESULTS.read_text(encoding="utf-8"))["constant"]
    assert again["certificates"] == first["certificates"]
    assert list(again["certificates"]) == list(some)
    assert again["seconds"] >= first["seconds"]
    theorems.main(("repeated",))
    written = theorems.DOCUMENT.read_text(encoding="utf-8")
    assert set(json.loads(theorems.RESULTS.read_text(encoding="utf-8"))) == {"constant", "repeated"}
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    assert "stale" not in written
    assert "| [`optimal_map`](02_optimum.md#optimal_map) 1 | *not identifiable* | " in written
    assert "λ\\_k" in written or "σ\\_k" in written
    theorems.main(())
    assert theorems.DOCUMENT.read_text(encoding="utf-8") == written
    assert capsys.readouterr().out.startswith("constant ")


def test_an_unknown_data_set_is_refused_with_the_known_ones():
    with pytest.raises(SystemExit, match="no data set iris; there are digits, photos"):
        theorems.main(("iris",))
