"""Mutants that count, and a seeded sample of them, spread over the modules in proportion."""

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
"""What an operator may become: those between which numbers leave the choice open."""

PAIRS = frozenset(["BitOr_BitAnd", "BitAnd_BitOr", "Is_IsNot", "IsNot_Is", "In_NotIn", "NotIn_In"])
"""Replacements of operators that numbers do not have, each by its like."""

Span = tuple[tuple[int, int], tuple[int, int]]
"""(line, column) of the first character, and of the one after the last."""


LEFT_OUT = (
    "plots/*",
    "report/*",
    "report/theorem_figures/*",
    "cli/commands/report.py",
)
"""Pages and figures: what they show is judged by looking at it."""


class Mutant(NamedTuple):
    """One change of one place.

    module: path of the file in the package.
    spec:   as Cosmic Ray applies it.
    """

    module: str
    spec: MutationSpec


def mutants(folder: Path) -> dict[str, list[Mutant]]:
    """All mutants that count, by module and in order of place; modules without any are left out.

    Args:
        folder: of the package.
    """
    paths = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*.py"))}
    found = {
        module: list(_of_module(module, path))
        for module, path in paths.items()
        if not any(Path(module).match(glob) for glob in LEFT_OUT)
    }
    return {module: some for module, some in found.items() if some}


def sample(
    population: dict[str, list[Mutant]],
    size: int | None,
    seed: int,
    readable: Callable[[Mutant], bool],
) -> list[Mutant]:
    """Mutants drawn without replacement, from every module in proportion to how many it has.

    All mutants stand in one row, in random order in each module; the row is cut into `size` equal
    parts, and each part gives one mutant.

    Args:
        population: mutants by module.
        size: number of mutants; None means all.
        seed: of the order.
        readable: whether Python can read the changed code; where it cannot, the part's next mutant
            is taken.
    """
    row = [
        mutant
        for module, some in population.items()
        for mutant in random.Random(f"{seed} {module}").sample(some, len(some))
    ]
    if size is None or size >= len(row):
        return list(filter(readable, row))
    edges = [len(row) * part // size for part in range(size + 1)]
    parts = (row[first:last] for first, last in pairwise(edges))
    return [mutant for part in parts for mutant in islice(filter(readable, part), 1)]


def _of_module(module: str, path: Path) -> Iterator[Mutant]:
    source = path.read_text(encoding="utf-8")
    tree, hidden = get_ast(source), list(_hidden(source))
    for name in filter(counts, operator_names()):
        operator = get_operator(name)()
        spans = (span for node in ast_nodes(tree) for span in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(spans):
            if not any(first <= start and end <= last for first, last in hidden):
                yield Mutant(module, MutationSpec(path, name, occurrence, start, end))


def counts(operator: str) -> bool:
    """Whether an operator's mutants count.

    Left out are those that are trivial to kill, which would flatter the score (an arithmetic
    operator on numbers replaced by one on bits, or by //, % or **, an order by an identity), and
    the removal of decorators, which here only compile or remember.
    """
    _, _, kind = operator.partition("/")
    if get_operator(operator).arguments() or kind == "RemoveDecorator":
        return False
    if not kind.startswith(("ReplaceBinary", "ReplaceComparison", "ReplaceUnary")):
        return True
    change = kind.partition("_")[2]
    before, after = change.split("_")
    return change in PAIRS or (after in TARGETS and not before.startswith(("Bit", "Is", "In")))


def _hidden(source: str) -> Iterator[Span]:
    """Where a change cannot matter, or only to words: annotations, messages, bare stars."""
    lines = source.splitlines()

    def place(line: int, offset: int) -> tuple[int, int]:
        return line, len(lines[line - 1].encode()[:offset].decode())

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.args.kwonlyargs:
            before = [*node.args.posonlyargs, *node.args.args, *node.args.defaults]
            ends = [(each.end_lineno, each.end_col_offset) for each in before]
            first = node.args.kwonlyargs[0]
            start = max(ends, default=(node.lineno, node.col_offset))
            yield place(*start), place(first.lineno, first.col_offset)
        fields = (getattr(node, field, None) for field in ("annotation", "returns"))
        words = node if isinstance(node, ast.JoinedStr) else None
        for hidden in filter(None, (*fields, words)):
            yield (
                place(hidden.lineno, hidden.col_offset),
                place(hidden.end_lineno, hidden.end_col_offset),
            )
