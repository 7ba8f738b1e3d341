"""Modules of a factory: those of its folder, as they are now, whatever else has their name."""

import os
import sys

import pytest

from aejax.runs.factories import call_factory, load_factory
from aejax.runs.factory_source import factory_digest

FACTORY = "import {name}\n\ndef make():\n    return {name}.VALUE\n"
LATER = "def make():\n    def later():\n        from helper import VALUE\n        return VALUE\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a Python file; the working directory has another `helper`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
        return path

    write("helper.py", "VALUE = 'working directory'\n")
    return write


def value(name):
    return load_factory(name)()


def test_each_factory_has_the_module_beside_it(write):
    before, path = dict(sys.modules), list(sys.path)
    for folder in ("a", "b"):
        write(f"{folder}/m.py", FACTORY.format(name="helper"))
        write(f"{folder}/helper.py", f"VALUE = {folder!r}\n")
    made = [load_factory(f"{folder}/m.py:make") for folder in "ab"]
    assert [make() for make in made] == ["a", "b"]
    assert (sys.path, sys.modules.keys() - before) == (path, {"_aejax_factory_m"})


@pytest.mark.parametrize("name", ["main.py:make", "main:make", "pack.main:make", "space.main:make"])
def test_an_edited_module_is_loaded_again(write, name):
    """The edit has the length of the first text, and may have its time."""
    write("pack/__init__.py", "")
    for prefix in ("", "pack/", "space/"):
        write(f"{prefix}main.py", FACTORY.format(name="edited"))
    for text in ("tanh", "relu"):
        os.utime(write("edited.py", f"VALUE = {text!r}\n"), (1, 1))
        assert value(name) == text
    digest = factory_digest(name)
    write("edited.py", "VALUE = 'gelu'\n")
    assert factory_digest(name) != digest


def test_the_module_of_the_factory_itself_is_loaded_again(write):
    for text in ("tanh", "relu"):
        write("own.py", f"def make():\n    return {text!r}\n")
        assert value("own:make") == text
    assert "own" not in sys.modules


def test_later_imports_find_the_same_modules(write):
    write("a/m.py", f"{LATER}    return later\n")
    write("a/helper.py", "from inner import later\nVALUE = later()\n")
    write("a/inner.py", "def later():\n    import deep.leaf as leaf\n    return leaf.VALUE\n")
    write("a/deep/leaf.py", "from deep.other import VALUE\n")
    write("a/deep/other.py", "VALUE = 'deep'\n")
    write("deep/other.py", "VALUE = 'wrong'\n")
    assert value("a/m.py:make")() == "deep"
    import helper  # pyright: ignore[reportMissingImports]

    assert helper.VALUE == "working directory"
    del sys.modules["helper"]


def test_modules_that_import_each_other_are_loaded_once(write):
    write("a/m.py", "import left, right\ndef make():\n    return left.shared is right.shared\n")
    write("a/left.py", "import shared, right\n")
    write("a/right.py", "import left, shared\n")
    write("a/shared.py", "import left\n")
    assert value("a/m.py:make") is True


def test_flax_modules_of_a_helper_can_be_transformed(write):
    pytest.importorskip("flax")
    text = "from __future__ import annotations\nfrom flax import linen as nn\n"
    text += "class Cell(nn.Module):\n    width: int\n    @nn.compact\n"
    text += "    def __call__(self, c, x):\n        return nn.Dense(self.width)(c) + x, None\n"
    write("cells.py", text)
    text = "import jax, jax.numpy as jnp\nfrom flax import linen as nn\nfrom cells import Cell\n"
    text += "def make():\n    over = nn.scan(Cell, variable_broadcast='params', "
    text += "split_rngs={'params': False})(2)\n"
    text += "    return over.init(jax.random.key(0), jnp.ones((2,)), jnp.ones((3, 2)))\n"
    write("scanned.py", text)
    assert value("scanned.py:make")["params"]


def test_a_module_of_the_name_of_one_of_python_is_refused(write):
    write("a/m.py", "import json\n")
    write("a/json.py", "")
    with pytest.raises(ValueError, match=r"json in .* has the name of a module of Python .*rename"):
        load_factory("a/m.py:make")


def test_an_exit_of_a_factory_is_an_error(write):
    write("stops.py", "import sys\n\ndef make():\n    sys.exit(0)\n")
    with pytest.raises(ValueError, match=r"stops.py:make failed on {} in line 4: SystemExit: 0"):
        call_factory("stops.py:make", {})
    write("stops.py", "raise SystemExit(3)\n")
    with pytest.raises(ValueError, match=r"stops.py cannot be imported in line 1: SystemExit: 3"):
        call_factory("stops.py:make", {})
