"""Runs a command and turns errors into a short message and an exit code."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax

from aejax.cli.process.command_arguments import parse
from aejax.cli.process.command_list import COMMANDS, PROCESS_OPTIONS, check_command, named_command
from aejax.cli.process.exit_codes import BAD_INPUT, DONE, SIGNALLED
from aejax.cli.process.factory_options import split_factory
from aejax.cli.process.help_groups import PLAN_GROUPS, SWEEP_GROUPS, TRAIN_GROUPS
from aejax.cli.process.output import print_error, short_warnings
from aejax.cli.process.path_options import check_encoding, expand_home
from aejax.cli.process.resume_option import starts_run, without_resume
from aejax.cli.process.swept_options import parse_swept, split_swept
from aejax.runs.compilation_cache import enable_compilation_cache
from aejax.runs.configuration import Options
from aejax.runs.error_messages import UnwritableError
from aejax.runs.malloc import raise_malloc_thresholds
from aejax.runs.recipes import RECIPES
from aejax.runs.run import read_configuration
from aejax.runs.signals import Interrupted
from aejax.training import LostProcessError

if TYPE_CHECKING:
    from aejax.cli.commands.sweep import Sweep
    from aejax.cli.commands.train import Train

GROUPS = {"plan": PLAN_GROUPS, "sweep": SWEEP_GROUPS, "train": TRAIN_GROUPS}
"""Groups of the options in the help of a command."""


def run(arguments: Sequence[str]) -> int:
    """Run a command and print its error message if it fails.

    Args:
        arguments: command line without the program name.

    Returns:
        The exit code.
    """
    debug, no_cache = ("--debug" in arguments), ("--no-compilation-cache" in arguments)
    arguments = [each for each in arguments if each not in PROCESS_OPTIONS]
    try:
        check_encoding(arguments)
        command = parsed(arguments)
        raise_malloc_thresholds()
        if not no_cache:
            enable_compilation_cache()
        with short_warnings():
            return _action(arguments, command)(command) or DONE
    except KeyboardInterrupt as stop:
        print_error(str(stop) or "interrupted")
        return SIGNALLED + signal.SIGINT
    except Interrupted as stop:
        print_error(str(stop))
        return SIGNALLED + stop.number
    except (LostProcessError, UnwritableError) as error:
        if debug:
            traceback.print_exc()
        print_error(str(error))
        sys.stdout.flush()
        sys.stderr.flush()
        # A normal exit would wait for the lost process or retry the writes that failed.
        os._exit(BAD_INPUT)
    except BrokenPipeError:
        raise
    except (ValueError, OSError, FloatingPointError, ImportError, MemoryError) as error:
        if debug:
            traceback.print_exc()
        print_error(_message(error))
        return BAD_INPUT
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        print_error(f"out of memory: {error}")
        return BAD_INPUT


def parsed(arguments: Sequence[str]) -> Any:
    """Parse a command line; only the module of its command is loaded.

    A `train` command that starts from a run or a recipe is parsed twice: the second time, the
    settings of the run or recipe are the defaults. One that resumes a run that does not exist yet
    is parsed as the command that starts it.

    Args:
        arguments: command line without the program name.

    Returns:
        Dataclass of the command.

    Raises:
        ValueError: for an unknown command or option, or an invalid value.
    """
    check_command(arguments, list(COMMANDS))
    name = named_command(arguments)
    if name is None:  # options only
        from aejax.cli.all_commands import Command

        return parse(Command, arguments, prog="aejax")
    words = arguments[len(name.split()) :]
    if name == "sweep":
        return _sweep_command(words)
    if name != "train":
        return _parsed(name, words)
    command = _train_command(words)
    if command.resume and command.recipe is None and starts_run(command.out, words):
        return replace(_train_command(without_resume(words)), resume=True)
    settings = _initial_settings(command)
    return (
        command if settings is None else _train_command(words, replace(command, training=settings))
    )


def _action(arguments: Sequence[str], command: Any) -> Callable[[Any], int | None]:
    """Function that runs a parsed command."""
    name = named_command(arguments)
    if name is None:
        from aejax.cli.all_commands import ACTIONS

        return ACTIONS[type(command)]
    return COMMANDS[name].load()[1]


def _parsed(name: str, words: Sequence[str], **settings: Any) -> Any:
    """Parse the words after the name of a command."""
    kind, _ = COMMANDS[name].load()
    return expand_home(
        parse(kind, words, groups=GROUPS.get(name), prog=f"aejax {name}", **settings)
    )


def _train_command(words: Sequence[str], start: "Train | None" = None) -> "Train":
    """Parse the words after `aejax train`; the options of `start` are the defaults."""
    factory, options = split_factory(words)
    if factory is None and start is not None:
        factory = start.training.factory
    if factory is not None:
        from aejax.cli.commands.train_factory import parse_own_train  # a module of `train` only

        return expand_home(parse_own_train(factory, options, start))
    return _parsed("train", options, **({} if start is None else {"default": start}))


def _sweep_command(words: Sequence[str]) -> "Sweep":
    """Parse the words after `aejax sweep`, whose options may have several values."""
    rest, swept = split_swept(["sweep", *words])
    return replace(_parsed("sweep", rest[1:]), grid=parse_swept(swept))


def _initial_settings(command: "Train") -> Options | None:
    """Settings of the recipe or run that a command starts from."""
    if command.recipe is not None:
        return RECIPES[command.recipe].training
    run = command.out if command.resume else command.from_
    return None if run is None else read_configuration(run)


def _message(error: BaseException) -> str:
    """Text of an error; of one of the operating system, with the file first and no number."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) or "out of memory"
