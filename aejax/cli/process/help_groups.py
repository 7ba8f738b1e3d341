"""Groups of options in a help text: tyro's boxes, rearranged by a table of groups."""

import io
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout

Groups = Mapping[str, str]
"""Title of a group -> its options in order, without leading dashes, separated by spaces."""

TRAIN_GROUPS: Groups = {
    "basic options": "help recipe data code sizes loss corruption epochs seed out resume",
    "data": "data-dir label ignore missing normalise validation split-seed stream "
    "steps-per-epoch skip image-mode resize crop",
    "model": "activation code-activation linear-path tied decoder-sizes channels refinement-steps "
    "refinement-rate precision",
    "sparse dictionary": "dictionary.activation dictionary.k dictionary.sparsity "
    "dictionary.prefixes dictionary.auxk dictionary.auxk-units dictionary.dead-after "
    "dictionary.unit-norm dictionary.threshold dictionary.bandwidth",
    "variational autoencoder": "variational.posterior variational.beta variational.free-bits "
    "variational.samples variational.binarise",
    "discrete code": "quantised.quantiser quantised.channels quantised.codewords quantised.depth "
    "quantised.levels quantised.commitment quantised.decay quantised.restart-every "
    "quantised.entropy",
    "noise and penalties": "corruption-level augmentation.rotation augmentation.stretch "
    "augmentation.shear augmentation.shift augmentation.interpolation penalty.l2 penalty.l1 "
    "penalty.sparsity penalty.rho penalty.contraction",
    "optimiser": "optimizer learning-rate warm-up schedule clip batch-size patience",
    "run": "from checkpoint keep save-every loggers pca quiet json",
    "cluster": "mesh model coordinator processes process-id",
}
"""Groups of `aejax train --help`. Options that are in no group follow as `options`."""

SETTINGS_GROUPS = (
    *("data", "model", "sparse dictionary", "variational autoencoder", "discrete code"),
    "noise and penalties",
)
"""Groups of settings that several commands share."""

SWEEP_GROUPS: Groups = {
    "basic options": "help data code sizes loss corruption epochs seed seeds out",
    **{title: TRAIN_GROUPS[title] for title in SETTINGS_GROUPS},
    "optimiser": TRAIN_GROUPS["optimiser"],
    "run": "quiet json",
}
"""Groups of `aejax sweep --help`."""

PLAN_GROUPS: Groups = {
    "basic options": "help target data shape examples code sizes loss batch-size mesh model "
    "epoch search json",
    **{title: TRAIN_GROUPS[title] for title in SETTINGS_GROUPS},
    "optimiser": "optimizer learning-rate warm-up schedule clip patience corruption epochs seed",
}
"""Groups of `aejax plan --help`."""

COLUMNS = 120
"""Maximum width of a help text. tyro draws two columns of boxes from 130 on."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NONE_OR = re.compile(r"\{None\}\|(\S+)")
_NONE_CHOICE = re.compile(r"\{None,(\S+)")
_EMPTY_DEFAULT = "(default: )"
_TITLE = re.compile("╭─ (.+?) ─+╮")
_END = re.compile("╰─+╯")
_OPTION = re.compile(r"│ (?:-\w, )?--([\w.-]+)")
_ASCII_BOXES = str.maketrans("╭╮╰╯│─", "++++|-")


class HelpBuffer(io.StringIO):
    """Text buffer that tyro treats as standard output in UTF-8, with its colours."""

    encoding = "utf-8"

    def __init__(self) -> None:
        super().__init__()
        self._is_terminal = sys.stdout is not None and sys.stdout.isatty()

    def isatty(self) -> bool:
        """Whether standard output is a terminal."""
        return self._is_terminal


def print_help(text: str) -> None:
    """Print a help text, with boxes in ASCII if the encoding of standard output lacks others.

    Args:
        text: help with the boxes of tyro.
    """
    try:
        "╭╮╰╯│─".encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = text.translate(_ASCII_BOXES)
    sys.stdout.write(text)


def without_none(text: str) -> str:
    """Drop the choice None of optional values, and empty defaults, with the same line lengths.

    Args:
        text: help that tyro printed.

    Returns:
        The text: an option without a value is left out rather than given as None.

    Example:
        >>> from aejax.cli.process.help_groups import without_none
        >>> without_none("│ --code {None}|INT  number (default: None) │")
        '│ --code INT         number (default: None) │'
    """
    text = _NONE_OR.sub(lambda match: match[1] + " " * len("{None}|"), text)
    text = _NONE_CHOICE.sub(lambda match: "{" + match[1] + " " * len("None,"), text)
    return text.replace(_EMPTY_DEFAULT, " " * len(_EMPTY_DEFAULT))


@contextmanager
def captured_help(buffer: HelpBuffer) -> Iterator[None]:
    """Capture a help text that tyro prints, in one column of boxes.

    Args:
        buffer: buffer that receives the text.
    """
    width = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(min(shutil.get_terminal_size().columns, COLUMNS))
    try:
        with redirect_stdout(buffer):
            yield
    finally:
        if width is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = width


def options(text: str) -> dict[str, list[str]]:
    """Options of a help text.

    Args:
        text: help that tyro printed.

    Returns:
        Name of each option, without the leading dashes -> its lines, in order of appearance.
    """
    found: dict[str, list[str]] = {}
    name = None
    for line in text.splitlines():
        plain = _COLOUR.sub("", line)
        if match := _OPTION.match(plain):
            name = match[1]
        elif not plain.startswith("│  "):
            name = None
        if name is not None:
            found.setdefault(name, []).append(line)
    return found


def grouped(text: str, groups: Groups) -> str:
    """Rearrange the options of a help text into groups.

    Args:
        text: help that tyro printed, with boxes of options in one column.
        groups: groups in the order of display. Options that are in no group follow at the end.

    Returns:
        The text with one box for each group that is not empty; unchanged without groups.
    """
    lines, found = text.splitlines(), options(text)
    plain = [_COLOUR.sub("", line) for line in lines]
    titles = [line for line in plain if _TITLE.fullmatch(line)]
    if not titles or not groups:
        return text
    start = plain.index(titles[0])
    end = next(line for line in plain if _END.fullmatch(line))
    listed = " ".join(groups.values()).split()
    others = {"options": " ".join(name for name in found if name not in listed)}
    boxes = []
    for title, names in {**groups, **others}.items():
        rows = [row for name in names.split() for row in found.get(name, ())]
        boxes += [_titled(titles[0], title), *rows, end] if rows else []
    return "\n".join([*lines[:start], *boxes]) + "\n"


def _titled(line: str, title: str) -> str:
    """Upper edge of a box with another title and the same width."""
    corner, dash, end = line[0], line[1], line[-1]
    opening = f"{corner}{dash} {title} "
    return opening + dash * (len(line) - len(opening) - 1) + end
