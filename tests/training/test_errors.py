"""Memory of programs and devices, and the out-of-memory messages."""

from types import SimpleNamespace
from unittest.mock import Mock

import jax
import pytest

from aejax.training import OutOfMemoryError
from aejax.training.errors import _memory_of, _needed_bytes, _needs, explain_runtime_errors

GIB = 2**30


def program(**sizes: int) -> Mock:
    """Mock of a compiled program with these memory estimates; without sizes, it has none."""
    names = {f"{name}_size_in_bytes": size for name, size in sizes.items()}
    estimate = SimpleNamespace(**names) if sizes else None
    return Mock(spec=jax.stages.Compiled, memory_analysis=lambda: estimate)


def test_needed_bytes_are_temporary_memory_plus_output():
    assert _needed_bytes(program(temp=5, output=7, argument=100)) == 12


def test_programs_without_memory_estimate_need_and_report_nothing():
    assert _needed_bytes(program()) == 0
    assert _needs(program()) == ""


def test_the_message_states_the_memory_of_step_and_data_in_gib():
    needing = program(temp=3 * GIB, argument=GIB // 2)
    expected = r"about 3 GiB, beside 0\.5 GiB"
    with (
        pytest.raises(OutOfMemoryError, match=expected),
        explain_runtime_errors(needing, batch_size=8),
    ):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")


def device(platform: str, stats: dict | None) -> SimpleNamespace:
    return SimpleNamespace(platform=platform, memory_stats=lambda: stats)


def test_device_memory_is_its_reported_limit():
    assert _memory_of(device("gpu", {"bytes_limit": 7})) == 7
    assert _memory_of(device("cpu", {"bytes_limit": 9})) == 9
    assert _memory_of(device("gpu", None)) is None
    assert _memory_of(device("gpu", {})) is None


def test_cpu_memory_is_that_of_the_machine():
    with open("/proc/meminfo", encoding="ascii") as file:
        (total,) = (int(line.split()[1]) for line in file if line.startswith("MemTotal:"))
    assert _memory_of(device("cpu", None)) == total * 1024
