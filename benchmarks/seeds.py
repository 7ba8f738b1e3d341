"""Ten seeds in one vmapped program against ten trainings one after another.

Three ways to the same ten models: `training.fit` ten times; one whole training compiled and called
ten times; and one program in which the seeds are vmapped. The seconds of the first call hold the
compilation; those of later calls do not.

Command:  python -m benchmarks.seeds
Run time: two minutes on one quiet core.
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import aejax
from aejax import Batch, corruptions, data, losses, training
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment

RESULTS = Path(__file__).parent / "results" / "seeds.json"


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    sizes: tuple[int, ...] = (64, 16)
    """features of the digits and units of the code"""
    seeds: int = 10
    """trainings"""
    epochs: int = 50
    """passes over the 1438 digits"""
    batch_size: int = 32
    """examples a step"""
    repeats: int = 3
    """calls after the first, of which the median counts"""


def measure(config: Config) -> dict[str, Any]:
    """Seconds of each way, first call and later ones, and their ratios to the vmapped program.

    Args:
        config: what is trained.

    Returns:
        Seconds by wall clock and of processor time, and the ratios of both.

    Raises:
        AssertionError: where the three ways do not end in the same parameters.
    """
    digits = data.digits()
    data_ = Batch(jnp.asarray(digits.x_train.reshape(-1, 64) / 16, jnp.float32))
    objective = aejax.objective(
        aejax.dense(config.sizes), losses.bernoulli, corruption=corruptions.masking(rate=0.25)
    )
    optimizer = optax.adam(1e-2)
    settings = {"epochs": config.epochs, "batch_size": config.batch_size}
    train = partial(training.train, objective, optimizer, **settings)
    one, many = (jax.jit(way) for way in (train, jax.vmap(train, (None, 0))))
    keys = jax.random.split(jax.random.key(0), config.seeds)
    ways = {
        "fit, one after another": lambda: [
            training.fit(objective, optimizer, data_, key=key, **settings)[0] for key in keys
        ],
        "compiled once, one after another": lambda: [one(data_, key)[0] for key in keys],
        "vmapped": lambda: many(data_, keys)[0],
    }
    ends, first = zip(*(_timed(way) for way in ways.values()), strict=True)
    _check_same(ends)
    rounds = [[_timed(way)[1] for way in ways.values()] for _ in range(config.repeats)]
    later = [np.median(calls, axis=0) for calls in zip(*rounds, strict=True)]
    return {
        clock: {
            "first call": _against_vmapped(ways, [seconds[i] for seconds in first]),
            "later calls": _against_vmapped(ways, [seconds[i] for seconds in later]),
        }
        for i, clock in enumerate(("wall clock", "processor time"))
    }


def main(config: Config = Config()) -> None:
    """Measure, write and print."""
    record = {
        "config": asdict(config),
        "environment": environment(),
        "seconds": measure(config),
    }
    text = json.dumps(record, indent=1) + "\n"
    write_text(RESULTS, text)
    print(text)


def _timed(way: Callable[[], Any]) -> tuple[Any, tuple[float, float]]:
    wall, processor = time.perf_counter(), time.process_time()
    end = jax.block_until_ready(way())
    return end, (time.perf_counter() - wall, time.process_time() - processor)


def _check_same(ends: tuple[Any, ...]) -> None:
    """All ways end in the same parameters, to rounding."""
    kernels = []
    for end in ends:
        states = end if isinstance(end, list) else [end]
        leaves = [np.asarray(state.params["encoder"]["layer_0"]["kernel"]) for state in states]
        kernels.append(np.stack(leaves) if isinstance(end, list) else leaves[0])
    for kernel in kernels[1:]:
        np.testing.assert_allclose(kernel, kernels[0], atol=1e-2)


def _against_vmapped(names: Iterable[str], seconds: list[float]) -> dict[str, dict[str, float]]:
    return {
        name: {"seconds": round(float(value), 3), "ratio": round(float(value / seconds[-1]), 2)}
        for name, value in zip(names, seconds, strict=True)
    }


if __name__ == "__main__":
    tyro.cli(main)
