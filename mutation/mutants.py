"""Which mutants count, and a seeded sample of them, stratified over the modules."""

import ast
import math
import random
from collections.abc import Iterator
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


class Mutant(NamedTuple):
    """One change of one place.

    module: the file's name.
    spec:   as Cosmic Ray applies it.
    """

    module: str
    spec: MutationSpec


def mutants(folder: Path) -> dict[str, list[Mutant]]:
    """All mutants that count, by module and in order of place; modules without any are left out.

    Args:
        folder: of the package's files.
    """
    found = {path.name: list(_of_module(path)) for path in sorted(folder.glob("*.py"))}
    return {module: some for module, some in found.items() if some}


def sample(population: dict[str, list[Mutant]], size: int | None, seed: int) -> list[Mutant]:
    """A share of every module's mutants without replacement, as near size/all as whole ones allow.

    A module gives at least one. A larger sample of the same seed holds nearly all of a smaller one.

    Args:
        population: by module.
        size: about how many; None means all.
        seed: of the order in which each module gives its mutants.
    """
    total = sum(map(len, population.values()))
    share = 1.0 if size is None else min(1.0, size / total)
    drawn = []
    for module, some in population.items():
        order = random.Random(f"{seed} {module}").sample(some, len(some))
        drawn += order[: max(1, math.floor(share * len(some) + 0.5))]
    return drawn


def _of_module(path: Path) -> Iterator[Mutant]:
    source = path.read_text(encoding="utf-8")
    tree, hidden = get_ast(source), list(_hidden(source))
    for name in filter(counts, operator_names()):
        operator = get_operator(name)()
        spans = (span for node in ast_nodes(tree) for span in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(spans):
            if not any(first <= start and end <= last for first, last in hidden):
                yield Mutant(path.name, MutationSpec(path, name, occurrence, start, end))


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
    """Where a change cannot matter, or only to words: annotations and formatted strings."""
    lines = source.splitlines()

    def place(line: int, offset: int) -> tuple[int, int]:
        return line, len(lines[line - 1].encode()[:offset].decode())

    for node in ast.walk(ast.parse(source)):
        fields = (getattr(node, field, None) for field in ("annotation", "returns"))
        words = node if isinstance(node, ast.JoinedStr) else None
        for hidden in filter(None, (*fields, words)):
            yield (
                place(hidden.lineno, hidden.col_offset),
                place(hidden.end_lineno, hidden.end_col_offset),
            )
