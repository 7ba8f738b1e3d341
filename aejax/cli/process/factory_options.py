"""Options of a factory: its typed parameters beside the options of a command."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, make_dataclass
from typing import Annotated, Any, get_type_hints

import tyro
from tyro.conf import Fixed, Suppress

REQUIRED = inspect.Parameter.empty
"""Default of a parameter that must be given."""

GLOBAL_OPTIONS = "help", "debug", "no_compilation_cache"
"""Options of every command."""

Parameters = Mapping[str, inspect.Parameter]
"""Parameters by name, with evaluated annotations."""


def split_factory(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Separate the name of a factory from the options of a command.

    Args:
        words: words after the command.

    Returns:
        The first word if it is no option, else None; and the other words.
    """
    first, *others = words or ("-",)
    return (None, list(words)) if first.startswith("-") else (first, others)


def parameters(name: str, make: Callable[..., Any], filled: Sequence[str]) -> Parameters:
    """Parameters of a factory that become options.

    Args:
        name: name of the factory, for messages.
        make: the factory.
        filled: names of parameters that are no options.

    Returns:
        The parameters.

    Raises:
        ValueError: if a parameter has no type, or cannot be given by name.
    """
    try:
        signature = inspect.signature(make, eval_str=True)
    except NameError as error:
        raise ValueError(f"the parameters of {name} have an unknown type: {error}") from error
    found = {}
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            raise ValueError(f"{name} must take its parameters by name, but {parameter} cannot be")
        if parameter.kind is parameter.VAR_KEYWORD:
            raise ValueError(f"{name} takes {parameter}, which cannot become options: name them")
        if parameter.name in filled:
            continue
        if parameter.annotation is REQUIRED:
            raise ValueError(
                f"the parameter {parameter.name} of {name} has no type: annotate it, as in "
                f"{parameter.name}: int"
            )
        found[parameter.name] = parameter
    return found


def hiding(kind: type, names: Sequence[str]) -> type:
    """Derive a dataclass in which fields are no options.

    Args:
        kind: dataclass with defaults.
        names: names of the fields, which keep their defaults.

    Returns:
        A dataclass that tyro can parse.
    """
    types = get_type_hints(kind, include_extras=True)
    hidden = [
        (each.name, Suppress[Fixed[types[each.name]]], _default(each))
        for each in dataclasses.fields(kind)
        if each.name in names
    ]
    namespace = {"__doc__": kind.__doc__}
    return make_dataclass(kind.__name__, hidden, bases=(kind,), namespace=namespace, frozen=True)


def with_options(
    kind: type,
    make: Callable[..., Any],
    taken: Parameters,
    *,
    settings: type,
    description: str,
) -> type:
    """Derive a command with the options of a factory, in its field `options`.

    Args:
        kind: dataclass of the command.
        make: the factory, whose docstring describes its parameters.
        taken: the parameters that become options.
        settings: type of the field `training` of the command.
        description: text of the help before the options.

    Returns:
        A dataclass that tyro can parse. Its field `options` is a dataclass of the arguments.

    Raises:
        ValueError: if a parameter has the name of another option of the command.
    """
    shown = {*_shown(kind), *_shown(settings), *GLOBAL_OPTIONS}
    for name in taken:
        if name in shown:
            raise ValueError(
                f"the parameter {name} of {make.__name__} has the name of an option of aejax "
                "train: rename it"
            )
    options = Annotated[_options(make, taken), tyro.conf.arg(name="")]
    training = Annotated[settings, tyro.conf.arg(name="")]
    return make_dataclass(
        kind.__name__,
        [("training", training, field()), ("options", options, field(kw_only=True))],
        bases=(kind,),
        namespace={"__doc__": description},
        frozen=True,
    )


def _options(make: Callable[..., Any], taken: Parameters) -> type:
    """Dataclass with the parameters and the docstring of a factory."""
    options = [(name, each.annotation, _field(each.default)) for name, each in taken.items()]
    namespace = {"__doc__": make.__doc__}
    return make_dataclass(make.__name__, options, namespace=namespace, kw_only=True, frozen=True)


def _field(default: Any) -> Any:
    return field() if default is REQUIRED else field(default_factory=lambda: default)


def _shown(kind: Any) -> Iterator[str]:
    """Names of the fields that are options, those of nested dataclasses included."""
    for each in dataclasses.fields(kind):
        if each.name == "training" or Suppress in getattr(each.type, "__metadata__", ()):
            continue
        nested = each.default_factory
        if dataclasses.is_dataclass(nested):
            yield from _shown(nested)
        else:
            yield each.name


def _default(found: Any) -> Any:
    if found.default_factory is dataclasses.MISSING:
        return field(default=found.default)
    return field(default_factory=found.default_factory)
