"""Every test runs with aejax's annotated shapes checked, and warnings as errors."""

from pathlib import Path

import hypothesis
import jax
import pytest
from jaxtyping import install_import_hook

import tests.typecheck  # noqa: F401  (the hook below finds it by name)

hypothesis.settings.register_profile("aejax", deadline=None)  # a first call compiles
hypothesis.settings.load_profile("aejax")
install_import_hook("aejax", "tests.typecheck.typecheck")


@pytest.fixture
def x64():
    """Float64 for one test, as a caller would choose it."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data sets beside the checkout; tests that need one skip where it is missing."""
    return Path(__file__).parents[2] / "shared" / "data"
