"""Results of the eight virtual devices, shared by the tests of placements and of divided data."""

import pytest

from tests.eight_virtual_devices import on_eight_devices

MODULE = "tests.sharding.eight_devices"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Folder in which the eight devices save their checkpoint."""
    return tmp_path_factory.mktemp("eight") / "checkpoints"


@pytest.fixture(scope="session")
def eight(folder):
    return on_eight_devices(MODULE, folder)


@pytest.fixture(scope="session")
def every(tmp_path_factory):
    return on_eight_devices(MODULE, tmp_path_factory.mktemp("every"), "--every")
