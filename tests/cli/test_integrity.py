"""Digests of the files of a run: altered files and files of other runs are refused."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from aejax.interchange.sealed_json import unseal
from aejax.runs import integrity
from aejax.runs.integrity import IDENTITY_KEY, check_digest, read_identity, write_files
from aejax.runs.run import open_run
from tests.cli.conftest import EPOCHS, SETTINGS, check, history_of, state_of

COVERED = ("about.json", "configuration.json", "metrics.json")


@pytest.fixture(scope="module")
def other(tmp_path_factory, compiled_once):
    """Another run with the same settings and data."""
    from aejax.cli import main

    out = tmp_path_factory.mktemp("runs") / "digits"
    assert main([*SETTINGS.split(), "--epochs", str(EPOCHS), "--out", str(out)]) == 0
    return out


def test_digests_are_those_of_the_files(finished):
    document = unseal((finished / "digests.json").read_text())
    found = {name: hashlib.sha256((finished / name).read_bytes()) for name in COVERED}
    expected = {name: [digest.hexdigest()] for name, digest in found.items()}
    assert expected.items() <= document["files"].items()
    assert len(document["run"]) == 32
    saved = [json.loads(path.read_text()) for path in finished.glob("checkpoints/*/about.json")]
    assert {about["configuration"][IDENTITY_KEY] for about in saved} == {document["run"]}


def test_runs_with_equal_settings_have_different_identities(finished, other):
    assert read_identity(finished) != read_identity(other)


@pytest.mark.parametrize(
    ("name", "command", "words"),
    [
        ("history.jsonl", "report", "history.jsonl: line 1 is not the record of epoch 1"),
        ("history.jsonl", "train --resume --out", "history.jsonl: line 1"),
        (
            "digests.json",
            "report",
            "saved with another configuration: identity in digests.json was",
        ),
        (
            "checkpoints.json",
            "report",
            "is damaged: digests.json is not the one that checkpoints.json lists",
        ),
        ("checkpoints/36", "report --checkpoint 36", "36 is damaged: digests.json is not the one"),
        ("checkpoints/30", "train --resume --checkpoint 30 --out", "30 is damaged: digests.json"),
    ],
)
def test_file_of_another_run_is_refused(run, other, aejax, name, command, words):
    folder = (run / name).is_dir()
    (shutil.rmtree if folder else os.unlink)(run / name)
    (shutil.copytree if folder else shutil.copy)(other / name, run / name)
    check(aejax(command, run), words)


def test_checkpoint_of_another_run_is_refused_without_index(run, other, aejax):
    (run / "checkpoints.json").unlink()
    shutil.rmtree(run / "checkpoints" / "30")
    shutil.copytree(other / "checkpoints" / "30", run / "checkpoints" / "30")
    check(
        aejax("report --checkpoint 30", run),
        "30 was saved with another configuration: identity in digests.json was",
    )


def test_exchanged_checkpoints_are_refused(run, tmp_path, aejax):
    np.save(tmp_path / "new.npy", np.zeros((2, 64)))
    folder = run / "checkpoints"
    for old, new in (("24", "x"), ("30", "24"), ("x", "30")):
        os.rename(folder / old, folder / new)
    encode = aejax("encode", run, tmp_path / "new.npy", "--checkpoint 24")
    check(
        encode, "checkpoints/24 is damaged: digests.json is not the one that checkpoints.json lists"
    )


@pytest.mark.parametrize("name", COVERED)
def test_missing_file_is_reported(run, aejax, name):
    (run / name).unlink()
    check(aejax("report", run), name)


def test_truncated_history_is_refused(run, aejax):
    path = run / "history.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    check(aejax("report", run), f"{path} holds 5 epochs, but the checkpoint is of 6 | --checkpoint")


def test_missing_best_checkpoint_is_refused(run, aejax):
    best = json.loads((run / "metrics.json").read_text())["step"]
    shutil.rmtree(run / "checkpoints" / str(best))
    check(aejax("report", run), f"checkpoints/{best} is damaged: it is missing")
    check(aejax("train --resume --epochs 7 --out", run), f"checkpoints/{best}")


def test_run_that_lost_its_checkpoints_does_not_restart(run, aejax):
    shutil.rmtree(run / "checkpoints")
    check(aejax("train --resume --out", run), "36 is damaged: it is missing")


def as_earlier_version(run: Path) -> None:
    """Rewrite a run as an earlier version wrote it: without identity, index and line digests."""
    (run / "digests.json").unlink()
    (run / "checkpoints.json").unlink()
    path = run / "history.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        del record["digest"]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    for checkpoint in (run / "checkpoints").iterdir():
        about = json.loads((checkpoint / "about.json").read_text())
        del about["configuration"][IDENTITY_KEY]
        (checkpoint / "about.json").write_text(json.dumps(about, indent=2))
        digests = json.loads((checkpoint / "digests.json").read_text())
        digests["about.json"] = hashlib.sha256((checkpoint / "about.json").read_bytes()).hexdigest()
        (checkpoint / "digests.json").write_text(json.dumps(digests, indent=2))


def test_run_of_an_earlier_version_opens_and_resumes(finished, run, aejax):
    as_earlier_version(run)
    shutil.rmtree(run / "checkpoints" / "36")
    history = (run / "history.jsonl").read_text().splitlines(keepends=True)
    (run / "history.jsonl").write_text("".join(history[:5]))
    assert read_identity(run) is None
    assert open_run(run).step in (24, 30)
    assert aejax("train --resume --out", run).code == 0
    assert state_of(run) == state_of(finished)
    assert history_of(run) == history_of(finished)
    assert (run / "metrics.json").read_text() == (finished / "metrics.json").read_text()
    (run / "metrics.json").write_text("{}")  # resuming has written digests
    check(aejax("report", run), "metrics.json is not what was written")


def test_identity_is_read_from_checkpoints_without_digests(finished, run, aejax):
    (run / "digests.json").write_text("{")
    check(aejax("report", run), "digests.json is damaged | delete it")
    (run / "digests.json").unlink()
    assert read_identity(run) == read_identity(finished)
    assert open_run(run).step == open_run(finished).step


@pytest.mark.parametrize("call", range(5))
def test_kill_during_replacement_leaves_each_file_old_or_new(tmp_path, monkeypatch, call):
    write_files(tmp_path, "run", {"a": b"old a", "b": b"old b"})
    calls = []

    def killed(old, new):
        calls.append(new)
        if len(calls) > call:
            raise KeyboardInterrupt
        rename(old, new)

    rename = os.replace
    monkeypatch.setattr(os, "replace", killed)
    try:
        write_files(tmp_path, "run", {"a": b"new a", "c": b"new c"})
    except KeyboardInterrupt:
        assert call < 4  # digests, two files, digests
    monkeypatch.undo()
    for name in "abc":
        check_digest(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (b"old a" if call < 2 else b"new a")
    (tmp_path / "a").write_bytes(b"none of them")
    with pytest.raises(ValueError, match=r"a is not what was written for this run; .* delete"):
        check_digest(tmp_path / "a")


def test_digests_of_another_identity_are_dropped(tmp_path):
    write_files(tmp_path, "first", {"a": b"a"})
    write_files(tmp_path, "second", {"b": b"b"})
    assert read_identity(tmp_path) == "second"
    with pytest.raises(ValueError, match="a is not what was written for this run"):
        check_digest(tmp_path / "a")


def test_identities_are_unique():
    assert len({integrity.new_identity() for _ in range(100)}) == 100
