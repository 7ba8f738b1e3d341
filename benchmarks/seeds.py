"""Ten seeds in one vmapped program, compared with ten training runs one after another.

Three variants train the same ten models: `training.fit` ten times; end-to-end training as one
`lax.scan`, compiled once and called ten times; and one program that is vmapped over the seeds. The
seconds of the first call include the compilation.

Command:  python -m benchmarks.seeds
Run time: two minutes on one idle core.
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
    """Settings of the benchmark."""

    sizes: tuple[int, ...] = (64, 16)
    """number of features of the digits, number of code units"""
    seeds: int = 10
    """number of training runs"""
    epochs: int = 50
    """epochs over the 1438 digits"""
    batch_size: int = 32
    """batch size"""
    repeats: int = 3
    """calls after the first; their median is recorded"""


def measure(config: Config) -> dict[str, Any]:
    """Seconds of the first and later calls of each variant, and ratios to the vmapped program.

    Args:
        config: settings of the benchmark.

    Returns:
        Wall-clock and CPU seconds, and the ratios of both.

    Raises:
        AssertionError: if the three variants end with different parameters.
    """
    digits = data.digits()
    data_ = Batch(jnp.asarray(digits.x_train.reshape(-1, 64) / 16, jnp.float32))
    objective = aejax.objective(
        aejax.dense(config.sizes), losses.bernoulli, corruption=corruptions.masking(rate=0.25)
    )
    optimizer = optax.adam(1e-2)
    settings = {"epochs": config.epochs, "batch_size": config.batch_size}
    train = partial(training.train, objective, optimizer, **settings)
    one, many = (jax.jit(variant) for variant in (train, jax.vmap(train, (None, 0))))
    keys = jax.random.split(jax.random.key(0), config.seeds)
    variants = {
        "fit, one after another": lambda: [
            training.fit(objective, optimizer, data_, key=key, **settings)[0] for key in keys
        ],
        "compiled once, one after another": lambda: [one(data_, key)[0] for key in keys],
        "vmapped": lambda: many(data_, keys)[0],
    }
    ends, first = zip(*(_timed(variant) for variant in variants.values()), strict=True)
    _check_same(ends)
    rounds = [[_timed(variant)[1] for variant in variants.values()] for _ in range(config.repeats)]
    later = [np.median(calls, axis=0) for calls in zip(*rounds, strict=True)]
    return {
        clock: {
            "first call": _against_vmapped(variants, [seconds[i] for seconds in first]),
            "later calls": _against_vmapped(variants, [seconds[i] for seconds in later]),
        }
        for i, clock in enumerate(("wall clock", "processor time"))
    }


def main(config: Config = Config()) -> None:
    """Run the benchmark, write its results and print them."""
    record = {
        "config": asdict(config),
        "environment": environment(),
        "seconds": measure(config),
    }
    text = json.dumps(record, indent=1) + "\n"
    write_text(RESULTS, text)
    print(text)


def _timed(variant: Callable[[], Any]) -> tuple[Any, tuple[float, float]]:
    wall, processor = time.perf_counter(), time.process_time()
    end = jax.block_until_ready(variant())
    return end, (time.perf_counter() - wall, time.process_time() - processor)


def _check_same(ends: tuple[Any, ...]) -> None:
    """Raise unless all variants end with the same parameters up to rounding."""
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
