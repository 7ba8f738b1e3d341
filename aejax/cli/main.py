"""The command `aejax`: words to a command, errors to one line and an exit code."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any

import jax
from tyro.conf import subcommand

from aejax.cli.commands.data import ListData, PrepareData, list_data, prepare_data
from aejax.cli.commands.encode import Encode, Reconstruct, encode, reconstruct
from aejax.cli.commands.explore import Explore, explore
from aejax.cli.commands.export import Export, export
from aejax.cli.commands.report import Report, write_report
from aejax.cli.commands.train import Train, train
from aejax.cli.commands.verify import Verify, verify
from aejax.cli.process.command_arguments import parse
from aejax.cli.process.error_messages import UnwritableError
from aejax.cli.process.output import degrade_characters, discard, flush
from aejax.cli.process.path_options import check_encoding, expanded
from aejax.cli.process.signals import Interrupted
from aejax.runs.compilation_cache import keep_compiled
from aejax.runs.configuration import Training
from aejax.runs.malloc import keep_memory
from aejax.runs.recipes import RECIPES
from aejax.runs.run import read_configuration
from aejax.training import LostProcessError

DONE, BAD_INPUT, SIGNALLED = 0, 2, 128  # and 1, verify's, where a verification failed
CLOSED_PIPE = SIGNALLED + 13  # SIGPIPE's number, which Windows lacks

Data = Annotated[ListData, subcommand("list")] | Annotated[PrepareData, subcommand("prepare")]
Command = (
    Annotated[Train, subcommand("train")]
    | Annotated[Encode, subcommand("encode")]
    | Annotated[Reconstruct, subcommand("reconstruct")]
    | Annotated[Explore, subcommand("explore")]
    | Annotated[Export, subcommand("export")]
    | Annotated[Verify, subcommand("verify")]
    | Annotated[Report, subcommand("report")]
    | Annotated[Data, subcommand("data", description="List or prepare data sets.")]
)
ACTIONS: dict[type, Callable[[Any], int | None]] = {
    Train: train,
    Encode: encode,
    Reconstruct: reconstruct,
    Explore: explore,
    Export: export,
    Verify: verify,
    Report: write_report,
    ListData: list_data,
    PrepareData: prepare_data,
}
DESCRIPTION = """Train, verify and look at autoencoders.

Exit codes: 0 done, 1 a verification failed, 2 bad input, 128 + n stopped by signal n. Errors are
one or two lines on stderr; --debug anywhere shows the traceback. Compiled programs are kept in the
user's cache folder, or in JAX_COMPILATION_CACHE_DIR; --no-compilation-cache keeps none.
"""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        words: the command line without the program's name; the process's own unless given.

    Returns:
        The exit code.
    """
    degrade_characters()
    try:
        try:
            return _answer(list(sys.argv[1:] if words is None else words))
        finally:
            flush()
    except BrokenPipeError:
        discard()
        return CLOSED_PIPE
    except OSError as error:  # a full disk, say
        discard()
        _complain(f"standard output cannot be written to: {error}")
        return BAD_INPUT
    except SystemExit as stop:
        if not stop.code:
            raise
        return CLOSED_PIPE  # rich ends so where it finds the pipe closed


def _answer(words: list[str]) -> int:
    """The exit code of one command, once its complaint has been printed, if it has one."""
    debug, fresh = ("--debug" in words), ("--no-compilation-cache" in words)
    words = [word for word in words if word not in {"--debug", "--no-compilation-cache"}]
    try:
        check_encoding(words)
        command = _command(words)
        keep_memory()
        if not fresh:
            keep_compiled()
        return ACTIONS[type(command)](command) or DONE
    except KeyboardInterrupt as stop:
        _complain(str(stop) or "interrupted")
        return SIGNALLED + signal.SIGINT
    except Interrupted as stop:
        _complain(str(stop))
        return SIGNALLED + stop.number
    except (LostProcessError, UnwritableError) as error:
        if debug:
            traceback.print_exc()
        _complain(str(error))
        sys.stdout.flush()
        sys.stderr.flush()
        # JAX would wait for the process that is gone, and what has still to be written would fail.
        os._exit(BAD_INPUT)
    except BrokenPipeError:
        raise
    except (ValueError, OSError, FloatingPointError, ImportError, MemoryError) as error:
        if debug:
            traceback.print_exc()
        _complain(str(error) or "out of memory")
        return BAD_INPUT
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        _complain(f"out of memory: {error}")
        return BAD_INPUT


def _command(words: Sequence[str]) -> Any:
    """The command; one that starts from a run or a recipe is parsed again over its settings.

    What is not said then stays as it is there.
    """
    command = expanded(parse(Command, words, prog="aejax", description=DESCRIPTION))
    settings = _settings(command) if isinstance(command, Train) else None
    if settings is None:
        return command
    start = replace(command, training=settings)
    return expanded(parse(Train, words[1:], prog="aejax train", default=start))


def _settings(command: Train) -> Training | None:
    if command.recipe is not None:
        return RECIPES[command.recipe].training
    run = command.out if command.resume else command.from_
    return None if run is None else read_configuration(run)


def _complain(message: str) -> None:
    print("aejax:", "\n".join(message.splitlines()[:2]), file=sys.stderr)
