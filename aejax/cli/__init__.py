"""Command-line interface. Nothing else in the package imports it."""

from aejax.cli.main import main as main
