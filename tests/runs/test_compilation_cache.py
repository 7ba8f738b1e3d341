"""Directory and limits of the compilation cache."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from aejax.runs.compilation_cache import enable_compilation_cache

SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_compilation_cache_max_size",
    "jax_persistent_cache_min_compile_time_secs",
)


@pytest.fixture
def unset():
    """JAX's default cache settings; restored after the test."""
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_user_cache_directory_is_used_with_limits(unset, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    enable_compilation_cache()
    folder = Path(jax.config.jax_compilation_cache_dir)
    assert folder.is_dir()
    assert "aejax" in folder.parts
    assert jax.config.jax_compilation_cache_max_size == 2**30


def test_configured_directory_is_unchanged(unset, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "mine"))
    enable_compilation_cache()
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "mine")


def test_directory_that_cannot_be_created_disables_the_cache(unset, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(
        "aejax.runs.compilation_cache.user_cache_path", lambda _: tmp_path / "file" / "aejax"
    )
    enable_compilation_cache()
    assert jax.config.jax_compilation_cache_dir is None


def test_read_only_directory_disables_the_cache(unset, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("os.access", lambda *_: False)  # the superuser may write everywhere
    enable_compilation_cache()
    assert jax.config.jax_compilation_cache_dir is None


@pytest.mark.skipif(sys.platform != "linux", reason="XDG's folders are those of Linux")
@pytest.mark.parametrize("words", [[], ["--no-compilation-cache"]])
def test_command_fills_the_cache_unless_disabled(words, tmp_path):
    prefixes = ("JAX_", "XLA_")  # fast compilation is not cached
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(prefixes)
    }
    run = "from aejax.cli import main; raise SystemExit(main())"
    command = ["verify", "--data", "digits", "--code", "3", "--theorem", "optimal_map"]
    process = subprocess.run(
        [sys.executable, "-c", run, *command, *words],
        env=environment | {"XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert bool(list(tmp_path.rglob("*-cache"))) == (not words)
