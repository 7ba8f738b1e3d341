"""Existing runs are not overwritten, and damaged or altered files are refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aejax.cli.commands.report import _certificates
from aejax.interchange.sealed_json import seal
from aejax.report.page import certificate_table
from aejax.runs.history import read_history
from aejax.runs.integrity import check_digest
from aejax.runs.run import open_run
from tests.cli.conftest import check
from tests.faults.test_hostile_files import anything
from tests.properties import property_test


def test_existing_run_is_not_overwritten(run, aejax):
    before = sorted((path, path.stat().st_mtime_ns) for path in run.rglob("*"))
    check(aejax("train --out", run), f"{run} holds a run | --resume | --out")
    (run / "configuration.json").unlink()
    check(aejax("train --out", run), f"{run} holds a run")  # its checkpoints are enough
    after = sorted((path, path.stat().st_mtime_ns) for path in run.rglob("*"))
    assert {path for path, _ in before} - {path for path, _ in after} == {
        run / "configuration.json"
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("--seed 3 --penalty.sparsity 1", "seed was 0, now 3 | penalty.sparsity was 0.1, now 1.0"),
        ("--sizes 64 32 12", "sizes was [64, 12], now [64, 32, 12]"),
        ("--schedule cosine", "schedule was 'constant', now 'cosine' | epochs was None, now 6"),
        ("--data photos", "data was 'digits', now 'photos' | data fingerprint was"),
        ("--checkpoint 7", "no checkpoint of step 7 | [24, 30, 36]"),
    ],
)
def test_run_is_not_resumed_with_other_settings(run, aejax, change, words):
    settings = (run / "configuration.json").read_bytes()
    sizes = " --sizes 144 12" if "photos" in change else ""
    check(aejax("train --resume --out", run, change + sizes), words)
    assert (run / "configuration.json").read_bytes() == settings


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "configuration.json: not a configuration"),
        (b"\xff", "configuration.json: "),
        (b"[]", "configuration.json: not a configuration"),
        ({"epochs": "six"}, "epochs cannot be 'six'"),
        ({"loss": "hinge"}, "loss cannot be 'hinge'"),
        ({"sizes": [64, "12"]}, "sizes cannot be (64, '12')"),
        ({"penalty": {"l3": 1}}, "l3"),
        ({"augmentation": []}, "configuration.json: not a configuration"),
        ({"colour": "red"}, "colour"),
        ({"sizes": [64, 13]}, "configuration.json is not what was written"),
        ({"epochs": 9}, "configuration.json is not what was written | delete | digests.json"),
    ],
)
@pytest.mark.parametrize("command", ["train --resume --out", "report"])
def test_damaged_settings_are_refused(run, aejax, command, content, words):
    path = run / "configuration.json"
    if isinstance(content, dict):
        content = json.dumps(json.loads(path.read_text()) | content).encode()
    path.write_bytes(content)
    check(aejax(command, run), words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "about.json is not what `aejax train` wrote"),
        (b"{}", "about.json is not what `aejax train` wrote"),
        ({"feature_shape": ["a"]}, "about.json is not what `aejax train` wrote"),
        ({"feature_shape": [64]}, "about.json is not what was written"),
        ({"feature_shape": [8, 8.5]}, "feature_shape cannot be [8, 8.5]"),
        ({"feature_shape": [-8, -8]}, "feature_shape cannot be [-8, -8]"),
        ({"fingerprint": "0" * 16}, "about.json is not what was written"),
    ],
)
def test_damaged_about_file_is_refused(run, aejax, content, words):
    path = run / "about.json"
    if isinstance(content, dict):
        content = json.dumps(json.loads(path.read_text()) | content).encode()
    path.write_bytes(content)
    check(aejax("report", run), words)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda lines: [lines[0], b"{", *lines[2:]], "line 2 is not the record of epoch 2"),
        (lambda lines: [lines[0], b"\xff", *lines[2:]], "line 2 is not the record of epoch 2"),
        (lambda lines: [lines[0], *lines[2:]], "line 2 is not the record of epoch 2"),
        (lambda lines: lines[:4], "history.jsonl holds 4 epochs, but the checkpoint is of 6"),
        (lambda lines: [*lines[:5], lines[5][:-9]], "holds 5 epochs"),  # no end of line
    ],
)
def test_damaged_history_is_refused(run, aejax, damage, words):
    path = run / "history.jsonl"
    lines = damage(path.read_bytes().splitlines())
    whole = lines[-1].endswith(b"}")
    path.write_bytes(b"\n".join(lines) + (b"\n" if whole else b""))
    check(aejax("train --resume --out", run), f"{path} | {words}" if whole else words)


def test_damaged_best_checkpoint_is_not_used(run, tmp_path, aejax):
    np.save(tmp_path / "new.npy", np.zeros((2, 64)))
    best = open_run(run).step
    (run / f"checkpoints/{best}/digests.json").unlink()
    check(
        aejax("encode", run, tmp_path / "new.npy"),
        f"{best} is damaged: digests.json is missing | intact one",
    )


CERTIFICATE = {
    **dict.fromkeys(("claim", "formula", "source", "reason"), "words"),
    **dict.fromkeys(("residual", "tolerance", "control"), 0.5),
    "verdict": "holds",
}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "{}",
        '[{"claim": "all is well"}]',
        "[3]",
        "null",
        "[[]]",
        "[" * 100_000,
        "[" * 900 + "]" * 900,
        *(
            json.dumps([CERTIFICATE, CERTIFICATE | change])
            for change in (
                {"verdict": ""},
                {"verdict": "proved"},
                {"verdict": ["holds"]},
                {"verdict": {"holds": "holds"}},
                {"verdict": None},
                {"claim": 3},
                {"formula": None},
                {"reason": ["words"]},
                {"residual": "0.5"},
                {"tolerance": True},
                {"control": [1.0]},
                {"control": float("nan")},
                {"tolerance": float("-inf")},
                {"colour": "red"},
            )
        ),
    ],
)
def test_invalid_certificates_are_refused(run, aejax, tmp_path, content):
    path = tmp_path / "found.json"
    path.write_text(content)
    check(aejax("report", run, "--certificates", path), str(path))


@property_test(examples=60)
@given(
    field=st.sampled_from(sorted(CERTIFICATE)),
    value=anything,
)
def test_certificate_with_any_value_is_shown_or_refused(tmp_path_factory, field, value):
    path = tmp_path_factory.mktemp("certificates") / "found.json"
    path.write_text(json.dumps([CERTIFICATE | {field: value}]))
    try:
        assert "words" in certificate_table(_certificates(path))
    except ValueError as error:
        assert str(path) in str(error)  # noqa: PT017 -- no error is right too


@pytest.mark.parametrize("content", ["[" * 100_000, "{", "\xff"])
def test_damaged_metrics_are_refused(run, aejax, content):
    (run / "metrics.json").write_text(content, encoding="latin-1")
    check(aejax("report", run), f"{run / 'metrics.json'}")


def test_report_on_changed_data_is_refused(tmp_path, small, aejax):
    assert (
        aejax(
            f"train --data {small} --sizes 6 2 --batch-size 8 --epochs 1 --out {tmp_path / 'run'}"
        ).code
        == 0
    )
    np.save(small, np.load(small)[::-1])
    check(aejax("report", tmp_path / "run"), "no longer the data that the run was trained on")


RECORD = {"epoch": 1, "step": 4, "loss": 1.0, "validation": {"loss": 2.0}}


@pytest.mark.parametrize(
    "change",
    [
        {"loss": "low"},
        {"loss": [1.0]},
        {"loss": None},
        {"loss": True},
        {"loss": 10**400},
        {"sparsity": {}},
        {"validation": 3},
        {"validation": {}},
        {"validation": {"loss": "low"}},
    ],
    ids=str,
)
def test_history_record_with_invalid_terms_is_refused(tmp_path, change):
    path = tmp_path / "history.jsonl"
    path.write_text(json.dumps(RECORD) + "\n")
    assert read_history(path) == [RECORD]
    path.write_text(json.dumps(RECORD | change) + "\n")
    with pytest.raises(ValueError, match=r"history\.jsonl: line 1 .*not a number"):
        read_history(path)


@pytest.mark.parametrize(
    "change",
    [
        {"test_error": "low"},
        {"test_error": None},
        {"test_error": [1.0]},
        {"pca_test_error": {}},
        {"code": "<b>"},
    ],
    ids=str,
)
def test_metrics_of_another_type_are_refused(run, aejax, change):
    path = run / "metrics.json"
    (run / "digests.json").unlink()
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    (name,) = change
    check(aejax("report", run), f"metrics.json is not what `aejax train` wrote | {name} cannot be")


@pytest.mark.parametrize("files", [[], "x", {"about.json": 3}, {"about.json": None}], ids=str)
def test_digests_of_another_type_are_refused(tmp_path, files):
    (tmp_path / "about.json").write_text("{}")
    (tmp_path / "digests.json").write_text(json.dumps(seal({"run": "a", "files": files})))
    with pytest.raises(ValueError, match=r"digests\.json is damaged"):
        check_digest(tmp_path / "about.json")


def test_residual_beyond_float_range_is_refused(tmp_path):
    path = tmp_path / "found.json"
    values = dict.fromkeys(("claim", "formula", "source", "reason"), "x")
    numbers = {"residual": 10**400, "tolerance": 1.0, "control": None}
    path.write_text(json.dumps([values | numbers | {"verdict": "holds"}]))
    with pytest.raises(ValueError, match="not what `aejax verify --json` wrote"):
        _certificates(path)
