"""`aejax explore`: interactive web page of a run, served on the loopback interface."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from aejax import runs
from aejax.runs.presentation import shown_with_train

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Explore:
    """Explore a run in a browser: map of codes, units, own images, drawing on inputs.

    Example: aejax explore runs/digits

    Example: aejax explore runs/mine --data new.npy

    The page is served to this machine only, at an address with a random token. Ctrl-C stops it.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """folder of the run"""
    port: int = 0
    """port of the server; 0 selects a free port"""
    data: Path | None = None
    """examples to explore, in the units of the train data: .npy, .npz, .csv, .parquet or IDX file,
    or folder of images; None: the test examples of the data that the run names"""
    checkpoint: int | None = None
    """step of the checkpoint; None: the best checkpoint"""


def explore(command: Explore) -> None:
    """Print the address of the page and serve it until Ctrl-C."""
    try:
        from aejax.cli.explorer.application import application
        from aejax.cli.explorer.serving import listen, server
    except ModuleNotFoundError as error:
        raise ImportError(
            f"aejax explore needs {error.name}, which is not installed: "
            "pip install 'aejax[explore]'"
        ) from error
    from aejax.cli.explorer.explored_run import view

    if not 0 <= command.port < 2**16:
        raise ValueError(f"port must lie in [0, 65535], got {command.port}")
    run = runs.open(command.run, checkpoint=command.checkpoint)
    token = secrets.token_urlsafe(16)
    served = application(view(run, *shown_with_train(run, command.data)), token)
    with listen(LOOPBACK, command.port) as listening:
        print(f"explore: http://{LOOPBACK}:{listening.getsockname()[1]}/{token}/", flush=True)
        with suppress(KeyboardInterrupt):
            server(served).run(sockets=[listening])
