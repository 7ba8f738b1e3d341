"""The command line: where files, progress and pictures live, so that the library needs none."""

from aejax.cli.main import main as main
