"""How much memory programs need and devices have, and the sentences that say so."""

from types import SimpleNamespace
from unittest.mock import Mock

import jax
import pytest

from aejax.training import OutOfMemoryError
from aejax.training.errors import _memory_of, _needed_bytes, _needs, explain_runtime_errors

GIB = 2**30


def program(**sizes: int) -> Mock:
    """A compiled program, for which XLA estimates these sizes, or nothing where there are none."""
    names = {f"{name}_size_in_bytes": size for name, size in sizes.items()}
    estimate = SimpleNamespace(**names) if sizes else None
    return Mock(spec=jax.stages.Compiled, memory_analysis=lambda: estimate)


def test_a_program_needs_its_temporary_memory_and_its_output():
    assert _needed_bytes(program(temp=5, output=7, argument=100)) == 12


def test_nothing_is_needed_or_said_where_the_platform_estimates_nothing():
    assert _needed_bytes(program()) == 0
    assert _needs(program()) == ""


def test_the_memory_of_a_step_and_of_what_lies_beside_it_are_said_in_gib():
    needing = program(temp=3 * GIB, argument=GIB // 2)
    expected = r"about 3 GiB, beside 0\.5 GiB"
    with (
        pytest.raises(OutOfMemoryError, match=expected),
        explain_runtime_errors(needing, batch_size=8),
    ):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")


def device(platform: str, stats: dict | None) -> SimpleNamespace:
    return SimpleNamespace(platform=platform, memory_stats=lambda: stats)


def test_a_device_has_what_it_says():
    assert _memory_of(device("gpu", {"bytes_limit": 7})) == 7
    assert _memory_of(device("cpu", {"bytes_limit": 9})) == 9
    assert _memory_of(device("gpu", None)) is None
    assert _memory_of(device("gpu", {})) is None


def test_a_cpu_has_the_memory_of_its_machine():
    with open("/proc/meminfo", encoding="ascii") as file:
        (total,) = (int(line.split()[1]) for line in file if line.startswith("MemTotal:"))
    assert _memory_of(device("cpu", None)) == total * 1024
