"""Fixtures of all tests, and run-time checks of the shapes that aejax annotates."""

from pathlib import Path

import hypothesis
import jax
import pytest
from jaxtyping import install_import_hook

import tests.typecheck  # noqa: F401  (the import hook finds it by name)
from tests import selection

hypothesis.settings.register_profile("aejax", deadline=None)  # the first call compiles
hypothesis.settings.load_profile("aejax")
install_import_hook("aejax", "tests.typecheck.typecheck")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Reduce a run without paths to the default suite."""
    selection.deselect(config, items)


@pytest.fixture
def x64():
    """Enable float64 for one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data sets next to the checkout; tests are skipped if theirs is missing."""
    return Path(__file__).parents[2] / "shared" / "data"
