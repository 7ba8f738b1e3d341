"""Compiled programs are cached for all tests of this folder, as for those of the commands."""

from tests.cli.conftest import compiled_once as compiled_once
