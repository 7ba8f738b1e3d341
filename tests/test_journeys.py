"""The journeys of new users are ten, and some of them are in the default suite."""

import re
from pathlib import Path

JOURNEYS = sorted((Path(__file__).parent / "journeys").glob("test_*.py"))


def test_there_are_ten_journeys_and_each_is_timed():
    texts = [path.read_text(encoding="utf-8") for path in JOURNEYS]
    numbers = [int(text.removeprefix('"""Journey ').partition(":")[0]) for text in texts]
    assert sorted(numbers) == list(range(1, 11))
    for text in texts:
        tests = re.findall(r"^def test_\w+\(([^)]*)\)", text, re.MULTILINE)
        assert tests
        assert all("journey" in arguments for arguments in tests)  # the fixture counts and times


def test_some_journeys_are_in_the_default_suite():
    texts = [path.read_text(encoding="utf-8") for path in JOURNEYS]
    quick = [text for text in texts if text.count("\ndef test_") > text.count("@pytest.mark.slow")]
    assert len(quick) >= 2
