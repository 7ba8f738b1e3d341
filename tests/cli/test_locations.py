"""Runs with a relative path to their data, opened from another directory or moved."""

import json
import os
import shutil

import numpy as np
import pytest

from aejax.runs.run import open_run, read_about
from aejax.runs.streamed_examples import load_seen_examples
from tests.cli.conftest import check

SETTINGS = "--sizes 6 2 --batch-size 8 --epochs 1 --schedule constant --quiet"


@pytest.fixture
def home(small, tmp_path, aejax, monkeypatch):
    """Directory with data and a run; the working directory is another one."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    assert aejax(f"train --data small.npy {SETTINGS} --out run").code == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def test_relative_data_path_is_found_from_another_directory(home, aejax, monkeypatch):
    monkeypatch.setattr("aejax.report.run_figures.run_figures", lambda *_: ())
    assert aejax("report", home / "run").code == 0
    assert aejax("train --resume --epochs 2 --quiet --out", home / "run").code == 0
    assert aejax("train --epochs 2 --quiet --out again --from", home / "run").code == 0
    configuration = json.loads((home / "run/configuration.json").read_text())
    assert configuration["data"] == "small.npy"  # as given
    again = home / "elsewhere/again"
    assert read_about(again).folder == read_about(home / "run").folder == str(home)
    monkeypatch.chdir(home.parent)
    assert len(load_seen_examples(open_run(again)).raw) == 6


def test_data_and_run_can_be_moved_together(small, tmp_path, aejax, monkeypatch):
    monkeypatch.setattr("aejax.report.run_figures.run_figures", lambda *_: ())
    (tmp_path / "old").mkdir()
    shutil.move(small, tmp_path / "old/small.npy")
    monkeypatch.chdir(tmp_path / "old")
    assert aejax(f"train --data small.npy --stream {SETTINGS} --out run").code == 0
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").rename(tmp_path / "new")
    check(aejax("report new/run"), "small.npy")
    monkeypatch.chdir(tmp_path / "new")
    assert aejax("report run").code == 0


def test_run_without_recorded_folder_opens_beside_its_data(home, aejax, monkeypatch):
    monkeypatch.setattr("aejax.report.run_figures.run_figures", lambda *_: ())
    path = home / "run/about.json"
    about = json.loads(path.read_text())
    del about["folder"]
    path.write_text(json.dumps(about))
    (home / "run/digests.json").unlink()  # runs of earlier versions have none
    check(aejax("report", home / "run"), "no file or folder small.npy")
    monkeypatch.chdir(home)
    assert aejax("report run").code == 0
    assert aejax("train --resume --epochs 2 --quiet --out run").code == 0


@pytest.mark.parametrize("folder", [3, ["a"], {"a": 1}, True])
def test_recorded_folder_of_another_type_is_refused(home, aejax, folder):
    path = home / "run/about.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"folder": folder}))
    check(aejax("report", home / "run"), "about.json is not what `aejax train` wrote: folder")


def test_names_and_absolute_paths_record_no_folder(finished, small, tmp_path, aejax):
    assert read_about(finished).folder is None
    assert aejax(f"train --data {small} {SETTINGS} --out", tmp_path / "run").code == 0
    assert read_about(tmp_path / "run").folder is None


def test_relative_data_dir_is_recorded_as_absolute(tmp_path, aejax, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = "train --data digits --data-dir prepared --sizes 64 4 --epochs 1 --quiet --out run"
    assert aejax(words).code == 0
    configuration = json.loads((tmp_path / "run/configuration.json").read_text())
    assert configuration["data_dir"] == str(tmp_path / "prepared")


def test_other_data_of_the_same_name_are_refused(home, aejax):
    np.save(home / "elsewhere/small.npy", np.zeros((30, 6)))
    assert load_seen_examples(open_run(home / "run")).raw.any()
    (home / "small.npy").unlink()
    check(aejax("report", home / "run"), "no longer the data that the run was trained on")


def test_repeated_run_records_the_folder_of_moved_data(home, aejax, monkeypatch):
    moved = home.rename(home.with_name("moved"))
    monkeypatch.chdir(moved)
    assert aejax("train --quiet --no-pca --out again --from run").code == 0
    assert read_about(moved / "again").folder == str(moved)


@pytest.mark.skipif(os.fsencode("ü") != "ü".encode(), reason="file names are not UTF-8")
def test_folder_with_undecodable_name_is_refused(small, tmp_path, aejax, monkeypatch):
    folder = tmp_path / os.fsdecode(b"\xff")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("the file system accepts only text")
    monkeypatch.chdir(folder)
    check(aejax("train --data", small, SETTINGS, "--out run"), "bytes that are not UTF-8")
    check(aejax("encode", "run", small), "bytes that are not UTF-8")
    assert not [*folder.iterdir()]
