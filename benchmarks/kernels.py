"""Profile of an epoch: its kernels, sorted by their share of the time.

One epoch of each model of `benchmarks.accelerator`, and on a CPU of `benchmarks.convolution`, under
JAX's profiler. *share* is a kernel's fraction of the summed time of all kernels. *busy* is that sum
divided by the time of an epoch without the profiler: on a GPU, a value below one means that the
device was idle. On a CPU the sum covers several threads, but not YNNPACK's own threads.

Command:  python -m benchmarks.kernels cpu, or cuda
Run time: half a minute on two idle cores; unknown on a GPU, where it has not run yet.
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
    """Settings of the benchmark."""

    name: str
    """name of the results file"""
    models: tuple[tuple[int, ...], ...]
    """layer widths of each encoder, the input first; the decoders have them in reverse"""
    rows: int
    """number of examples per epoch"""
    batch_sizes: tuple[int, ...]
    """batch sizes"""
    precisions: tuple[str, ...] = ("float32", "bfloat16")
    """precisions of `benchmarks.accelerator`, by name"""
    images: convolution.Config | None = None
    """settings of the convolutional autoencoder; None measures none"""
    kernels: int = 8
    """number of kernels reported"""


DEEP = (784, 1000, 500, 250, 30)
CPU = Config("kernels", (DEEP,), 8192, (128, 1024, 4096), images=convolution.Config())
CUDA = Config("kernels_cuda", (DEEP, (4096, 65536)), 16_384, (1024, 8192))
QUICK = Config("kernels", ((16, 8),), 64, (32,), ("float32",), convolution.QUICK)


def measure(config: Config) -> dict[str, Any]:
    """Seconds per epoch, busy fraction and main kernels by model, batch size and precision."""
    found = {}
    for sizes in config.models:
        x = np.random.default_rng(0).uniform(size=(config.rows, sizes[0])).astype(np.float32)
        model = aejax.dense(sizes, code_activation=jax.nn.identity)
        for batch_size in config.batch_sizes:
            for precision in config.precisions:
                low_precision = precision == "bfloat16"
                objective = aejax.objective(
                    aejax.mixed_precision(model) if low_precision else model, losses.squared
                )
                run = one_scan(objective, optax.adam(1e-3), jnp.asarray(x), batch_size)
                with jax.default_matmul_precision(PRECISIONS[precision]):
                    case = f"{'-'.join(map(str, sizes))}, batch {batch_size}, {precision}"
                    found[case] = _profile(run, config.kernels)
    for side in config.images.sides if config.images else ():
        run = convolution.scan_epoch(config.images, convolution.images(config.images, side))
        found[f"convolutional, {side} × {side}"] = _profile(run, config.kernels)
    return found


def main(config: Config) -> None:
    """Run the benchmark, write its results and print them."""
    found = measure(config)
    record(config.name, asdict(config), found)
    for case, each in found.items():
        print(case, each["seconds"], "s, busy", each["busy"])
        for kernel in each["kernels"]:
            print("   ", kernel["share"], kernel["calls"], kernel["name"])


def _profile(run: Callable[[], Any], count: int) -> dict[str, Any]:
    run()
    begin = time.perf_counter()
    run()
    seconds = time.perf_counter() - begin
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            run()
        (trace,) = Path(folder).rglob("*.xplane.pb")
        seconds_by_kernel, calls = _events(jax.profiler.ProfileData.from_file(str(trace)))
    # Events that launch kernels or wait for them are not kernels.
    seconds_by_kernel = Counter(
        {name: spent for name, spent in seconds_by_kernel.items() if "::" not in name}
    )
    together = sum(seconds_by_kernel.values())
    return {
        "seconds": float(f"{seconds:.4g}"),
        "busy": round(together / seconds, 3),
        "kernels": [
            {"name": name, "calls": calls[name], "share": round(spent / together, 3)}
            for name, spent in seconds_by_kernel.most_common(count)
        ],
    }


def _events(profile: Any) -> tuple[Counter[str], Counter[str]]:
    """Seconds and calls by kernel, on the streams of a device or the threads of the CPU."""
    device = [plane for plane in profile.planes if plane.name.startswith("/device:")]
    threads = [plane for plane in profile.planes if plane.name.startswith("/host:CPU")]
    named = "Stream" if device else "tf_XLA"
    seconds_by_kernel, calls = Counter[str](), Counter[str]()
    for plane in device or threads:
        for line in plane.lines:
            if line.name.startswith(named):
                _add_line(list(line.events), seconds_by_kernel, calls)
    return seconds_by_kernel, calls


def _add_line(events: list[Any], seconds_by_kernel: Counter[str], calls: Counter[str]) -> None:
    """Add the events of one stream or thread; nested events are subtracted from their parent."""
    parents: list[Any] = []
    for event in sorted(events, key=lambda event: (event.start_ns, -event.end_ns)):
        while parents and parents[-1].end_ns <= event.start_ns:
            parents.pop()
        if parents:
            seconds_by_kernel[_kernel(parents[-1])] -= event.duration_ns / 1e9
        seconds_by_kernel[_kernel(event)] += event.duration_ns / 1e9
        calls[_kernel(event)] += 1
        parents.append(event)


def _kernel(event: Any) -> str:
    """Name of a kernel without its numeric suffix."""
    return re.sub(r"[._]\d+$", "", event.name)


if __name__ == "__main__":
    main(
        tyro.extras.overridable_config_cli(
            {"cpu": ("profile of a CPU", CPU), "cuda": ("profile of a GPU", CUDA)}
        )
    )
