"""`aejax sweep`: several values per option, resumption, the page, and refusals."""

import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from aejax.cli.process.swept_options import parse_swept, split_swept
from aejax.cli.process.text_table import text_table
from tests.cli.conftest import check

WORDS = "sweep --sizes 6 3 --epochs 2 --validation 0.25 --seeds 2 --code 1 9 --learning-rate 0.1 1"


@pytest.fixture
def command(small, tmp_path):
    return [*WORDS.split(), "--data", small, "--out", tmp_path / "sweep"]


def test_a_sweep_prints_its_settings_and_resumes(aejax, command, small, tmp_path):
    first = aejax(*command)
    assert first.code == 0
    lines = first.out.splitlines()
    assert re.split(r"  +", lines[0])[:4] == ["code", "learning_rate", "seeds", "validation error"]
    assert len(lines) == 1 + 4 + 2
    best = lines[-2].removeprefix("best run: ")
    assert "program 2 of 2, code-9: training 4 members" in first.err
    assert "code 9 is larger than the 6 features" in first.err
    without_pca = [line.split()[0] for line in lines[1:5] if re.search(r"-\s+-$", line)]
    assert without_pca == ["9", "9"]
    page = (tmp_path / "sweep" / "sweep.html").read_text()
    assert page.count("data:image/svg") == 2
    assert 'src="http' not in page
    assert f"A sweep of code and learning_rate on {small}" in page
    assert ">0.1</td>" in page  # a swept value as it was given, not with four digits
    again = aejax(*command)
    assert again.out == first.out
    assert again.err.count("finished before") == 2
    codes = tmp_path / "codes.npy"
    assert aejax("encode", best, small, "--out", codes).code == 0
    assert np.load(codes).shape[1] == int(best[-1])
    (tmp_path / "sweep" / "sweep.html").unlink()
    report = aejax("report", tmp_path / "sweep")
    members = "of 8 members (each setting with each seed)"
    assert report.out == f"report: {tmp_path / 'sweep' / 'sweep.html'}, {members}\n"
    assert "95 % interval over seeds, from" in lines[0]
    assert (tmp_path / "sweep" / "sweep.html").read_text() == page
    check(aejax("report", tmp_path / "sweep", "--data", small), "--data is for a run, but")
    compared = aejax("compare", tmp_path / "sweep", "--out", tmp_path / "page.html")
    names = [line.split()[0] for line in compared.out.splitlines()[1:3]]
    assert names == [str(tmp_path / "sweep" / "runs" / name) for name in ("code-1", "code-9")]
    check(aejax("encode", tmp_path / "sweep", small), "is a sweep: name one of the runs in")
    table = aejax(*command, "--json", "--quiet")
    assert table.err == ""
    assert table.out.count('"validation_error"') == 8


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--code 1 2 --seeds 0", "seeds must be from 1 to 4294967296, got 0"),
        ("--learning-rate 1e-3 x", "x | --learning-rate"),
        ("--loss squared sqared", "invalid choice 'sqared' | Did you mean squared"),
        ("--seed 1 2", "seed cannot be swept: give the number of seeds instead"),
        ("--data digits mnist", "data cannot be swept: it changes the data"),
        ("--code 1 2 --stream", "stream cannot be used: a sweep trains in memory"),
        ("--code 1 2 --validation 0", "validation must be above 0"),
        ("--learning-rate 1e-3", "a sweep needs a setting with several values"),
        ("--learn 1 2", "unknown option --learn"),
    ],
)
def test_bad_sweeps_are_refused(aejax, tmp_path, words, complaint):
    check(aejax("sweep", *words.split(), "--out", tmp_path / "sweep"), complaint)
    assert not (tmp_path / "sweep").exists()


def stop_after(program, out, words, number):
    """Start a sweep, send a signal after a program is finished, and return the exit code."""
    command = [sys.executable, "-c", "from aejax.cli import main; raise SystemExit(main())"]
    process = subprocess.Popen([*command, *map(str, words)], stdout=subprocess.DEVNULL)
    while not (out / "programs" / f"{program}.json").exists():
        assert process.poll() is None, "the sweep ended before it was stopped"
        time.sleep(0.01)
    process.send_signal(number)
    return process.wait()


@pytest.mark.slow  # three processes
def test_a_killed_and_interrupted_sweep_equals_one_without_a_stop(aejax, small, tmp_path):
    words = ["sweep", "--data", small, "--code", 1, 2, 4, "--epochs", 3, "--validation", 0.25]
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    assert aejax(*words, "--out", whole).code == 0
    words += ["--out", out]
    assert stop_after("code-1", out, words, signal.SIGKILL) == -signal.SIGKILL
    first = (out / "programs" / "code-1.json").stat()
    assert stop_after("code-2", out, words, signal.SIGINT) == 128 + signal.SIGINT
    assert aejax(*words).err.count("finished before") == 2
    assert (out / "programs" / "code-1.json").stat().st_mtime_ns == first.st_mtime_ns
    assert not list(out.rglob("*.partial*"))
    names = ["table.csv", "table.json"]
    names += [f"runs/code-{code}/{name}.json" for code in (1, 2, 4) for name in (
        "configuration", "metrics")]  # fmt: skip
    for name in names:
        assert (out / name).read_text() == (whole / name).read_text()


def test_options_with_several_values_are_swept():
    words = (
        "sweep --data digits --learning-rate 1e-3 3e-3 --sizes 64 32 2 --penalty.l2 0 0.1 --quiet"
    )
    rest, swept = split_swept(words.split())
    assert " ".join(rest) == "sweep --data digits --sizes 64 32 2 --quiet"
    assert swept == {"learning_rate": ["1e-3", "3e-3"], "penalty.l2": ["0", "0.1"]}
    assert parse_swept({**swept, "batch_size": ["None", "16"]}) == {
        "learning_rate": [1e-3, 3e-3],
        "penalty.l2": [0.0, 0.1],
        "batch_size": [None, 16],
    }


def test_a_text_table_is_aligned():
    table = text_table([{"a": "x", "b": 1.23456}, {"a": "yy", "b": None, "c": 3}])
    assert table == "a       b  c\nx   1.235\nyy      -  3"
