"""Mutants of the package, and a random sample stratified by module."""

import ast
import random
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.plugins import get_operator, operator_names
from cosmic_ray.work_item import MutationSpec

TARGETS = frozenset(
    ["Add", "Sub", "Mul", "Div", "Eq", "NotEq", "Lt", "LtE", "Gt", "GtE", "UAdd", "Not"]
)
"""Operators that may replace a numeric operator."""

PAIRS = frozenset(["BitOr_BitAnd", "BitAnd_BitOr", "Is_IsNot", "IsNot_Is", "In_NotIn", "NotIn_In"])
"""Replacements of bitwise, identity and membership operators by a similar one."""

Span = tuple[tuple[int, int], tuple[int, int]]
"""(line, column) of the first character, and of the one after the last."""


EXCLUDED = (
    "plots/*",
    "report/*",
    "report/theorem_figures/*",
    "cli/commands/report.py",
)
"""Patterns of modules that are not mutated: reports and figures, which are judged by eye."""


class Mutant(NamedTuple):
    """One change of the code.

    module: path of the file in the package.
    spec:   specification for Cosmic Ray.
    """

    module: str
    spec: MutationSpec


def mutants(folder: Path) -> dict[str, list[Mutant]]:
    """All mutants by module, without modules that have none.

    Args:
        folder: folder of the package.
    """
    paths = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*.py"))}
    found = {
        module: list(_of_module(module, path))
        for module, path in paths.items()
        if not any(Path(module).match(glob) for glob in EXCLUDED)
    }
    return {module: some for module, some in found.items() if some}


def sample(
    population: dict[str, list[Mutant]],
    size: int | None,
    seed: int,
    readable: Callable[[Mutant], bool],
) -> list[Mutant]:
    """Draw mutants without replacement, from each module in proportion to its number of mutants.

    Systematic sampling: the mutants of all modules are concatenated, shuffled within each module,
    and cut into `size` equal parts, each of which contributes one mutant.

    Args:
        population: mutants by module.
        size: number of mutants; None means all.
        seed: seed of the shuffle.
        readable: whether the changed code of a mutant parses; if not, the part's next mutant is
            taken.
    """
    ordered = [
        mutant
        for module, some in population.items()
        for mutant in random.Random(f"{seed} {module}").sample(some, len(some))
    ]
    if size is None or size >= len(ordered):
        return list(filter(readable, ordered))
    edges = [len(ordered) * part // size for part in range(size + 1)]
    parts = (ordered[first:last] for first, last in pairwise(edges))
    return [mutant for part in parts for mutant in islice(filter(readable, part), 1)]


def _of_module(module: str, path: Path) -> Iterator[Mutant]:
    source = path.read_text(encoding="utf-8")
    tree, excluded = get_ast(source), list(_excluded_spans(source))
    for name in filter(counts, operator_names()):
        operator = get_operator(name)()
        spans = (span for node in ast_nodes(tree) for span in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(spans):
            if not any(first <= start and end <= last for first, last in excluded):
                yield Mutant(module, MutationSpec(path, name, occurrence, start, end))


def counts(operator: str) -> bool:
    """Whether mutants of an operator are used.

    Excluded are mutants that almost any test kills, which would inflate the score (an arithmetic
    operator replaced by a bitwise one or by //, % or **; a comparison replaced by an identity), and
    the removal of decorators, which here only compile or cache.
    """
    _, _, kind = operator.partition("/")
    if get_operator(operator).arguments() or kind == "RemoveDecorator":
        return False
    if not kind.startswith(("ReplaceBinary", "ReplaceComparison", "ReplaceUnary")):
        return True
    change = kind.partition("_")[2]
    before, after = change.split("_")
    return change in PAIRS or (after in TARGETS and not before.startswith(("Bit", "Is", "In")))


def _excluded_spans(source: str) -> Iterator[Span]:
    """Spans that are not mutated: annotations, f-strings (messages) and bare stars."""
    lines = source.splitlines()

    def position(line: int, offset: int) -> tuple[int, int]:
        return line, len(lines[line - 1].encode()[:offset].decode())

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.args.kwonlyargs:
            before = [*node.args.posonlyargs, *node.args.args, *node.args.defaults]
            ends = [(each.end_lineno, each.end_col_offset) for each in before]
            first = node.args.kwonlyargs[0]
            start = max(ends, default=(node.lineno, node.col_offset))
            yield position(*start), position(first.lineno, first.col_offset)
        fields = (getattr(node, field, None) for field in ("annotation", "returns"))
        message = node if isinstance(node, ast.JoinedStr) else None
        for excluded in filter(None, (*fields, message)):
            yield (
                position(excluded.lineno, excluded.col_offset),
                position(excluded.end_lineno, excluded.end_col_offset),
            )
