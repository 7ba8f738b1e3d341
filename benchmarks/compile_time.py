"""Time of the first training step, with an empty and with a filled compilation cache.

An autoencoder 784-1000-500-250-30 (decoder reversed), Adam, batch size 128. The first call of
aejax's step and of PyTorch's compiled step, excluding imports, each in a new process: with an empty
persistent compilation cache, and with the cache that the first process has written.

Command:  python -m benchmarks.compile_time
Run time: two minutes on two idle cores.
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
    """Settings of the benchmark."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """layer widths of the encoder, the input first; the decoder has them in reverse"""
    batch_size: int = 128
    """batch size"""
    rounds: int = 3
    """processes of each variant"""
    compiled: bool = True
    """whether torch.compile, which needs a C++ compiler, is measured too"""


QUICK = Config(sizes=(16, 8), batch_size=4, rounds=1, compiled=False)


def measure(config: Config) -> dict[str, Any]:
    """Seconds of the first step by variant, and ratios to the first variant."""
    names = ["aejax", *["PyTorch"] * config.compiled]
    rows = [
        {
            f"{name}, {cache}": seconds
            for name in names
            for cache, seconds in _time_both_caches(name, config).items()
        }
        for _ in range(config.rounds)
    ]
    times = {variant: np.array([row[variant] for row in rows]) for variant in rows[0]}
    (first, *_) = times.values()
    return {
        variant: {
            "first": float(f"{mine[0]:.4g}"),
            **{
                statistic: float(f"{function(mine):.4g}")
                for statistic, function in (
                    ("median", np.median),
                    ("least", min),
                    ("greatest", max),
                )
            },
            "ratio": [round(float(q), 3) for q in np.quantile(first / mine, [0.5, 0.25, 0.75])],
        }
        for variant, mine in times.items()
    }


def aejax_step(config: Config) -> Callable[[], Any]:
    """Make the first step of aejax; every compiled program is cached."""
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
    """Make the first step of PyTorch."""
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
    """Run the benchmark, write its results and print them."""
    found = measure(config)
    peers = ("torch",) if config.compiled else ()
    record("compile_time", asdict(config), {"first step": found}, peers=peers)
    for name, each in found.items():
        print(name, each["median"], "s", each["ratio"])


def _time_both_caches(name: str, config: Config) -> Mapping[str, float]:
    """Seconds of a process with an empty cache, and of a second one with the cache of the first."""
    with tempfile.TemporaryDirectory() as folder:
        caches = {"JAX_COMPILATION_CACHE_DIR": folder, "TORCHINDUCTOR_CACHE_DIR": folder}
        arguments = json.dumps([name, asdict(config)])
        code = f"from benchmarks.compile_time import child; child({arguments!r})"
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


def child(arguments: str) -> None:
    """Print the seconds of a first step; runs in a separate process."""
    name, config = json.loads(arguments)
    step = STEPS[name](Config(**config))
    begin = time.perf_counter()
    step()
    print(time.perf_counter() - begin)


if __name__ == "__main__":
    tyro.cli(main)
