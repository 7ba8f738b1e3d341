"""Where the time of an epoch goes: its kernels, by the time that they take.

The trainings of `benchmarks.accelerator`, and on a processor those of `benchmarks.convolution`, one
epoch of each in JAX's profiler. A kernel's share is of the time that all kernels took together;
*busy* is that time by the epoch's, measured without the profiler: on a GPU, what is missing to one
the device waited. On a processor it is the time of several threads, but not of those that YNNPACK's
products have of their own.

Command:  python -m benchmarks.kernels cpu, or cuda
Run time: half a minute on two quiet cores; on a GPU not known, for it has not run on one yet.
"""

import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import aejax
from aejax import losses
from benchmarks import convolution
from benchmarks.accelerator import PRECISIONS
from benchmarks.epochs import one_scan
from benchmarks.interleaved import record


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    name: str
    """of the file of results"""
    models: tuple[tuple[int, ...], ...]
    """units of the encoders' layers; the decoders mirror them"""
    rows: int
    """examples of an epoch"""
    batch_sizes: tuple[int, ...]
    """examples a step"""
    precisions: tuple[str, ...] = ("float32", "bfloat16")
    """`benchmarks.accelerator`'s names"""
    images: convolution.Config | None = None
    """a convolutional autoencoder's too"""
    kernels: int = 8
    """that are told"""


DEEP = (784, 1000, 500, 250, 30)
CPU = Config("kernels", (DEEP,), 8192, (128, 1024, 4096), images=convolution.Config())
CUDA = Config("kernels_cuda", (DEEP, (4096, 65536)), 16_384, (1024, 8192))
QUICK = Config("kernels", ((16, 8),), 64, (32,), ("float32",), convolution.QUICK)


def measure(config: Config) -> dict[str, Any]:
    """By model, batch and precision: seconds of an epoch, its kernels and how busy they keep it."""
    found = {}
    for sizes in config.models:
        x = np.random.default_rng(0).uniform(size=(config.rows, sizes[0])).astype(np.float32)
        model = aejax.dense(sizes, code_activation=jax.nn.identity)
        for batch_size in config.batch_sizes:
            for precision in config.precisions:
                few_bits = precision == "bfloat16"
                objective = aejax.objective(
                    aejax.mixed_precision(model) if few_bits else model, losses.squared
                )
                run = one_scan(objective, optax.adam(1e-3), jnp.asarray(x), batch_size)
                with jax.default_matmul_precision(PRECISIONS[precision]):
                    case = f"{'-'.join(map(str, sizes))}, batch {batch_size}, {precision}"
                    found[case] = _profiled(run, config.kernels)
    for side in config.images.sides if config.images else ():
        run = convolution.scan_epoch(config.images, convolution.images(config.images, side))
        found[f"convolutional, {side} × {side}"] = _profiled(run, config.kernels)
    return found


def main(config: Config) -> None:
    """Measure, write and print."""
    found = measure(config)
    record(config.name, asdict(config), found)
    for case, each in found.items():
        print(case, each["seconds"], "s, busy", each["busy"])
        for kernel in each["kernels"]:
            print("   ", kernel["share"], kernel["calls"], kernel["name"])


def _profiled(run: Callable[[], Any], count: int) -> dict[str, Any]:
    run()
    begin = time.perf_counter()
    run()
    seconds = time.perf_counter() - begin
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            run()
        (trace,) = Path(folder).rglob("*.xplane.pb")
        taken, calls = _events(jax.profiler.ProfileData.from_file(str(trace)))
    # What runs kernels, and waits for them, is none.
    taken = Counter({name: spent for name, spent in taken.items() if "::" not in name})
    together = sum(taken.values())
    return {
        "seconds": float(f"{seconds:.4g}"),
        "busy": round(together / seconds, 3),
        "kernels": [
            {"name": name, "calls": calls[name], "share": round(spent / together, 3)}
            for name, spent in taken.most_common(count)
        ],
    }


def _events(profile: Any) -> tuple[Counter[str], Counter[str]]:
    """Seconds and calls by kernel: of a device's streams, or of the threads of a processor."""
    device = [plane for plane in profile.planes if plane.name.startswith("/device:")]
    threads = [plane for plane in profile.planes if plane.name.startswith("/host:CPU")]
    named = "Stream" if device else "tf_XLA"
    taken, calls = Counter[str](), Counter[str]()
    for plane in device or threads:
        for line in plane.lines:
            if line.name.startswith(named):
                _add_line(list(line.events), taken, calls)
    return taken, calls


def _add_line(events: list[Any], taken: Counter[str], calls: Counter[str]) -> None:
    """What ran on one stream or thread; of an event that holds others, what they leave."""
    holding: list[Any] = []
    for event in sorted(events, key=lambda event: (event.start_ns, -event.end_ns)):
        while holding and holding[-1].end_ns <= event.start_ns:
            holding.pop()
        if holding:
            taken[_kernel(holding[-1])] -= event.duration_ns / 1e9
        taken[_kernel(event)] += event.duration_ns / 1e9
        calls[_kernel(event)] += 1
        holding.append(event)


def _kernel(event: Any) -> str:
    """Its name without the number that tells it from its likes."""
    return re.sub(r"[._]\d+$", "", event.name)


if __name__ == "__main__":
    main(
        tyro.extras.overridable_config_cli(
            {"cpu": ("a processor's", CPU), "cuda": ("a GPU's", CUDA)}
        )
    )
