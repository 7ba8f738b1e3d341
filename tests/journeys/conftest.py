"""The fixture `journey`, and the table of times and lines at the end of the session."""

import pytest

from tests.journeys.journey import Journey

LINES, SECONDS = "lines written by the user", "seconds"


@pytest.fixture
def journey(tmp_path, record_property) -> Journey:
    """A user in an empty folder; lines and seconds are recorded at the end."""
    journey = Journey(tmp_path / "work", tmp_path / "home", [], [])
    journey.folder.mkdir()
    journey.home.mkdir()
    yield journey
    record_property(LINES, len(journey.written))
    record_property(SECONDS, sum(journey.seconds))


def pytest_terminal_summary(terminalreporter) -> None:
    """Print the time and the number of lines of each journey."""
    found = [
        (report.nodeid.rpartition("::")[2], dict(report.user_properties))
        for report in terminalreporter.getreports("")  # of set-up and teardown
    ]
    table = [(name, properties) for name, properties in found if SECONDS in properties]
    if table:
        terminalreporter.section("journeys")
    for name, properties in table:
        title = name.removeprefix("test_").replace("_", " ")
        measured = f"{properties[LINES]:4} lines {properties[SECONDS]:6.1f} s"
        terminalreporter.line(f"{measured}  {title}")
