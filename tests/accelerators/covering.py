"""Covering arrays: few combinations that contain every pair of values of any two axes."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product

Choice = dict[str, str]
"""A value for each axis, or for some of them."""

Tuples = dict[frozenset[tuple[str, str]], None]
"""Combinations of values of a few axes, in order."""


def covering_choices(
    axes: Mapping[str, Sequence[str]],
    groups: Iterable[tuple[str, ...]],
    is_allowed: Callable[[Choice], bool],
    start: Sequence[Choice] = (),
) -> tuple[list[Choice], list[Choice]]:
    """Choose combinations that contain all combinations of the values of each group of axes.

    Greedy, as AETG: candidates start with the first missing combination of each group, and each
    further axis takes the value that adds the most missing ones, or else the one used least. The
    candidate that adds the most is chosen, so that the first choices contain most combinations.

    Args:
        axes: values of each axis, by name; an axis takes its value in this order.
        groups: groups of axes, such as all pairs.
        is_allowed: whether values of some axes may occur together.
        start: choices that are made already, whose combinations are not missing.

    Returns:
        The further choices, and the combinations of groups that no allowed choice was found for.

    Source: Cohen et al. 1997.
    """
    groups = [tuple(sorted(group)) for group in groups]
    missing: Tuples = {
        frozenset(zip(group, values, strict=True)): None
        for group in groups
        for values in product(*(axes[axis] for axis in group))
    }
    choices, refused, used = [], [], Counter()
    for choice in start:
        used.update(choice.items())
        for part in parts(choice, groups) & missing.keys():
            del missing[part]
    while missing:
        candidates = []
        for first in _first_of_each_group(missing):
            choice = _completed(dict(first), axes, groups, missing, used, is_allowed)
            if choice is None:
                refused.append(dict(first))
                del missing[first]
            else:
                candidates.append(choice)
        if candidates:
            gains = [len(parts(choice, groups) & missing.keys()) for choice in candidates]
            choice = candidates[gains.index(max(gains))]
            for part in parts(choice, groups) & missing.keys():
                del missing[part]
            used.update(choice.items())
            choices.append({axis: choice[axis] for axis in axes})
    return choices, refused


def _first_of_each_group(missing: Tuples) -> list[frozenset[tuple[str, str]]]:
    found = {}
    for each in missing:
        found.setdefault(frozenset(axis for axis, _ in each), each)
    return list(found.values())


def parts(choice: Choice, groups: Iterable[tuple[str, ...]]) -> set[frozenset[tuple[str, str]]]:
    """The combination of values that a choice contains for each group of axes."""
    return {_part(choice, group) for group in groups}


def _completed(
    choice: Choice,
    axes: Mapping[str, Sequence[str]],
    groups: Sequence[tuple[str, ...]],
    missing: Tuples,
    used: Counter[tuple[str, str]],
    is_allowed: Callable[[Choice], bool],
) -> Choice | None:
    """Values for the remaining axes; None if some axis has no allowed value."""
    if not is_allowed(choice):
        return None
    for axis in (axis for axis in axes if axis not in choice):
        options = [{**choice, axis: value} for value in axes[axis]]
        options = list(filter(is_allowed, options))
        if not options:
            return None

        def gain(option: Choice, axis: str = axis) -> tuple[int, int]:
            added = (
                _part(option, group) in missing
                for group in groups
                if axis in group and option.keys() >= set(group)
            )
            return sum(added), -used[axis, option[axis]]

        choice = max(options, key=gain)
    return choice


def _part(choice: Choice, group: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    return frozenset((axis, choice[axis]) for axis in group)
