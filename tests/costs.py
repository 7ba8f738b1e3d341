"""CPU seconds of one case of each test function: `python -m tests.costs [PATH …]`.

Runs the first case of each function of the paths (default: all tests) and updates
`tests/costs.json`, from which `tests.selection` chooses the default suite. The time of a fixture
that the tests of a file share is divided among its functions. An interrupted command has stored
the costs of the tests that have ended.
"""

import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Generator
from typing import Any

import pytest

from tests.selection import RECORD, first_cases, function_name


def cpu_seconds() -> float:
    """CPU seconds of this process and its finished children."""
    return sum(os.times()[:4])


class Recorder:
    """Pytest plugin that runs one case of each function and records its cost."""

    def __init__(self) -> None:
        self.own: dict[str, float] = {}
        self.fixtures: dict[tuple[str, str], float] = {}
        self.users: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.shared = 0.0

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        """Keep the first case of each function, and note the fixtures that it shares."""
        kept = first_cases(items)
        for name, item in kept.items():
            file = name.partition("::")[0]
            definitions = item._fixtureinfo.name2fixturedefs.values()
            shared = [some[-1] for some in definitions if some[-1].scope == "module"]
            self.users[name] = [(file, fixture.argname) for fixture in shared]
        items[:] = kept.values()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator:
        """Measure a fixture that tests share."""
        begin = cpu_seconds()
        result = yield
        if fixturedef.scope != "function":
            seconds = cpu_seconds() - begin
            self.fixtures[request.node.nodeid.partition("::")[0], fixturedef.argname] = seconds
            self.shared += seconds
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator:
        """Measure a test without the fixtures that it shares, and store what is known."""
        self.shared, begin = 0.0, cpu_seconds()
        outcome = yield
        self.own[function_name(item)] = cpu_seconds() - begin - self.shared
        self.store()
        return outcome

    def store(self) -> None:
        """Update the record with all functions measured so far."""
        count = Counter(fixture for fixtures in self.users.values() for fixture in fixtures)
        record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
        for name, own in self.own.items():
            shared = sum(self.fixtures.get(each, 0.0) / count[each] for each in self.users[name])
            record[name] = round(own + shared, 1)
        text = json.dumps(dict(sorted(record.items())), indent=0, ensure_ascii=False)
        RECORD.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(pytest.main(sys.argv[1:] or ["tests"], [Recorder()]))
