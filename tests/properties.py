"""Property tests: a few fixed examples in the default suite, many random ones in `make search`."""

import os
from collections.abc import Callable

import hypothesis
import pytest

FACTOR = int(os.environ.get("AEJAX_SEARCH", "0"))
"""Multiple of the default number of examples in a search; 0 outside of a search."""


def property_test(examples: int) -> Callable[[Callable], Callable]:
    """Mark a hypothesis test as part of the search.

    Args:
        examples: number of examples in the default suite, which are the same in every run.

    Returns:
        A decorator to apply outside of `given`.
    """
    settings = hypothesis.settings(
        max_examples=examples * max(FACTOR, 1),
        deadline=None,
        derandomize=not FACTOR,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    return lambda test: pytest.mark.search(settings(test))
