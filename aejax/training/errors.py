"""Training errors with actionable messages in place of XLA's."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax

from aejax.training.ahead_of_time import Compiled, memory_analysis


class NonFiniteLossError(FloatingPointError):
    """The loss or the parameters became NaN or infinite, at a given step and epoch."""

    def __init__(self, step: int, epoch: int, terms: dict[str, float]):
        self.step, self.epoch, self.terms = step, epoch, terms
        listed = ", ".join(f"{name} = {value:g}" for name, value in terms.items())
        self.finding = f"not finite at step {step} (epoch {epoch}): {listed}"
        super().__init__(
            f"{self.finding}; lower the learning rate or clip the gradient "
            "(optax.clip_by_global_norm)"
        )


class LostProcessError(ConnectionError):
    """Another process of the training run failed, so its share of each batch is lost."""


class OutOfMemoryError(MemoryError):
    """The device has less memory than a step needs."""


@contextmanager
def explain_runtime_errors(program: Compiled, batch_size: int) -> Iterator[None]:
    """Replace XLA errors of a compiled program by errors that state what to do.

    Args:
        program: the running program.
        batch_size: number of examples per step.

    Raises:
        OutOfMemoryError: if memory is exhausted; it states the estimated need.
        LostProcessError: if one of several processes failed.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" in str(error):
            raise OutOfMemoryError(
                f"out of memory with a batch size of {batch_size}{_needs(program)}; lower the "
                "batch size, or accumulate the gradient (training.accumulated)"
            ) from error
        if jax.process_count() == 1:
            raise
        raise LostProcessError(
            f"process {jax.process_index()} of {jax.process_count()} lost another process: restart "
            "all of them from the last checkpoint"
        ) from error


def check_memory(programs: Sequence[Compiled], devices: Sequence[Any], advice: str) -> None:
    """Check that programs that run concurrently fit into the memory of their devices.

    Args:
        programs: compiled programs, whose arguments are already on the devices.
        devices: device of each program.
        advice: advice for the error message.

    Raises:
        OutOfMemoryError: if a device has less memory than needed. Platforms without an estimate or
            a limit are not checked.
    """
    needs = {program: _needed_bytes(program) for program in set(programs)}
    for device in set(devices):
        runs = zip(programs, devices, strict=True)
        needed = sum(needs[program] for program, where in runs if where == device)
        available = _memory_of(device)
        if available is not None and needed > available:
            raise OutOfMemoryError(
                f"out of memory: {needed / 2**30:.3g} GiB are needed in addition to the data, and "
                f"{device} has {available / 2**30:.3g} GiB; {advice}"
            )


def _needed_bytes(program: Compiled) -> int:
    memory = memory_analysis(program)
    return 0 if memory is None else memory.temp_size_in_bytes + memory.output_size_in_bytes


def _memory_of(device: Any) -> int | None:
    """Total memory in bytes of an accelerator, or of the machine for a CPU; None if unknown."""
    limit = (device.memory_stats() or {}).get("bytes_limit")
    if limit is None and device.platform == "cpu" and hasattr(os, "sysconf"):
        limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return limit


def _needs(program: Compiled) -> str:
    """XLA's memory estimate as part of a message; empty if the platform has none."""
    memory = memory_analysis(program)
    if memory is None:
        return ""
    step, rest = memory.temp_size_in_bytes / 2**30, memory.argument_size_in_bytes / 2**30
    return f": a step needs about {step:.3g} GiB, beside {rest:.3g} GiB of state and data"
