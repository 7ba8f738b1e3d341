"""Static analysis of modules and tests: code that depends on a line, and imports."""

import ast
import re
from functools import cache
from pathlib import Path
from threading import Lock

Function = ast.FunctionDef | ast.AsyncFunctionDef


def dependents(package: Path, module: str, line: int) -> dict[str, set[int]]:
    """Lines that run only if a given line matters to the test, by module.

    A statement in a function depends on itself. The body of a function depends on its signature and
    decorators. Any other line runs at import, for every test; functions that mention the names that
    it defines depend on it, in its own module and in modules that import it.

    Args:
        package: folder of the package.
        module: path of the module in the package.
        line: line number, from 1.
    """
    tree = _tree(package / module)
    if function := _enclosing_function(tree, line):
        body = _body(function)
        return {module: _statement(tree, line) if line in body else body}
    names = defined(package, module, line)
    files = [module, *importers(package, module)]
    found = {file: _mentioning(_tree(package / file), names) for file in files}
    if not any(found.values()):
        found = {file: _bodies(_tree(package / file)) for file in files}
    return {file: lines for file, lines in found.items() if lines}


def defined(package: Path, module: str, line: int) -> set[str]:
    """Names of classes, fields and constants that a line outside of functions defines."""
    tree, names = _tree(package / module), set[str]()
    if _enclosing_function(tree, line):
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
    """All identifiers and words of a file."""
    return frozenset(re.findall(r"\w+", file.read_text(encoding="utf-8")))


def importers(package: Path, module: str) -> list[str]:
    """Modules of the package that import from a module, directly or through a re-export."""
    paths = sorted(str(path.relative_to(package)) for path in package.rglob("*.py"))
    return [path for path in paths if module in imported_modules(package.parent, f"aejax/{path}")]


def own_files(module: str) -> set[str]:
    """Test files named after a module or its folder."""
    path = Path(module)
    names = {path.parent / f"test_{path.stem}.py"}
    if path.parent.name:
        names |= {path.parent / f"test_{path.parent.name}.py"}
        names |= {path.parent.parent / f"test_{path.parent.name}.py"}
    return {str(Path("tests") / name) for name in names}


@cache
def imported_modules(checkout: Path, file: str) -> frozenset[str]:
    """Modules of the package from which a file imports, directly or through a re-export."""
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
    """Module that defines a name of a module or package."""
    for path in (folder / f"{name}.py", folder.with_suffix(".py")):
        if path.exists():
            return {str(path.relative_to(package))}
    initial = folder / "__init__.py"
    if not initial.exists():
        return set()
    reexports = (node for node in ast.walk(_tree(initial)) if isinstance(node, ast.ImportFrom))
    for node in reexports:
        path = package.parent.joinpath(*(node.module or "").split(".")).with_suffix(".py")
        if name in (alias.asname or alias.name for alias in node.names) and path.exists():
            return {str(path.relative_to(package))}
    return set()


PARSING = Lock()
"""Lock for `ast.parse`: CPython 3.11 has one recursion counter for all threads."""


def parse(source: str) -> ast.Module:
    """Syntax tree of a source, from any thread."""
    with PARSING:
        return ast.parse(source)


@cache
def _tree(path: Path) -> ast.Module:
    return parse(path.read_text(encoding="utf-8"))


def _functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def _enclosing_function(tree: ast.AST, line: int) -> Function | None:
    """Innermost function that contains a line, its signature and decorators included."""
    enclosing = [node for node in _functions(tree) if line in _span(node)]
    return min(enclosing, key=lambda node: len(_span(node)), default=None)


def _span(node: Function) -> range:
    """All lines of a function, its decorators included."""
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return range(first, (node.end_lineno or first) + 1)


def _body(function: Function) -> set[int]:
    return set(range(function.body[0].lineno, (function.end_lineno or 0) + 1))


def _bodies(tree: ast.AST) -> set[int]:
    return {line for function in _functions(tree) for line in _body(function)}


def _statement(tree: ast.AST, line: int) -> set[int]:
    """Lines of the innermost statement at a line; only the header of a compound statement."""
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.stmt | ast.ExceptHandler))
    return set(min((span for span in map(_lines, nodes) if line in span), key=len))


def _lines(statement: ast.stmt | ast.ExceptHandler) -> range:
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno or 0
    return range(statement.lineno, max(last, statement.lineno) + 1)


def _mentioning(tree: ast.AST, names: set[str]) -> set[int]:
    """Lines of statements in functions that mention one of the names."""
    inside, found = _bodies(tree), set[int]()
    for node in ast.walk(tree):
        words = {getattr(node, field, None) for field in ("id", "attr", "arg")}
        line = getattr(node, "lineno", 0)
        if line in inside and not names.isdisjoint(word for word in words if word):
            found |= _statement(tree, line)
    return found
