"""The first step of a training, which compiles it: without kept programs, and with them.

784-1000-500-250-30 and its mirror, Adam, 128 rows, each in a process of its own, from the call to
its end, imports left out: aejax's step, and PyTorch's compiled step, each with an empty cache of
compiled programs and with the one that the first process left.

Command:  python -m benchmarks.compile_time
Run time: two minutes on two quiet cores.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.interleaved import record


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """units of the encoder's layers; the decoder mirrors them"""
    batch_size: int = 128
    """examples of the step"""
    rounds: int = 3
    """processes of each way"""
    compiled: bool = True
    """torch.compile too, which needs a C++ compiler"""


QUICK = Config(sizes=(16, 8), batch_size=4, rounds=1, compiled=False)


def measure(config: Config) -> dict[str, Any]:
    """By way: seconds of its first step, and ratios to the first way's."""
    names = ["aejax", *["PyTorch"] * config.compiled]
    rows = [
        {
            f"{name}, {cache}": seconds
            for name in names
            for cache, seconds in _twice(name, config).items()
        }
        for _ in range(config.rounds)
    ]
    times = {way: np.array([row[way] for row in rows]) for way in rows[0]}
    (first, *_) = times.values()
    return {
        way: {
            "first": float(f"{mine[0]:.4g}"),
            **{
                what: float(f"{function(mine):.4g}")
                for what, function in (("median", np.median), ("least", min), ("greatest", max))
            },
            "ratio": [round(float(q), 3) for q in np.quantile(first / mine, [0.5, 0.25, 0.75])],
        }
        for way, mine in times.items()
    }


def aejax_step(config: Config) -> Callable[[], Any]:
    """A first step of aejax's, with every program kept."""
    import jax
    import optax

    import aejax
    from aejax import Batch, losses, training

    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    objective, optimizer = (
        aejax.objective(aejax.dense(config.sizes), losses.squared),
        optax.adam(1e-3),
    )
    state = training.init_state(objective, optimizer, jax.random.key(0))
    batch = Batch(jax.numpy.ones((config.batch_size, config.sizes[0])))
    step = jax.jit(lambda state, batch: training.step(objective, optimizer, state, batch))
    return lambda: jax.block_until_ready(step(state, batch))


def pytorch_step(config: Config) -> Callable[[], Any]:
    """A first step of PyTorch's."""
    import torch

    widths = [*config.sizes, *config.sizes[-2::-1]]
    layers = [torch.nn.Linear(*pair) for pair in pairwise(widths)]
    parts = [part for layer in layers for part in (layer, torch.nn.Sigmoid())]
    model = torch.nn.Sequential(*parts[:-1])
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    forward, batch = torch.compile(model), torch.ones(config.batch_size, config.sizes[0])

    def step() -> None:
        (forward(batch) - batch).square().sum(dim=1).mean().backward()
        optimizer.step()

    return step


STEPS = {"aejax": aejax_step, "PyTorch": pytorch_step}


def main(config: Config = Config()) -> None:
    """Measure, write and print."""
    found = measure(config)
    peers = ("torch",) if config.compiled else ()
    record("compile_time", asdict(config), {"first step": found}, peers=peers)
    for name, each in found.items():
        print(name, each["median"], "s", each["ratio"])


def _twice(name: str, config: Config) -> Mapping[str, float]:
    """Seconds of a process with an empty cache, and of the next one."""
    with tempfile.TemporaryDirectory() as folder:
        caches = {"JAX_COMPILATION_CACHE_DIR": folder, "TORCHINDUCTOR_CACHE_DIR": folder}
        words = json.dumps([name, asdict(config)])
        code = f"from benchmarks.compile_time import child; child({words!r})"
        process = [sys.executable, "-c", code]
        return {
            cache: float(
                subprocess.run(
                    process,
                    check=True,
                    capture_output=True,
                    text=True,
                    env=os.environ | caches,
                    cwd=Path(__file__).parents[1],
                ).stdout
            )
            for cache in ("nothing kept", "programs kept")
        }


def child(words: str) -> None:
    """In a process of its own: print the seconds of a first step."""
    name, config = json.loads(words)
    step = STEPS[name](Config(**config))
    begin = time.perf_counter()
    step()
    print(time.perf_counter() - begin)


if __name__ == "__main__":
    tyro.cli(main)
