"""Reader of optimised HLO: the instructions that a compiled program executes, and how often."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction of a computation.

    name:       its name, unique in the program.
    kind:       its operation, such as "dot" or "fusion".
    result:     type of its result, such as "f32[8,3]{1,0}"; of a tuple in parentheses.
    operands:   names of its operands.
    value:      text of a constant, or index of a parameter; "" for another operation.
    attributes: text after the operands.
    """

    name: str
    kind: str
    result: str
    operands: tuple[str, ...]
    value: str
    attributes: str


Computation = Mapping[str, Instruction]
"""Instructions by name, in their order; the last is the result."""


class Execution(NamedTuple):
    """An instruction with the number of times that the program executes it.

    instruction:  the instruction.
    operands:     types of its operands.
    times:        number of executions; a loop of unknown length counts once.
    is_top_level: whether it is outside of fusions, so that its result is stored in memory.
    fused:        computation of a fusion; None for another instruction.
    """

    instruction: Instruction
    operands: tuple[str, ...]
    times: int
    is_top_level: bool
    fused: Computation | None = None


_HEADER = re.compile(r"^(?P<entry>ENTRY )?%?(?P<name>[\w.\-]+) \(.*\{\s*$")
_NAME = re.compile(r"^\s+(?:ROOT )?%?(?P<name>[\w.\-]+) = ")
_KIND = re.compile(r" *(?P<kind>[a-z][\w\-]*)\(")
_OPERAND = re.compile(r"%([\w.\-]+)")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_LOOP_PARTS = re.compile(r"\b(body|condition)=%?([\w.\-]+)")
_INDEX = re.compile(r"\bindex=(\d+)")
_CALLED = re.compile(
    r"\b(?:calls|body|condition|to_apply|true_computation|false_computation)=%?([\w.\-]+)"
    r"|\bbranch_computations=\{([^}]*)\}"
)


def executions(text: str) -> list[Execution]:
    """Instructions that one run of a program executes.

    Args:
        text: `as_text()` of a compiled program.

    Returns:
        The instructions of the entry, and those of the computations that it calls: loops, branches
        and fusions. The scalar functions of reductions and sorts are left out.
    """
    computations, entry = _computations(text)
    return list(_execute(computations, entry, 1, is_top_level=True))


def _computations(text: str) -> tuple[dict[str, dict[str, Instruction]], str]:
    """Instructions by name of each computation by name, and the name of the entry."""
    found: dict[str, dict[str, Instruction]] = {}
    current, entry = {}, ""
    for line in text.splitlines():
        if header := _HEADER.match(line):
            current = found.setdefault(header["name"], {})
            entry = header["name"] if header["entry"] else entry
        elif instruction := _instruction(line):
            current[instruction.name] = instruction
    return found, entry


def _instruction(line: str) -> Instruction | None:
    start = _NAME.match(line)
    if start is None:
        return None
    rest = line[start.end() :]
    length = _closing(rest, 0) + 1 if rest.startswith("(") else rest.find(" ")
    result, rest = rest[:length], rest[length:]
    kind = _KIND.match(rest)
    if kind is None:
        return None
    end = _closing(rest, kind.end() - 1)
    inner = rest[kind.end() : end]
    operands = tuple(_OPERAND.findall(inner))
    value = "" if operands else inner
    return Instruction(start["name"], kind["kind"], result, operands, value, rest[end + 1 :])


def _closing(text: str, opening: int) -> int:
    """Index of the parenthesis that closes the one at an index."""
    depth = 0
    for match in re.compile(r"[()]").finditer(text, opening):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return match.start()
    return len(text)


def _execute(
    computations: Mapping[str, Computation],
    name: str,
    times: int,
    *,
    is_top_level: bool,
) -> Iterator[Execution]:
    instructions = computations.get(name, {})
    for instruction in instructions.values():
        operands = tuple(
            instructions[operand].result
            for operand in instruction.operands
            if operand in instructions
        )
        called = list(_called(instruction))
        is_fusion = instruction.kind == "fusion" and called
        fused = computations.get(called[0]) if is_fusion else None
        yield Execution(instruction, operands, times, is_top_level, fused)
        if instruction.kind in ("fusion", "call", "while", "conditional") or (
            instruction.kind.startswith("async-start")
        ):
            is_loop = instruction.kind == "while"
            trips = _trips(computations, instructions, instruction) if is_loop else 1
            for each in called:
                yield from _execute(
                    computations,
                    each,
                    times * trips,
                    is_top_level=is_top_level and instruction.kind != "fusion",
                )


def _called(instruction: Instruction) -> Iterator[str]:
    for name, branches in _CALLED.findall(instruction.attributes):
        yield from [name] if name else re.findall(r"[\w.\-]+", branches)


def _trips(
    computations: Mapping[str, Computation],
    outer: Computation,
    loop: Instruction,
) -> int:
    """Number of iterations of a loop: XLA's if it says, else from its counter; 1 if unknown."""
    if known := _TRIPS.search(loop.attributes):
        return int(known[1])
    try:
        return _counted_trips(computations, outer, loop)
    except (LookupError, TypeError, ValueError, ZeroDivisionError):  # a loop of another form
        return 1


def _counted_trips(
    computations: Mapping[str, Computation],
    outer: Computation,
    loop: Instruction,
) -> int:
    """Number of iterations of a loop in which XLA overlaps products and communication.

    An element of its state counts from one constant in steps of another while it is less than a
    third.
    """
    called = dict(_LOOP_PARTS.findall(loop.attributes))
    body, condition = computations[called["body"]], computations[called["condition"]]
    comparison, results, start = _root(condition), _root(body), outer[loop.operands[0]]
    counter, limit = comparison.operands
    index = int(_INDEX.findall(_source(condition, counter).attributes)[0])
    increased = body[results.operands[index]]
    counted, step = increased.operands
    is_counter = (
        "direction=LT" in comparison.attributes
        and increased.kind == "add"
        and int(_INDEX.findall(_source(body, counted).attributes)[0]) == index
    )
    distance = _constant(condition, limit) - _constant(outer, start.operands[index])
    return max(0, -(-distance // _constant(body, step))) if is_counter else 1


def _constant(computation: Computation, name: str) -> int:
    """Value of an integer constant, or of its copy."""
    return int(_source(computation, name).value)


def _source(computation: Computation, name: str) -> Instruction:
    """An instruction, or that of which it is a copy."""
    instruction = computation[name]
    while instruction.kind == "copy":
        instruction = computation[instruction.operands[0]]
    return instruction


def _root(computation: Computation) -> Instruction:
    """Result of a computation, its last instruction."""
    return list(computation.values())[-1]
