"""Source of a factory: the files that it imports, and its digest in every version of Python."""

import ast

import pytest

from aejax.runs.factory_source import factory_digest, local_sources
from aejax.runs.source_digest import portable_dump

FILES = {
    "my_model.py": "import jax\nimport layers.dense\nfrom helpers import a\nfrom none import b\n",
    "helpers.py": "def a():\n    from other import c\n    import my_model\n",
    "other.py": "import aejax\n",
    "unrelated.py": "",
    "layers/__init__.py": "",
    "layers/dense.py": "from . import units\nfrom .. import missing\n",
    "layers/units.py": "from layers.dense import d\nimport other\n",
    "layers/unrelated.py": "",
    "site-packages/installed.py": "import other\n",
    "site-packages/other.py": "",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("my_model.py", {"helpers.py", "other.py", "layers/dense.py", "layers/units.py"}),
        ("layers/units.py", {"layers/dense.py", "layers/__init__.py", "other.py"}),
        ("unrelated.py", set()),
        ("site-packages/installed.py", set()),
    ],
)
def test_sources_are_the_imported_files_of_the_user(folder, name, others):
    found = [path.relative_to(folder).as_posix() for path in local_sources(folder / name)]
    assert found[0] == name
    assert len(found) == len(set(found))
    assert set(found[1:]) - {"layers/__init__.py"} == others - {"layers/__init__.py"}


def test_names_of_modules_and_files_have_one_digest(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    found = factory_digest("helpers:a")
    assert found is not None
    assert found == factory_digest(f"{folder}/helpers.py:a")
    for name in (None, "math:sqrt", "no_module:make", f"{folder}/none.py:make"):
        assert factory_digest(name) is None


def test_the_text_of_a_tree_lacks_what_versions_of_python_add():
    source = "def f(x: int, *, y=0) -> str:\n    return f'{x!r} {y}' + ''\n\nclass A: pass\n"
    text = portable_dump(ast.parse(source))
    assert text.startswith("Module(body=[FunctionDef(name='f',args=arguments(args=[arg(arg='x',")
    assert "Constant(value=0)" in text
    assert "Constant(value='')" in text
    assert "JoinedStr([FormattedValue(value=Name(id='x',ctx=Load()),conversion=114)," in text
    assert "None" not in text
    assert "type_params" not in text
