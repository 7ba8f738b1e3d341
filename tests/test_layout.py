"""Layout of the package: import cycles, the order of its layers, file names, folders of tests."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
Graph = Mapping[str, set[str]]
"""The modules that each module imports, e.g. {"aejax.keys": {"aejax.types"}}."""

# From the bottom up. A component may import lower layers only, so those of one layer are
# independent of each other: theory and plots need no training code, training needs neither.
# Objectives are below models, which objectives take as arguments.
LAYERS = (
    {"repr_text"},
    {"types"},
    {"batch_inputs", "contracts", "hyperparameters", "keys", "promotion"},
    {"likelihoods", "objectives"},
    {"data", "layers", "losses", "posteriors", "trackers"},
    {"augmentations", "corruptions", "evaluation", "penalties", "priors"},
    {"models"},
    {"theory"},
    {"interchange", "plots", "training"},
    {"checkpoints", "registry", "sharding"},
    {"planning", "runs"},
    {"estimator", "report", "studies"},
    {"cli"},
    {"__init__", "__main__"},
)
# Folders of tests, about the package as a whole.
WITHOUT_COUNTERPART = {
    "accelerators",
    "benchmarks",
    "contract",
    "docs",
    "experiments",
    "faults",
    "journeys",
    "mutation",
}


def module_name(path: Path, root: Path) -> str:
    """Dotted name of a file below root; a package is named after its folder."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Module and name (None for `import module`) of each import, those in functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, "imports are absolute"
            yield from ((node.module, alias.name) for alias in node.names)


def import_graph(root: Path, *folders: str) -> dict[str, set[str]]:
    """Imports among the Python files of folders; a re-exported name counts where it is defined."""
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    found = {
        module_name(path, root): list(imports(ast.parse(path.read_text("utf-8")))) for path in paths
    }
    packages = {module_name(path, root) for path in paths if path.name == "__init__.py"}

    def resolve(module: str, name: str | None) -> str:
        exported = found[module] if module in packages and name else ()
        for source, exported_name in exported:
            if exported_name == name and source != module:
                return resolve(source, name)
        return f"{module}.{name}" if f"{module}.{name}" in found else module

    graph = {module: {resolve(*each) for each in names} for module, names in found.items()}
    return {module: names & found.keys() - {module} for module, names in graph.items()}


def cycle(graph: Graph) -> list[str]:
    """Nodes of one cycle, each imports the next, the first is also the last; empty if none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1][::-1]
    return []


def ancestors(module: str) -> list[str]:
    """Folders that contain a module, from the root down: aejax, aejax.theory, …"""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def folder_graph(graph: Graph) -> dict[str, set[str]]:
    """Imports among sibling folders, that is, folders with the same parent.

    An import between a folder's own files and its subfolders is no edge: their order is that of
    the files.
    """
    folders: dict[str, set[str]] = {}
    for module, names in graph.items():
        for name in names:
            pairs = zip(ancestors(module), ancestors(name), strict=False)
            different = [pair for pair in pairs if pair[0] != pair[1]]
            if different:
                importer, imported = different[0]
                folders.setdefault(importer, set()).add(imported)
    return folders


def component(module: str) -> str:
    """Name of the file or folder directly below aejax that contains a module."""
    return (*module.split("."), "__init__")[1]


def upward_imports(graph: Graph) -> list[str]:
    """Imports that do not go from a component to one of a lower layer."""
    level = {name: index for index, layer in enumerate(LAYERS) for name in layer}
    return sorted(
        f"{module} imports {name}"
        for module, names in graph.items()
        for name in names
        if (importer := component(module)) != (imported := component(name))
        and level[importer] <= level[imported]
    )


def cli_imports(graph: Graph) -> list[str]:
    """Modules outside the command line that import it; `python -m aejax` may."""
    return sorted(
        module
        for module, names in graph.items()
        if not f"{module}.".startswith("aejax.cli.") and module != "aejax.__main__"
        if any(f"{name}.".startswith("aejax.cli.") for name in names)
    )


def repeated_names(paths: Iterable[Path]) -> list[str]:
    """File names that occur more than once, apart from `__init__.py` and `__main__.py`."""
    counts = Counter(path.name for path in paths if not path.name.startswith("__"))
    return sorted(name for name, count in counts.items() if count > 1)


def folders_without_counterpart(tests: Iterable[Path], package: Iterable[Path]) -> list[str]:
    """Folders of test files, relative to tests/, that do not exist in the package."""
    known = {parent for path in package for parent in path.parents}
    return sorted(
        {
            str(path.parent)
            for path in tests
            if path.parts[0] not in WITHOUT_COUNTERPART and path.parent not in known
        }
    )


def relative_files(folder: str) -> list[Path]:
    return [path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*.py")]


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return import_graph(ROOT, "aejax")


def test_every_component_has_a_layer(graph):
    components = [name for layer in LAYERS for name in layer]
    assert sorted({component(module) for module in graph} | {"__init__"}) == sorted(components)


def test_no_import_cycle_between_files(graph):
    assert cycle(graph) == []


def test_no_import_cycle_between_folders(graph):
    assert cycle(folder_graph(graph)) == []


def test_imports_go_downwards(graph):
    assert upward_imports(graph) == []


def test_only_the_command_line_imports_itself():
    assert cli_imports(import_graph(ROOT, "aejax", "experiments", "benchmarks")) == []


def test_file_names_are_unique():
    assert repeated_names(relative_files("aejax")) == []


def test_tests_mirror_the_package():
    assert folders_without_counterpart(relative_files("tests"), relative_files("aejax")) == []


def test_an_import_in_a_function_or_for_type_checking_counts(tmp_path):
    sources = {
        "__init__.py": "",
        "a/__init__.py": "from aejax.a.inner import f as f\n",
        "a/inner.py": "def f():\n    from aejax import b\n",
        "b.py": "if TYPE_CHECKING:\n    from aejax.a import f\nimport jax\n",
        "c.py": "from aejax import a\n",
    }
    for name, source in sources.items():
        path = tmp_path / "aejax" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    assert import_graph(tmp_path, "aejax") == {
        "aejax": set(),
        "aejax.a": {"aejax.a.inner"},
        "aejax.a.inner": {"aejax.b"},
        "aejax.b": {"aejax.a.inner"},  # where f is defined, not where it is re-exported
        "aejax.c": {"aejax.a"},
    }


def test_a_cycle_between_files_is_found():
    assert cycle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    found = cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert found[0] == found[-1]
    assert set(found) == {"a", "b", "c"}


def test_a_cycle_between_folders_is_found():
    files = {"aejax.x.a": {"aejax.y.b"}, "aejax.y.c": {"aejax.x.d"}}
    assert cycle(files) == []
    assert set(cycle(folder_graph(files))) == {"aejax.x", "aejax.y"}
    assert cycle(folder_graph({"aejax.x": {"aejax.x.y.a"}, "aejax.x.y.b": {"aejax.x.c"}})) == []


def test_an_upward_import_is_found():
    assert upward_imports({"aejax.models.dense": {"aejax.layers.activations"}}) == []
    assert upward_imports({"aejax.layers.a": {"aejax.models.dense"}}) == [
        "aejax.layers.a imports aejax.models.dense"
    ]
    assert upward_imports({"aejax.data.a": {"aejax.layers.b"}})  # of the same layer
    assert upward_imports({"aejax.theory.a": {"aejax.training.b"}})
    assert upward_imports({"aejax.keys": {"aejax"}})


def test_an_import_of_the_command_line_is_found():
    assert cli_imports({"experiments.a": {"aejax.cli.commands.train"}}) == ["experiments.a"]
    assert cli_imports({"aejax.runs.run": {"aejax.cli"}}) == ["aejax.runs.run"]
    assert cli_imports({"aejax.cli.main": {"aejax.cli.commands.train"}}) == []


def test_a_repeated_file_name_is_found():
    paths = map(Path, ["runs/errors.py", "cli/errors.py", "runs/__init__.py", "cli/__init__.py"])
    assert repeated_names(paths) == ["errors.py"]


def test_a_folder_without_counterpart_is_found():
    tests = map(Path, ["test_keys.py", "models/test_dense.py", "other/test_a.py", "docs/test_b.py"])
    package = [Path("keys.py"), Path("models/dense.py")]
    assert folders_without_counterpart(tests, package) == ["other"]
