"""Which tests run a statement, and how long they take."""

import ast
import json
import re
from pathlib import Path
from typing import NamedTuple

from coverage import CoverageData

from mutation.process import run_tests

PACKAGE = Path("aejax/theory")
TESTS = ("tests/theory/test_*.py", "tests/applications/test_score.py", "tests/cli/test_verify.py")
"""What tests the package: its own tests, and those of what is made of it."""

BY_THEOREM = "tests/theory/test_tolerances.py"
"""A file whose tests are all parametrised by a theorem: those of one are run together."""


class Group(NamedTuple):
    """Tests that are run together, by themselves on the unchanged code.

    tests:   a file, or names in it.
    seconds: of computing that they took.
    lines:   of the package that they ran, by module.
    """

    tests: list[str]
    seconds: float
    lines: dict[str, list[int]]


def measure(checkout: Path, store: Path) -> list[Group]:
    """Run every group of tests in a process of its own, with each line that it runs noted.

    A process of its own, since what JAX has once traced it does not run again.

    Args:
        checkout: of the code and its tests, which must pass.
        store: a JSON file of what is measured already, gone on with and added to.

    Raises:
        RuntimeError: where a test fails.
    """
    groups = [Group(*group) for group in json.loads(store.read_text())] if store.exists() else []
    known = [group.tests for group in groups]
    for tests in _grouped(checkout):
        if tests not in known:
            covered = checkout.parent / "covered"
            outcome, output, seconds = run_tests(checkout, tests, covered=covered)
            if outcome != "survived":
                raise RuntimeError(f"{' '.join(tests)} fail without a change:\n{output}")
            groups.append(Group(tests, seconds, _lines(covered)))
            store.write_text(json.dumps(groups))
            covered.unlink()
    return groups


def selected(groups: list[Group], module: Path, line: int, budget: float) -> list[Group]:
    """Those that run a line's statement, quickest first: its module's own, and more of them.

    A statement outside all functions runs whenever it is imported, which tells no tests from
    others: then those count that run any function of its module.

    Args:
        groups: as measured.
        module: path of the source.
        line: in it, from one.
        budget: seconds of computing in all, unless its own take longer.
    """
    tree = ast.parse(module.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    bodies = {n for f in functions for n in range(f.body[0].lineno, f.end_lineno + 1)}
    wanted = _statement(tree, line) if line in bodies else bodies
    some = [group for group in groups if wanted & set(group.lines.get(module.name, ()))]
    own = [group for group in some if _own(module, group)]
    chosen, spent = own, sum(group.seconds for group in own)
    for group in sorted(some, key=lambda group: group.seconds):
        if group not in own and (not chosen or spent + group.seconds <= budget):
            chosen, spent = [*chosen, group], spent + group.seconds
    return sorted(chosen, key=lambda group: group.seconds)


def _own(module: Path, group: Group) -> bool:
    """Whether tests are a module's: of its name, importing it by name, or of a theorem in it."""
    name, _, test = group.tests[0].partition("::")
    if test:
        return f"def {test.partition('[')[2][:-1]}(" in module.read_text(encoding="utf-8")
    if Path(name).stem == f"test_{module.stem}":
        return True
    tree = ast.parse((module.parents[len(PACKAGE.parts)] / name).read_text(encoding="utf-8"))
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    package = ".".join(PACKAGE.parts)
    return any(
        node.module == f"{package}.{module.stem}"
        or (node.module == package and module.stem in (alias.name for alias in node.names))
        for node in imports
    )


def _grouped(checkout: Path) -> list[list[str]]:
    files = [path.relative_to(checkout) for glob in TESTS for path in checkout.glob(glob)]
    groups = [[str(path)] for path in sorted(files) if str(path) != BY_THEOREM]
    return groups + list(_by_theorem(checkout).values())


def _by_theorem(checkout: Path) -> dict[str, list[str]]:
    _, listed, _ = run_tests(checkout, ["--collect-only", BY_THEOREM])
    theorems: dict[str, list[str]] = {}
    for name, theorem in re.findall(r"^(\S+::\w+\[(\w+)\])$", listed, re.MULTILINE):
        theorems.setdefault(theorem, []).append(name)
    return theorems


def _lines(covered: Path) -> dict[str, list[int]]:
    data = CoverageData(str(covered))
    data.read()
    files = [file for file in data.measured_files() if str(PACKAGE) in file]
    return {Path(file).name: sorted(data.lines(file) or ()) for file in files}


def _statement(tree: ast.AST, line: int) -> set[int]:
    """Lines of the innermost statement at a line: of a compound one its head alone."""
    spans = [_span(node) for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    return set(min((span for span in spans if line in span), key=len))


def _span(statement: ast.stmt) -> range:
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno
    return range(statement.lineno, max(last, statement.lineno) + 1)
