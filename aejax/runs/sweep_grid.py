"""Grid of a sweep: settings with several values, divided into programs of one shape each."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from itertools import product
from typing import Any, NamedTuple, get_type_hints

import numpy as np

from aejax.runs.configuration import Options, Training, check, fits, validation_seed
from aejax.runs.default_settings import complete
from aejax.runs.examples import Examples

Settings = dict[str, Any]
"""Values of settings by the name of their option, with underscores: "code", "penalty.l2"."""

PENALTY_WEIGHTS = (
    *("penalty.l2", "penalty.l1", "penalty.sparsity", "penalty.contraction"),
    *("dictionary.sparsity", "dictionary.auxk", "variational.beta"),
    *("quantised.commitment", "quantised.entropy"),
)

TRACED = ("learning_rate", "corruption_level", *PENALTY_WEIGHTS)
"""Settings that do not change the shapes of a program, so that their values are vmapped."""

WITH_TRACED_K = ("topk", "batchtopk", "jumprelu")
"""Activations of a dictionary whose number k of active units does not change the shapes."""

OTHER_DATA = "it changes the data, so that errors cannot be compared: run one sweep for each value"
IN_MEMORY = (
    "a sweep trains in memory: leave --stream out if the data fit, or train such runs one by one, "
    "then `aejax compare`"
)

FIXED = {
    **dict.fromkeys(("data", "data_dir", "label", "ignore", "missing", "normalise"), OTHER_DATA),
    **dict.fromkeys(("image_mode", "resize", "crop", "validation"), OTHER_DATA),
    **dict.fromkeys(("stream", "steps_per_epoch", "skip"), IN_MEMORY),
    **dict.fromkeys(("factory", "arguments"), "train own objectives one by one, then compare them"),
    "seed": "give the number of seeds instead; they are counted from `seed`",
    "split_seed": "all members of a sweep share one validation split",
}
"""Settings that cannot be swept, and the advice."""


class Program(NamedTuple):
    """Members of a sweep with the same static settings, of which the best is written as a run.

    name:   name of the program in files: its static settings, such as "code-4".
    static: swept settings that are the same for all members.
    traced: swept settings of each member that are vmapped.
    """

    name: str
    static: Settings
    traced: tuple[Settings, ...]


def as_lists(grid: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Convert the values of a grid, such as ranges and NumPy arrays, to lists of Python values.

    Args:
        grid: setting -> its values.

    Returns:
        The same values.

    Raises:
        ValueError: if the values of a setting are not a list.
    """
    for name, values in grid.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise ValueError(f"{name} needs a list of values, got {values!r}")
    return {
        name: [value.item() if isinstance(value, np.generic) else value for value in values]
        for name, values in grid.items()
    }


def check_grid(options: Options, grid: Mapping[str, Sequence[Any]]) -> None:
    """Refuse a grid that cannot be swept, before any data are read.

    Args:
        options: settings that all members share.
        grid: setting -> its values.

    Raises:
        ValueError: for an unknown setting, one that cannot be swept, no or equal values, a value of
            another type or outside its range, or settings that a sweep does not support.
    """
    if not grid:
        raise ValueError("a sweep needs a setting with several values, such as code 1 2 4 8")
    hints = setting_types()
    for name, values in grid.items():
        option = name.replace("_", "-")
        if name in FIXED:
            raise ValueError(f"{option} cannot be swept: {FIXED[name]}")
        if name not in hints:
            similar = get_close_matches(name, hints, n=1)
            advice = f"; did you mean {similar[0]}?" if similar else ""
            raise ValueError(f"no setting is called {name!r}{advice}")
        if not values:
            raise ValueError(f"{option} needs one or more values, got none")
        for value in values:
            if not fits(value, hints[name]):
                raise ValueError(f"{option} cannot be {value!r}")
            if values.count(value) > 1:
                raise ValueError(f"{option} has the value {value!r} more than once")
    if "by-column" in grid.get("loss", ()):  # it changes the normalisation
        raise ValueError(f"the loss by-column cannot be swept: {OTHER_DATA}")
    _check_supported(options, grid)
    for values in product(*grid.values()):
        check(with_settings(options, dict(zip(grid, values, strict=True))))


def setting_types() -> dict[str, Any]:
    """Settings that a grid can contain, by name, and the types of their values."""
    found: dict[str, Any] = {}
    for name, hint in get_type_hints(Options).items():
        if is_dataclass(hint):
            found |= {f"{name}.{part}": kind for part, kind in get_type_hints(hint).items()}
        else:
            found[name] = hint
    found["code"] = int  # a swept code is not left open
    return {name: hint for name, hint in found.items() if name not in FIXED}


def divide(grid: Mapping[str, Sequence[Any]]) -> list[Program]:
    """Divide the combinations of a grid into programs.

    A penalty of weight zero is no part of the objective, so members with and without it belong to
    different programs.

    Args:
        grid: setting -> its values, which `check_grid` accepts.

    Returns:
        The programs, in the order of the grid.
    """
    members: dict[tuple[tuple[str, Any], ...], list[Settings]] = {}
    for values in product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        static = tuple(item for item in settings.items() if _is_static(*item))
        traced = {name: value for name, value in settings.items() if not _is_static(name, value)}
        members.setdefault(static, []).append(traced)
    return [Program(_name(key), dict(key), tuple(each)) for key, each in members.items()]


def trained_together(programs: Sequence[Program], options: Options) -> list[list[Program]]:
    """Group programs that one vmapped program trains, of which each has files and a best run.

    Such are the dictionaries that differ in their number k of active units alone.

    Args:
        programs: programs of a sweep.
        options: settings that all members share.

    Returns:
        The groups, in the order of their first programs.
    """
    groups: dict[Any, list[Program]] = {}
    for program in programs:
        activation = program.static.get("dictionary.activation", options.dictionary.activation)
        shared = ("dictionary.k",) if activation in WITH_TRACED_K else ()
        static = tuple(item for item in program.static.items() if item[0] not in shared)
        groups.setdefault((static, tuple(program.traced[0])), []).append(program)
    return list(groups.values())


def program_of(row: Settings, swept: Sequence[str]) -> str:
    """Name of the program that a member belongs to.

    Args:
        row: row of the table, as JSON stores it.
        swept: names of the swept settings.

    Returns:
        The name, as in `Program`.
    """
    return _name([(name, row.get(name)) for name in swept if _is_static(name, row.get(name))])


def with_settings(options: Options, settings: Settings) -> Options:
    """Replace some of the settings of a run.

    Args:
        options: settings of a run.
        settings: values by name.

    Returns:
        The settings.
    """
    for name, value in settings.items():
        part, _, field = name.rpartition(".")
        if part:
            value = replace(getattr(options, part), **{field: value})
        options = replace(options, **{part or name: value})
    return options


def complete_member(options: Options, member: Options, examples: Examples) -> Training:
    """Complete the settings of a member, with the validation split that all members share.

    Args:
        options: settings that all members share.
        member: settings of the member.
        examples: examples of the data with the shared settings.

    Returns:
        The settings of an ordinary run.

    Raises:
        ValueError: if they choose another normalisation than that of the examples, or a value is
            out of range.
    """
    found = complete(replace(member, split_seed=validation_seed(options)), examples.facts)
    shared = examples.configuration.normalise
    if found.normalise != shared:
        raise ValueError(
            f"the loss {found.loss} needs --normalise {found.normalise}, but the members share "
            f"{shared}: give all of them one --normalise"
        )
    return found


def without_settings(options: Options, names: Sequence[str]) -> Settings:
    """All settings of a run by name, except some."""
    every: Settings = {}
    for field in fields(options):
        value = getattr(options, field.name)
        parts = vars(value).items() if is_dataclass(value) else ()
        every |= {f"{field.name}.{part}": each for part, each in parts} or {field.name: value}
    return {name: value for name, value in every.items() if name not in names}


def _check_supported(options: Options, grid: Mapping[str, Sequence[Any]]) -> None:
    """Raise ValueError for shared settings that do not fit a sweep."""
    if options.stream:
        raise ValueError(f"stream cannot be used: {IN_MEMORY}")
    if not options.validation > 0:
        raise ValueError(
            f"a sweep chooses by the validation error: validation must be above 0, got "
            f"{options.validation}"
        )
    if options.quantised.restart_every or "quantised.restart_every" in grid:
        raise ValueError(
            "a sweep restarts no codewords: leave out --quantised.restart-every, or train such "
            "runs one by one, then `aejax compare`"
        )
    if "corruption_level" in grid and "corruption" not in grid and options.corruption == "none":
        raise ValueError("corruption-level has no effect without a corruption: choose one")


def _is_static(name: str, value: Any) -> bool:
    return name not in TRACED or (name in PENALTY_WEIGHTS and value == 0)


def _name(static: Sequence[tuple[str, Any]]) -> str:
    """Name of a program in files."""
    text = "_".join(f"{name}-{value}" for name, value in static)
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", text) or "all"
