"""The command `aejax`: runs a subcommand and turns errors into a short message and an exit code."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from typing import Annotated, Any

import jax
from tyro.conf import subcommand

from aejax.cli.commands.compare import Compare, compare
from aejax.cli.commands.data import ListData, PrepareData, list_data, prepare_data
from aejax.cli.commands.encode import Encode, Reconstruct, encode, reconstruct
from aejax.cli.commands.explore import Explore, explore
from aejax.cli.commands.export import Export, export
from aejax.cli.commands.plan import PlanCommand, print_plan
from aejax.cli.commands.publish import Publish, publish
from aejax.cli.commands.pull import Pull, pull
from aejax.cli.commands.push import Push, push
from aejax.cli.commands.report import Report, write_report
from aejax.cli.commands.runs import Runs, print_runs
from aejax.cli.commands.score import Score, write_scores
from aejax.cli.commands.sweep import Sweep, sweep
from aejax.cli.commands.train import Train, train
from aejax.cli.commands.train_factory import parse_own_train
from aejax.cli.commands.verify import Verify, verify
from aejax.cli.process.command_arguments import parse
from aejax.cli.process.command_list import check_command, command_types, overview
from aejax.cli.process.factory_options import split_factory
from aejax.cli.process.help_groups import PLAN_GROUPS, SWEEP_GROUPS, TRAIN_GROUPS
from aejax.cli.process.output import (
    discard_output,
    flush_output,
    replace_unencodable,
    short_warnings,
)
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

DONE, BAD_INPUT, SIGNALLED = 0, 2, 128  # `aejax verify` returns 1 if a verification fails
CLOSED_PIPE = SIGNALLED + 13  # 13 is SIGPIPE, which Windows lacks

Data = Annotated[ListData, subcommand("list")] | Annotated[PrepareData, subcommand("prepare")]
Command = (
    Annotated[Train, subcommand("train")]
    | Annotated[Sweep, subcommand("sweep")]
    | Annotated[PlanCommand, subcommand("plan")]
    | Annotated[Runs, subcommand("runs")]
    | Annotated[Compare, subcommand("compare")]
    | Annotated[Encode, subcommand("encode")]
    | Annotated[Reconstruct, subcommand("reconstruct")]
    | Annotated[Score, subcommand("score")]
    | Annotated[Explore, subcommand("explore")]
    | Annotated[Export, subcommand("export")]
    | Annotated[Publish, subcommand("publish")]
    | Annotated[Push, subcommand("push")]
    | Annotated[Pull, subcommand("pull")]
    | Annotated[Verify, subcommand("verify")]
    | Annotated[Report, subcommand("report")]
    | Annotated[Data, subcommand("data", description="List or prepare data sets.")]
)
ACTIONS: dict[type, Callable[[Any], int | None]] = {
    Train: train,
    Sweep: sweep,
    PlanCommand: print_plan,
    Runs: print_runs,
    Compare: compare,
    Encode: encode,
    Reconstruct: reconstruct,
    Score: write_scores,
    Explore: explore,
    Export: export,
    Publish: publish,
    Push: push,
    Pull: pull,
    Verify: verify,
    Report: write_report,
    ListData: list_data,
    PrepareData: prepare_data,
}
TYPES = command_types(Command)
DESCRIPTION = """Train, verify, inspect and export autoencoders.

`aejax COMMAND --help` shows the options of a command with an example. `aejax` alone prints this
list, `aejax --version` the version, and `aejax --tyro-print-completion bash` (or zsh, tcsh) the
script that completes commands and options in a shell.

Exit codes: 0 done, 1 a verification failed, 2 bad input, 128 + n stopped by signal n. Errors are
one or two lines on stderr; --debug also shows the traceback. Compiled programs are cached in the
user's cache directory or in JAX_COMPILATION_CACHE_DIR; --no-compilation-cache disables the cache.
--debug and --no-compilation-cache are accepted at any position.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        arguments: command line without the program name (default: `sys.argv[1:]`).

    Returns:
        The exit code.
    """
    replace_unencodable()
    try:
        try:
            return _run(list(sys.argv[1:] if arguments is None else arguments))
        finally:
            flush_output()
    except BrokenPipeError:
        discard_output()
        return CLOSED_PIPE
    except OSError as error:  # e.g. a full disk
        discard_output()
        _print_error(f"standard output cannot be written to: {error}")
        return BAD_INPUT
    except SystemExit as stop:
        if not stop.code:
            raise
        return CLOSED_PIPE  # rich raises SystemExit if the pipe is closed


def _run(arguments: list[str]) -> int:
    """Run a command, print its error message if it fails, and return its exit code."""
    debug, no_cache = ("--debug" in arguments), ("--no-compilation-cache" in arguments)
    arguments = [each for each in arguments if each not in {"--debug", "--no-compilation-cache"}]
    try:
        check_encoding(arguments)
        if _print_overview(arguments):
            return DONE
        command = _command(arguments)
        raise_malloc_thresholds()
        if not no_cache:
            enable_compilation_cache()
        with short_warnings():
            return ACTIONS[type(command)](command) or DONE
    except KeyboardInterrupt as stop:
        _print_error(str(stop) or "interrupted")
        return SIGNALLED + signal.SIGINT
    except Interrupted as stop:
        _print_error(str(stop))
        return SIGNALLED + stop.number
    except (LostProcessError, UnwritableError) as error:
        if debug:
            traceback.print_exc()
        _print_error(str(error))
        sys.stdout.flush()
        sys.stderr.flush()
        # A normal exit would wait for the lost process or retry the writes that failed.
        os._exit(BAD_INPUT)
    except BrokenPipeError:
        raise
    except (ValueError, OSError, FloatingPointError, ImportError, MemoryError) as error:
        if debug:
            traceback.print_exc()
        _print_error(_message(error))
        return BAD_INPUT
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        _print_error(f"out of memory: {error}")
        return BAD_INPUT


def _print_overview(arguments: Sequence[str]) -> bool:
    """Print the version or the list of commands if the command line asks for it."""
    if arguments[:1] == ["--version"]:
        print("aejax", metadata.version("aejax"))
        return True
    group = " ".join(arguments[:1]) + " "
    listed = {name: kind for name, kind in TYPES.items() if name.startswith(group)}
    if len(arguments) == 1 and listed:
        print(overview(listed, DESCRIPTION), end="")
    elif not arguments or arguments[0] in {"-h", "--help"}:
        print(overview(TYPES, DESCRIPTION), end="")
    else:
        return False
    return True


def _command(arguments: Sequence[str]) -> Any:
    """Parse the command line.

    A `train` command that starts from a run or a recipe is parsed twice: the second time, the
    settings of the run or recipe are the defaults. One that resumes a run that does not exist yet
    is parsed as the command that starts it.
    """
    check_command(arguments, list(TYPES))
    if arguments[:1] == ["sweep"]:
        return _sweep_command(arguments)
    if arguments[:1] == ["plan"]:
        return expand_home(parse(Command, arguments, groups=PLAN_GROUPS, prog="aejax"))
    if arguments[:1] != ["train"]:
        return expand_home(parse(Command, arguments, prog="aejax"))
    words = arguments[1:]
    command = _train_command(words)
    if command.resume and command.recipe is None and starts_run(command.out, words):
        return replace(_train_command(without_resume(words)), resume=True)
    settings = _initial_settings(command)
    return (
        command if settings is None else _train_command(words, replace(command, training=settings))
    )


def _train_command(words: Sequence[str], start: Train | None = None) -> Train:
    """Parse the words after `aejax train`; the options of `start` are the defaults."""
    factory, options = split_factory(words)
    if factory is None and start is not None:
        factory = start.training.factory
    if factory is not None:
        return expand_home(parse_own_train(factory, options, start))
    default = {} if start is None else {"default": start}
    return expand_home(parse(Train, options, groups=TRAIN_GROUPS, prog="aejax train", **default))


def _sweep_command(arguments: Sequence[str]) -> Sweep:
    """Parse a `sweep` command, whose options may have several values."""
    rest, swept = split_swept(arguments)
    command = parse(Command, rest, groups=SWEEP_GROUPS, prog="aejax")
    return replace(expand_home(command), grid=parse_swept(swept))


def _initial_settings(command: Train) -> Options | None:
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


def _print_error(message: str) -> None:
    print("aejax:", "\n".join(message.splitlines()[:2]), file=sys.stderr)
