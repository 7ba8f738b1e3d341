"""List of the commands: names, one line of help for each, and the check of a command's name.

It is a table of names, so that `aejax --help` need not import the commands.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from aejax.cli.process.suggestions import did_you_mean

PROCESS_OPTIONS = ("--debug", "--no-compilation-cache")
"""Options that every command accepts at any position."""


class ListedCommand(NamedTuple):
    """A command.

    module:  module of `aejax.cli.commands`.
    kind:    name of the dataclass of its options.
    action:  name of the function that runs it.
    summary: first line of the docstring of the dataclass, up to a colon or semicolon if it is long.
    """

    module: str
    kind: str
    action: str
    summary: str

    def load(self) -> tuple[type, Callable[[Any], int | None]]:
        """Import the module, and return the dataclass and the function."""
        module = import_module(f"aejax.cli.commands.{self.module}")
        return getattr(module, self.kind), getattr(module, self.action)


COMMANDS = {
    "train": ListedCommand("train", "Train", "train", "Train an autoencoder, or resume a run."),
    "sweep": ListedCommand(
        "sweep", "Sweep", "sweep", "Train every combination of settings with several seeds."
    ),
    "plan": ListedCommand(
        "plan",
        "PlanCommand",
        "print_plan",
        "Plan a training on an accelerator that is not at hand.",
    ),
    "runs": ListedCommand(
        "runs", "Runs", "print_runs", "List the runs in a folder with their settings and figures."
    ),
    "compare": ListedCommand("compare", "Compare", "compare", "Compare runs of the same data."),
    "encode": ListedCommand(
        "encode", "Encode", "encode", "Encode new data with a trained run and write the codes."
    ),
    "reconstruct": ListedCommand(
        "encode", "Reconstruct", "reconstruct", "Reconstruct new data with a trained run."
    ),
    "score": ListedCommand(
        "score",
        "Score",
        "write_scores",
        "Score new data by reconstruction error, to find anomalies.",
    ),
    "explore": ListedCommand("explore", "Explore", "explore", "Explore a run in a browser."),
    "export": ListedCommand(
        "export",
        "Export",
        "export",
        "Export a run: parameters, and encode and decode as StableHLO.",
    ),
    "publish": ListedCommand(
        "publish", "Publish", "publish", "Write a run as a folder for others."
    ),
    "push": ListedCommand(
        "push", "Push", "push", "Upload a published run to a repository of the Hugging Face Hub."
    ),
    "pull": ListedCommand(
        "pull", "Pull", "pull", "Download a published run from the Hugging Face Hub; verify it."
    ),
    "verify": ListedCommand(
        "verify", "Verify", "verify", "Verify theorems about linear autoencoders on a data set."
    ),
    "report": ListedCommand(
        "report", "Report", "write_report", "Write a self-contained HTML report of a run."
    ),
    "data list": ListedCommand(
        "data",
        "ListData",
        "list_data",
        "List the data sets known by name, and which are ready for use.",
    ),
    "data prepare": ListedCommand(
        "data",
        "PrepareData",
        "prepare_data",
        "Download a data set and prepare it in the format of TFDS.",
    ),
}
"""The commands by name, in the order of the list."""


def overview(summaries: Mapping[str, str], description: str) -> str:
    """List the commands, one line each.

    Args:
        summaries: one line for each command, by name.
        description: text of the program, printed around the list: its first line before, the other
            paragraphs after the list.

    Returns:
        The text.
    """
    width = max(map(len, summaries))
    lines = [f"  {name:{width}}  {each}" for name, each in summaries.items()]
    summary, _, rest = description.partition("\n")
    parts = ["usage: aejax COMMAND [OPTIONS]", summary, "\n".join(["commands:", *lines])]
    return "\n\n".join([*parts, rest.strip()]) + "\n"


def named_command(arguments: Sequence[str]) -> str | None:
    """Name of the command that a command line begins with, or None.

    Args:
        arguments: command line without the program name.
    """
    names = (" ".join(arguments[:count]) for count in (1, 2))
    return next((name for name in names if name in COMMANDS), None)


def check_command(arguments: Sequence[str], names: Sequence[str]) -> None:
    """Refuse a command line whose first words name no command.

    Args:
        arguments: command line without the program name, not empty.
        names: names of all commands.

    Raises:
        ValueError: the first word, or the first two, name no command; with similar names and a list
            of all.
    """
    first, *others = arguments
    nested = [name.partition(" ")[2] for name in names if name.startswith(f"{first} ")]
    if nested:
        _check_word(others[0] if others else "", nested, prefix=f"{first} ")
    else:
        _check_word(first, list(dict.fromkeys(name.partition(" ")[0] for name in names)))


def _check_word(word: str, names: Sequence[str], *, prefix: str = "") -> None:
    if word in names or word.startswith("-"):
        return
    raise ValueError(
        f"no command {prefix}{word}{did_you_mean(word, names)}\n"
        f"Commands: {', '.join(prefix + name for name in names)}. Help: aejax --help"
    )
