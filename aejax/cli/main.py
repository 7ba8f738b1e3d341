"""The command `aejax`: prints the list of commands, or loads and runs the one that is named.

Numerical packages are imported when a command runs, so that the list appears at once.
"""

import sys
from collections.abc import Sequence
from importlib import metadata

from aejax.cli.process.command_list import COMMANDS, PROCESS_OPTIONS, overview
from aejax.cli.process.exit_codes import BAD_INPUT, CLOSED_PIPE, DONE
from aejax.cli.process.output import (
    discard_output,
    flush_output,
    print_error,
    replace_unencodable,
)

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
            words = list(sys.argv[1:] if arguments is None else arguments)
            return DONE if _print_overview(words) else _run(words)
        finally:
            flush_output()
    except BrokenPipeError:
        discard_output()
        return CLOSED_PIPE
    except OSError as error:  # e.g. a full disk
        discard_output()
        print_error(f"standard output cannot be written to: {error}")
        return BAD_INPUT
    except SystemExit as stop:
        if not stop.code:
            raise
        return CLOSED_PIPE  # rich raises SystemExit if the pipe is closed


def _run(arguments: Sequence[str]) -> int:
    from aejax.cli.execution import run  # imports JAX

    return run(arguments)


def _print_overview(arguments: Sequence[str]) -> bool:
    """Print the version or the list of commands if the command line asks for it."""
    arguments = [each for each in arguments if each not in PROCESS_OPTIONS]
    if arguments[:1] == ["--version"]:
        print("aejax", metadata.version("aejax"))
        return True
    group = " ".join(arguments[:1]) + " "
    listed = {name: each.summary for name, each in COMMANDS.items() if name.startswith(group)}
    if len(arguments) == 1 and listed:
        print(overview(listed, DESCRIPTION), end="")
    elif not arguments or arguments[0] in {"-h", "--help"}:
        print(
            overview({name: each.summary for name, each in COMMANDS.items()}, DESCRIPTION), end=""
        )
    else:
        return False
    return True
