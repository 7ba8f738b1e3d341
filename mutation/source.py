"""What the source says of modules and tests: which code a line decides, and who imports whom."""

import ast
import re
from functools import cache
from pathlib import Path
from threading import Lock

Function = ast.FunctionDef | ast.AsyncFunctionDef


def dependents(package: Path, module: str, line: int) -> dict[str, set[int]]:
    """Lines that run only where a line takes effect, by module.

    A statement in a function is itself such a line. A function's signature or decorator takes
    effect in its body. Anything else runs at import, which distinguishes no tests: it takes effect
    in functions that mention the names which it defines, in its own module or in importing ones.

    Args:
        package: folder of the package.
        module: path in it.
        line: line number, from 1.
    """
    tree = _tree(package / module)
    if function := _around(tree, line):
        body = _body(function)
        return {module: _statement(tree, line) if line in body else body}
    names = defined(package, module, line)
    files = [module, *importers(package, module)]
    found = {file: _mentioning(_tree(package / file), names) for file in files}
    if not any(found.values()):
        found = {file: _bodies(_tree(package / file)) for file in files}
    return {file: lines for file, lines in found.items() if lines}


def defined(package: Path, module: str, line: int) -> set[str]:
    """Names of classes, fields and constants that a line outside all functions defines."""
    tree, names = _tree(package / module), set[str]()
    if _around(tree, line):
        return names
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or 0):
            continue
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        for child in ast.walk(node) if not isinstance(node, ast.ClassDef) else ():
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                names.add(child.id)
    return names


@cache
def words(file: Path) -> frozenset[str]:
    """All words of a file."""
    return frozenset(re.findall(r"\w+", file.read_text(encoding="utf-8")))


def importers(package: Path, module: str) -> list[str]:
    """Modules of the package that import from a module, or from a package that gives it on."""
    paths = sorted(str(path.relative_to(package)) for path in package.rglob("*.py"))
    return [path for path in paths if module in imported_modules(package.parent, f"aejax/{path}")]


def own_files(module: str) -> set[str]:
    """Where the tests of a module are by their name: of the module, or of its folder."""
    path = Path(module)
    names = {path.parent / f"test_{path.stem}.py"}
    if path.parent.name:
        names |= {path.parent / f"test_{path.parent.name}.py"}
        names |= {path.parent.parent / f"test_{path.parent.name}.py"}
    return {str(Path("tests") / name) for name in names}


@cache
def imported_modules(checkout: Path, file: str) -> frozenset[str]:
    """Modules of the package from which a file imports, directly or through an `__init__`."""
    found = set[str]()
    for node in ast.walk(_tree(checkout / file)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "aejax":
            folder = checkout.joinpath(*(node.module or "").split("."))
            for alias in node.names:
                found |= _source_of(checkout / "aejax", folder, alias.name)
        elif isinstance(node, ast.Import):
            parts = [alias.name.split(".") for alias in node.names]
            paths = ["/".join(part[1:]) + ".py" for part in parts if part[0] == "aejax"]
            found |= {path for path in paths if (checkout / "aejax" / path).exists()}
    return frozenset(found)


def _source_of(package: Path, folder: Path, name: str) -> set[str]:
    """The module that a name of a module or package comes from."""
    for path in (folder / f"{name}.py", folder.with_suffix(".py")):
        if path.exists():
            return {str(path.relative_to(package))}
    initial = folder / "__init__.py"
    if not initial.exists():
        return set()
    given = (node for node in ast.walk(_tree(initial)) if isinstance(node, ast.ImportFrom))
    for node in given:
        path = package.parent.joinpath(*(node.module or "").split(".")).with_suffix(".py")
        if name in (alias.asname or alias.name for alias in node.names) and path.exists():
            return {str(path.relative_to(package))}
    return set()


PARSING = Lock()
"""Held while Python parses: CPython 3.11 has one depth counter for the parsers of all threads."""


def parse(source: str) -> ast.Module:
    """Syntax tree of a source, from any thread."""
    with PARSING:
        return ast.parse(source)


@cache
def _tree(path: Path) -> ast.Module:
    return parse(path.read_text(encoding="utf-8"))


def _functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def _around(tree: ast.AST, line: int) -> Function | None:
    """The innermost function that holds a line, its signature and decorators included."""
    around = [node for node in _functions(tree) if line in _span(node)]
    return min(around, key=lambda node: len(_span(node)), default=None)


def _span(node: Function) -> range:
    """All lines of a function, its decorators' too."""
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return range(first, (node.end_lineno or first) + 1)


def _body(function: Function) -> set[int]:
    return set(range(function.body[0].lineno, (function.end_lineno or 0) + 1))


def _bodies(tree: ast.AST) -> set[int]:
    return {line for function in _functions(tree) for line in _body(function)}


def _statement(tree: ast.AST, line: int) -> set[int]:
    """Lines of the innermost statement at a line: of a compound one its head alone."""
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.stmt | ast.ExceptHandler))
    return set(min((span for span in map(_lines, nodes) if line in span), key=len))


def _lines(statement: ast.stmt | ast.ExceptHandler) -> range:
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno or 0
    return range(statement.lineno, max(last, statement.lineno) + 1)


def _mentioning(tree: ast.AST, names: set[str]) -> set[int]:
    """Statements in functions that mention one of the names."""
    inside, found = _bodies(tree), set[int]()
    for node in ast.walk(tree):
        words = {getattr(node, field, None) for field in ("id", "attr", "arg")}
        line = getattr(node, "lineno", 0)
        if line in inside and not names.isdisjoint(word for word in words if word):
            found |= _statement(tree, line)
    return found
