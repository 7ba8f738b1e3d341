"""How a training fails, said in its own words instead of XLA's."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax

from aejax.training.ahead_of_time import Compiled, memory_analysis


class NonFiniteLossError(FloatingPointError):
    """The loss or the parameters stopped being finite; step, epoch and terms say where."""

    def __init__(self, step: int, epoch: int, terms: dict[str, float]):
        self.step, self.epoch, self.terms = step, epoch, terms
        listed = ", ".join(f"{name} = {value:g}" for name, value in terms.items())
        super().__init__(
            f"not finite at step {step} (epoch {epoch}): {listed}; "
            "lower the learning rate or clip the gradient (optax.clip_by_global_norm)"
        )


class LostProcessError(ConnectionError):
    """Another process of the same training is gone, and with it its share of every batch."""


class OutOfMemoryError(MemoryError):
    """The device has not the memory that a step needs; the message says how much that is."""


@contextmanager
def explain_runtime_errors(program: Compiled, batch_size: int) -> Iterator[None]:
    """An error of a compiled program's run becomes one that says what to do.

    Args:
        program: what is run.
        batch_size: examples a step.

    Raises:
        OutOfMemoryError: with the batch size, and an estimate of what the program needs.
        LostProcessError: where there are several processes, and one of the others failed.
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
            f"process {jax.process_index()} of {jax.process_count()} lost another one: start all "
            "of them again from the last checkpoint"
        ) from error


def check_memory(programs: Sequence[Compiled], devices: Sequence[Any], advice: str) -> None:
    """Refuse compiled programs that run at the same time and want more memory than there is.

    Args:
        programs: compiled, with their arguments in place.
        devices: which of them runs each program.
        advice: what to do about it.

    Raises:
        OutOfMemoryError: with what is needed and what there is. Where the platform estimates
            nothing or tells no limit, nothing is refused.
    """
    needs = {program: _needed_bytes(program) for program in set(programs)}
    for device in set(devices):
        runs = zip(programs, devices, strict=True)
        needed = sum(needs[program] for program, where in runs if where == device)
        there = _memory_of(device)
        if there is not None and needed > there:
            raise OutOfMemoryError(
                f"out of memory: {needed / 2**30:.3g} GiB are needed beside the data, and {device} "
                f"has {there / 2**30:.3g} GiB; {advice}"
            )


def _needed_bytes(program: Compiled) -> int:
    memory = memory_analysis(program)
    return 0 if memory is None else memory.temp_size_in_bytes + memory.output_size_in_bytes


def _memory_of(device: Any) -> int | None:
    """Bytes in all: of the device where it tells, of the machine for a processor."""
    limit = (device.memory_stats() or {}).get("bytes_limit")
    if limit is None and device.platform == "cpu" and hasattr(os, "sysconf"):
        limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return limit


def _needs(program: Compiled) -> str:
    """XLA's estimate, where the platform has one."""
    memory = memory_analysis(program)
    if memory is None:
        return ""
    step, rest = memory.temp_size_in_bytes / 2**30, memory.argument_size_in_bytes / 2**30
    return f": a step needs about {step:.3g} GiB, beside {rest:.3g} GiB of state and data"
