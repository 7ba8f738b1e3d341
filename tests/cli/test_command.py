"""Environment of the command: output, pipes, home directory, platforms and processes."""

import contextlib
import dataclasses
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import jax
import pytest

from aejax.cli import main
from aejax.cli.all_commands import ACTIONS
from aejax.cli.commands import train
from aejax.cli.process.path_options import expand_home
from tests.cli.conftest import SETTINGS, check

SMALL = "--sizes 6 2 --batch-size 8 --epochs 1 --quiet"
CLOSED_PIPE = 128 + 13


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("latin-1", marks=pytest.mark.slow)])
def test_metrics_are_printed_in_any_encoding(small, tmp_path, monkeypatch, encoding):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    assert main(["train", "--data", str(small), *SMALL.split(), "--out", f"{tmp_path}/run"]) == 0
    text = written.getvalue().decode(encoding)
    assert "autoencoder, code of 2: " in text
    assert "(x? " in text  # x̂


@contextlib.contextmanager
def closed_output(monkeypatch):
    """Replace standard output by a pipe without reader, as after `| head`."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        yield


@pytest.mark.parametrize(
    ("words", "code"),
    [("train --help", CLOSED_PIPE), ("data list", CLOSED_PIPE), ("report nowhere", 2)],
)
def test_closed_pipe_ends_command_without_message(monkeypatch, capsys, words, code):
    """Help is printed by tyro, tables by rich, and errors on stderr."""
    with closed_output(monkeypatch):
        assert main(words.split()) == code
    assert bool(capsys.readouterr().err) == (code == 2)


def test_without_arguments_the_command_line_of_the_process_is_run(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["aejax", "report", "nowhere"])
    assert main() == 2
    assert "nowhere" in capsys.readouterr().err


def test_python_m_aejax_runs_the_command_with_closed_pipe():
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "aejax", "train", "--help"]
    found = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (found.returncode, found.stderr) == (CLOSED_PIPE, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
def test_full_output_device_is_reported(monkeypatch, capfd):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["train", "--help"]) == 2
        monkeypatch.undo()
    (line,) = capfd.readouterr().err.splitlines()
    assert "No space left on device" in line


def paths_of(command) -> dict[str, Path]:
    """Every path in a command, by its dotted field name."""
    found = {}
    for field in dataclasses.fields(command):
        value = getattr(command, field.name)
        if isinstance(value, Path):
            found[field.name] = value
        elif isinstance(value, tuple):
            found |= {f"{field.name}.{i}": x for i, x in enumerate(value) if isinstance(x, Path)}
        elif dataclasses.is_dataclass(value):
            found |= {f"{field.name}.{name}": path for name, path in paths_of(value).items()}
    return found


def with_paths(kind, path: Path):
    """A command of this type in which every path is `path`."""
    values = {}
    for name, hint in get_type_hints(kind).items():
        if hint is Path or hint == Path | None:
            values[name] = path
        elif hint == tuple[Path, ...]:
            values[name] = (path, path)
        elif dataclasses.is_dataclass(hint):
            values[name] = with_paths(hint, path)
        elif hint is str:
            values[name] = "mnist"
    return kind(**values)


@pytest.mark.parametrize("kind", ACTIONS)
def test_home_directory_is_expanded_in_every_path(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = paths_of(expand_home(with_paths(kind, Path("~/x"))))
    assert found
    assert set(found.values()) == {tmp_path / "x"}


def test_run_in_the_home_directory(small, tmp_path, aejax, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert aejax(f"train --data=small.npy {SMALL} --out=~/run").code == 0
    assert aejax("encode ~/run small.npy --out=~/codes.npy").code == 0
    assert {path.name for path in (tmp_path / "home").iterdir()} == {"run", "codes.npy"}
    assert not (tmp_path / "~").exists()
    check(aejax("train --data=~nobody-of-this-name/x.npy --out run"), "~nobody-of-this-name/x.npy")
    check(
        aejax("train --stream --data=~nobody-of-this-name/x.npy --out run"), "~nobody-of-this-name"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--data", "small.npy", "--out", "run\udcff"],
        ["train", "--data", "\udcff.npy", "--out", "run"],
        ["encode", "\udcff", "small.npy"],
        ["report", "run", "--out", "page\udcff.html"],
        ["verify", "--data", "small.npy", "--json", "found\udcff.json"],
    ],
)
def test_undecodable_argument_is_refused(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert r"\udcff" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error", [AssertionError(), RuntimeError("Unable to initialize 'x'\nmore")]
)
@pytest.mark.parametrize("command", ["train", "encode", "verify"])
def test_missing_platform_is_reported_before_data_are_read(
    finished, tmp_path, aejax, monkeypatch, error, command
):
    def devices():
        raise error

    monkeypatch.setattr(jax, "devices", devices)
    words = {
        "encode": f"{finished} nowhere.npy",
        "train": f"--data nowhere.npy --out {tmp_path}/run",
    }
    outcome = aejax(command, words.get(command, "--data nowhere.npy"))
    check(outcome, "JAX_PLATFORMS= | names no device of this machine")
    assert list(tmp_path.iterdir()) == []


def test_processes_connect_before_jax_lists_devices(tmp_path, aejax, monkeypatch):
    """JAX cannot connect processes after its backends are initialised."""
    asked = []
    initialize = train.initialize_distributed
    monkeypatch.setattr(
        train, "initialize_distributed", lambda devices: (asked.append("join"), initialize(devices))
    )
    for name in ("process_index", "devices"):
        monkeypatch.setattr(
            jax, name, lambda *_, real=getattr(jax, name): asked.append("jax") or real()
        )
    assert aejax(f"{SETTINGS} --epochs 1 --out", tmp_path / "run", "--batch-size 0").code == 2
    assert aejax("train --data nowhere.npy --out", tmp_path / "run").code == 2
    assert asked[:2] == ["join", "jax"]


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_verify_refuses_a_directory_as_output(small, tmp_path, aejax, option):
    check(
        aejax(f"verify --data {tmp_path}/nowhere.npy {option}", tmp_path),
        "is a folder: name a file",
    )


@pytest.mark.parametrize("seed", [-1, 2**32, 2**70, 10**400])
def test_seed_out_of_range_is_refused(small, aejax, seed):
    check(aejax(f"verify --data {small} --code 2 --seed {seed}"), "seed must lie in [0, 2³²), got")


@pytest.mark.parametrize(
    "name", ["mnist:1.0.0", "tfds:mnist:1.0.0", "cifar10:9.9.9", "mnist/x:1.0.0"]
)
@pytest.mark.parametrize("command", ["verify", "train --out run", "train --stream --out run"])
def test_unknown_version_of_a_data_set_is_refused(tmp_path, aejax, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    streamed = "--stream" in command and not name.startswith("tfds:")
    words = "no file or folder" if streamed else "no data set or file is called"
    check(aejax(f"{command} --data {name}"), f"{words} | {name}")
