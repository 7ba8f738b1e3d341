"""Modules of the user that a factory imports, loaded afresh and kept apart from `sys.modules`.

Two factories may import different files of the same name, and a file may have been edited since it
was imported. Each load therefore runs the files whose digest a run records: those of the folder of
the factory, before any others of their name. Imports that these files make later, such as those in
a function, find the same modules.
"""

import builtins
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from aejax.runs.local_sources import INSTALLED, local_sources

Modules = dict[str, ModuleType]

_LOCK = threading.RLock()  # sys.modules is that of all threads


def load_file(name: str, file: Path, folders: Sequence[Path]) -> ModuleType:
    """Run a Python file as a module; it imports the modules of the folders afresh.

    Args:
        name: name of the module; `sys.modules` keeps it.
        file: Python file.
        folders: folders of its modules; the first one goes first.

    Returns:
        The module.

    Raises:
        ImportError: if a module has the name of one that Python or an installed package has loaded.
        Exception: if the file raises it.
    """
    visible = _visible(file, folders)
    loader = _FreshLoader(name, str(file), visible)
    spec = spec_from_file_location(name, file, loader=loader)
    assert spec is not None  # there is a loader
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and Flax modules look their module up
    try:
        with visible():
            loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def load_module(name: str, file: Path, folder: Path) -> ModuleType:
    """Import a module of the user, and those of the same folder, afresh.

    Args:
        name: name of the module.
        file: its Python file.
        folder: folder from which it is imported.

    Returns:
        The module; `sys.modules` does not keep it.

    Raises:
        ImportError: as `load_file`.
        Exception: if the module raises it.
    """
    with _visible(file, [folder])():
        return import_module(name)


class _FreshLoader(SourceFileLoader):
    """Loader of a source file as it is now, whose imports see the modules of its factory."""

    def __init__(self, name: str, path: str, visible: "partial[AbstractContextManager[None]]"):
        super().__init__(name, path)
        self.visible = visible

    def get_code(self, fullname: str) -> Any:  # noqa: ARG002
        """Compile the file; a cached code may be that of an edit in the same second."""
        return self.source_to_code(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        """Run the file."""
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": self._import}
        super().exec_module(module)

    def _import(self, *arguments: Any, **options: Any) -> ModuleType:
        with self.visible():
            return builtins.__import__(*arguments, **options)


class _FolderFinder(MetaPathFinder):
    """Finder of the modules of some names in the folders of a factory."""

    def __init__(self, names: Collection[str], folders: Sequence[Path]):
        self.names, self.folders = names, [str(folder) for folder in folders]
        self.visible: partial[AbstractContextManager[None]]

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find a module; None if it is not one of the names."""
        if _top(fullname) not in self.names:
            return None
        spec = PathFinder.find_spec(fullname, self.folders if path is None else path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _FreshLoader(fullname, spec.loader.path, self.visible)
        return spec


def _visible(file: Path, folders: Sequence[Path]) -> "partial[AbstractContextManager[None]]":
    """Context in which imports see the modules of a factory, which are not loaded yet."""
    sources = local_sources(file, folders)
    foreign = {name for name in _names(sources, folders) if _is_foreign(name, sources)}
    for name in sorted(foreign & _names(sources[1:], folders[-1:])):
        raise ImportError(
            f"{name} in {folders[-1]} has the name of a module of Python or of an installed "
            "package: rename it"
        )
    names = _names(sources, folders) - foreign - {"aejax"}
    finder = _FolderFinder(names, folders)
    finder.visible = partial(_own_modules, names, finder, {})
    return finder.visible


@contextmanager
def _own_modules(names: Collection[str], finder: _FolderFinder, own: Modules) -> Iterator[None]:
    with _LOCK:
        if finder in sys.meta_path:  # a module that is being loaded imports another one
            yield
            return
        others = _taken(names)
        sys.modules.update(own)
        sys.meta_path.insert(0, finder)
        try:
            yield
        finally:
            sys.meta_path.remove(finder)
            own.clear()
            own.update(_taken(names))
            sys.modules.update(others)


def _taken(names: Collection[str]) -> Modules:
    """Modules of some names and their submodules, which are taken out of `sys.modules`."""
    found = [name for name in sys.modules if _top(name) in names]
    return {name: sys.modules.pop(name) for name in found}


def _names(sources: Sequence[Path], folders: Sequence[Path]) -> set[str]:
    """Names by which files of folders are imported, without those of submodules."""
    return {
        path.relative_to(folder).parts[0].removesuffix(".py")
        for path in sources
        for folder in folders
        if path.is_relative_to(folder)
    }


def _is_foreign(name: str, sources: Sequence[Path]) -> bool:
    """Whether Python or an installed package has loaded a module of this name."""
    if name not in sys.modules:
        return False
    file = getattr(sys.modules[name], "__file__", None)
    if file is not None and Path(file) in sources:
        return False
    installed = file is not None and not set(INSTALLED).isdisjoint(Path(file).parts)
    return installed or name in sys.stdlib_module_names


def _top(name: str) -> str:
    return name.partition(".")[0]
