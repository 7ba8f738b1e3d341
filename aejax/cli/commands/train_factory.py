"""`aejax train FACTORY`: command line of a training whose objective a function of a user makes."""

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any

import tyro
from tyro.constructors import UnsupportedTypeAnnotationError

from aejax.cli.commands.train import Train
from aejax.cli.process.command_arguments import parse
from aejax.cli.process.factory_options import (
    REQUIRED,
    Parameters,
    hiding,
    parameters,
    with_options,
)
from aejax.cli.process.help_groups import TRAIN_GROUPS, Groups
from aejax.runs.configuration import DATA_ARGUMENTS, OBJECTIVE_SETTINGS
from aejax.runs.factories import absolute_factory, load_factory, typed_arguments
from aejax.runs.objective_record import as_json

STARTS = "--resume", "--from"
"""Options with which the arguments of the factory are those of a run."""

DESCRIPTION = """Train the objective that {factory} returns, or resume such a run.

Example: aejax train {factory} --data digits --out runs/mine

Example: aejax train --resume --epochs 50 --out runs/mine

The run records the function and its arguments: all commands open it without them. Ctrl-C or SIGTERM
stops the run after the current epoch and saves it; a second signal stops it at once.
"""
"""Text of the help."""


def parse_own_train(factory: str, words: Sequence[str], start: Train | None) -> Train:
    """Parse the options of `aejax train FACTORY`.

    Args:
        factory: "file.py:function" or "module:function".
        words: words after the name of the factory.
        start: command whose options are the defaults, or None.

    Returns:
        The command, with the factory and its arguments in the settings. Arguments that are taken
        from the data are None, unless `start` has them.

    Raises:
        ValueError: as `load_factory`, `parameters` and `with_options`; for an invalid option.
        SystemExit: after the help has been printed.
    """
    name = absolute_factory(factory)
    make = load_factory(name)
    recorded = {} if start is None else start.training.arguments
    declared = parameters(factory, make, DATA_ARGUMENTS)
    taken = _with_defaults(declared, typed_arguments(make, recorded))
    if start is None and any(word.partition("=")[0] in STARTS for word in words):
        taken = _optional(taken)  # the run, which is not known yet, has recorded them
    first = Train() if start is None else start
    kind_of_settings = type(first.training)
    settings = hiding(kind_of_settings, [*OBJECTIVE_SETTINGS, "factory", "arguments"])
    kind = with_options(
        *(hiding(Train, ["recipe"]), make, taken),
        settings=settings,
        description=DESCRIPTION.format(factory=factory),
    )
    default = _as(kind, first, training=_as(settings, first.training), options=tyro.MISSING_NONPROP)
    groups = _groups(f"options of {factory}", taken)
    try:
        found = parse(kind, words, groups=groups, prog=f"aejax train {factory}", default=default)
    except UnsupportedTypeAnnotationError as error:
        raise ValueError(f"a parameter of {factory} cannot be an option: {error}") from error
    named = [each for each in DATA_ARGUMENTS if each in inspect.signature(make).parameters]
    arguments = as_json("arguments", vars(found.options)) | {
        each: recorded.get(each) for each in named
    }
    training = replace(_as(kind_of_settings, found.training), factory=name, arguments=arguments)
    return _as(Train, found, training=training)


def _with_defaults(taken: Parameters, values: dict[str, Any]) -> Parameters:
    """Parameters whose defaults are the arguments of a run."""
    return {
        name: parameter.replace(default=values.get(name, parameter.default))
        for name, parameter in taken.items()
    }


def _optional(taken: Parameters) -> Parameters:
    """Parameters none of which must be given."""
    return {
        name: parameter
        if parameter.default is not REQUIRED
        else parameter.replace(default=None, annotation=parameter.annotation | None)
        for name, parameter in taken.items()
    }


def _groups(title: str, names: Iterable[str]) -> Groups:
    """Groups of the help: those of `aejax train`, after the options of the factory."""
    own = [name.replace("_", "-") for name in names]
    others = {
        group: " ".join(name for name in listed.split() if name not in own)
        for group, listed in TRAIN_GROUPS.items()
    }
    return {title: " ".join(own)} | others


def _as(kind: type, record: Any, **others: Any) -> Any:
    """Convert a dataclass to its base class, or to a class derived from it."""
    names = {each.name for each in fields(record)} & {each.name for each in fields(kind)}
    return kind(**{name: getattr(record, name) for name in names} | others)
