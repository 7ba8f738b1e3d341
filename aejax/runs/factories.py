"""Factories of objectives: functions of a module or of a Python file, called by name.

A run records the name and the arguments of its factory, so that it opens without its script.
"""

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Union, get_args, get_origin

from aejax.objectives import Objective
from aejax.runs.local_modules import load_file, load_module
from aejax.runs.local_sources import INSTALLED, package_root
from aejax.training.fit_arguments import check_objective


def absolute_factory(name: str) -> str:
    """Name of a factory that does not depend on the working directory.

    Args:
        name: "module:function" or "file.py:function".

    Returns:
        The name, with the absolute path of the file.
    """
    source, _, function = name.rpartition(":")
    return f"{Path(source).expanduser().absolute()}:{function}" if _is_file_name(source) else name


def short_factory(name: str) -> str:
    """Name of a factory without the folder of its file, by which runs are compared.

    Args:
        name: "module:function" or "file.py:function".

    Returns:
        The name; it identifies a file that was moved.
    """
    source, _, function = name.rpartition(":")
    return f"{Path(source).name}:{function}" if _is_file_name(source) else name


def load_factory(name: str) -> Callable[..., Any]:
    """Import the function that a name stands for.

    Args:
        name: "module:function" of a module that can be imported, or "file.py:function". A file
            that has been moved is also found in the working directory.

    Returns:
        The function.

    Raises:
        ValueError: if the name has another form, or there is no such file, module or function; if
            the file raises an error, with its line.
    """
    source, colon, function = name.rpartition(":")
    if not (source and colon and function) or source == "__main__":
        raise ValueError(
            "a factory must be 'module:function' of a module that can be imported, or "
            f"'file.py:function', got {name!r}"
        )
    module = _run_file(Path(source)) if _is_file_name(source) else _imported(name, source)
    try:
        make = getattr(module, function)
    except AttributeError as error:
        known = [each for each, value in vars(module).items() if _is_own_function(module, value)]
        listed = f"; its functions are {', '.join(known)}" if known else ""
        raise ValueError(
            f"the factory {name} does not exist: {source} has no {function}{listed}"
        ) from error
    if not callable(make):
        raise ValueError(f"the factory {name} must be a function, got {type(make).__name__}")
    return make


def factory_file(name: str) -> Path | None:
    """Find the Python file of a factory.

    Args:
        name: "module:function" or "file.py:function".

    Returns:
        The absolute path of the file; None if there is no such Python file.
    """
    source, _, _ = name.rpartition(":")
    if _is_file_name(source):
        return _find(Path(source))
    try:
        spec = importlib.util.find_spec(source)
    except (ImportError, ValueError):  # there is no such package, or it is running as a script
        return None
    origin = None if spec is None else spec.origin
    return None if origin is None or not _is_file_name(origin) else Path(origin)


def import_folders(name: str, file: Path) -> list[Path]:
    """Folders from which the file of a factory imports modules of the user.

    Args:
        name: "module:function" or "file.py:function".
        file: Python file of the factory.

    Returns:
        The folder of the file and that of its package, or the folder of the module.
    """
    source, _, _ = name.rpartition(":")
    if _is_file_name(source):
        return _folders_of_file(file)
    return [file.parents[source.count(".") + (file.name == "__init__.py")]]


def call_factory(name: str, arguments: Mapping[str, Any]) -> Objective:
    """Make the objective that a factory returns.

    Args:
        name: "module:function" or "file.py:function".
        arguments: keyword arguments as JSON values; a list becomes a tuple where the function
            declares one.

    Returns:
        The objective.

    Raises:
        ValueError: as `load_factory`; if the function raises an error, or returns something else
            than an objective.
    """
    make = load_factory(name)
    try:
        made = make(**typed_arguments(make, arguments))
    except (Exception, SystemExit) as error:
        where = _line(error, inspect.getsourcefile(make) or "")
        given = dict(arguments)
        raise ValueError(
            f"the factory {name} failed on {given}{where}: {type(error).__name__}: {error}"
        ) from error
    try:
        check_objective(made)
    except ValueError as error:
        raise ValueError(f"the factory {name} must return an objective: {error}") from error
    return made


def _is_file_name(source: str) -> bool:
    return source.endswith(".py")


def _is_own_function(module: ModuleType, value: Any) -> bool:
    return inspect.isfunction(value) and value.__module__ == module.__name__


def _folders_of_file(file: Path) -> list[Path]:
    return list(dict.fromkeys([file.parent, package_root(file)]))


def _imported(name: str, module: str) -> ModuleType:
    file = factory_file(name)
    try:
        if file is None or _is_installed(module, file):
            return import_module(module)
        return load_module(module, file, *import_folders(name, file))
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # a package that the module itself imports
        raise ValueError(
            f"the factory {name} cannot be imported: {error}; start Python in the folder of "
            f"{module}, add that folder to PYTHONPATH, or pass the objective"
        ) from error


def _is_installed(module: str, file: Path) -> bool:
    """Whether a module does not change while the process runs."""
    top, _, _ = module.partition(".")
    known = top == "aejax" or top in sys.stdlib_module_names
    return known or not set(INSTALLED).isdisjoint(file.parts)


def _find(path: Path) -> Path | None:
    """Absolute path of a file, which may have been moved to the working directory; or None."""
    found = (each.absolute() for each in (path, Path(path.name)) if each.is_file())
    return next(found, None)


def _run_file(path: Path) -> ModuleType:
    """Run a Python file as a module; modules beside it can be imported."""
    found = _find(path)
    if found is None:
        raise ValueError(f"there is no file {path}, nor {path.name} in {Path.cwd()}")
    name = f"_aejax_factory_{found.stem}"
    try:
        return load_file(name, found, _folders_of_file(found))
    except (Exception, SystemExit) as error:
        where = _line(error, str(found))
        raise ValueError(
            f"{path} cannot be imported{where}: {type(error).__name__}: {error}"
        ) from error


def _line(error: BaseException, file: str) -> str:
    """Line of a file in which an error was raised, as text for a message."""
    if isinstance(error, SyntaxError):
        return ""  # the text of the error names the line
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == file
    ]
    return f" in line {lines[-1]}" if lines else ""


def typed_arguments(make: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Convert lists to tuples where a function declares tuples, which JSON lacks.

    Args:
        make: the function.
        arguments: keyword arguments as JSON values.

    Returns:
        The arguments.
    """
    try:
        parameters = inspect.signature(make, eval_str=True).parameters
    except Exception:  # an annotation that cannot be evaluated
        return dict(arguments)
    hints = {name: parameters[name].annotation for name in arguments if name in parameters}
    return {name: _as_tuple(hints.get(name), value) for name, value in arguments.items()}


def _as_tuple(hint: Any, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    tuples = [member for member in members if get_origin(member) is tuple or member is tuple]
    if not tuples:
        return value
    inner = (*get_args(tuples[0]), None)[0]
    return tuple(_as_tuple(inner, element) for element in value)
