"""Time of an epoch of the recipes with a 30-dimensional code, and FLOP/s relative to NumPy's.

60 000 random images of the size of MNIST digits, with augmentation resampled at every step, Muon
and mixed precision, as `aejax train --recipe` trains them. Part of an epoch is timed, and the time
of an epoch is extrapolated. *share* is the FLOP/s in the layers' matrix products divided by that of
a float32 matrix product in NumPy, which is measured in the same rounds. A row takes
6 (P_e + (2T + 1) P_d) FLOP, for P_e parameters of the encoder, P_d of the decoder and T refinement
steps, each a forward and a backward pass of the decoder. The share may exceed 1 on a CPU with
bfloat16 instructions (AMX).

Command:  python -m benchmarks.recipes
Run time: two minutes on two idle cores.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import jax
import numpy as np
import tyro

from aejax.runs.builders import make_optimizer, make_trained_objective
from aejax.runs.configuration import Training
from aejax.runs.recipes import RECIPES, RecipeName
from benchmarks.epochs import one_scan
from benchmarks.interleaved import interleaved, record


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    recipes: tuple[RecipeName, ...] = ("thirty-numbers", "refined")
    """names of the timed recipes"""
    side: int = 28
    """side length of the square images in pixels"""
    epoch: int = 60_000
    """number of examples in an epoch"""
    rows: int = 4096
    """number of timed examples, a multiple of the batch size"""
    rounds: int = 5
    """timed rounds"""


QUICK = Config(recipes=("thirty-numbers",), rows=512, rounds=1)


def measure(config: Config) -> dict[str, Any]:
    """Seconds of the timed part and of an epoch, and share of NumPy's FLOP/s, by recipe."""
    x = np.random.default_rng(0).uniform(size=(config.rows, config.side**2)).astype(np.float32)
    left, right = x[:1024], np.ones((x.shape[1], 1000), np.float32)
    settings = {name: RECIPES[name].training for name in config.recipes}
    variants = {name: _epoch(training, x, config.side) for name, training in settings.items()}
    timed = interleaved(variants | {"product": lambda: left @ right}, rounds=config.rounds)
    rate = 2 * left.size * right.shape[1] / timed.pop("product")["median"]
    for name, each in timed.items():
        speed = config.rows / each["median"]
        each |= {
            "seconds an epoch": round(config.epoch / speed, 1),
            "share": round(operations(settings[name]) * speed / rate, 3),
        }
    return {f"{config.epoch} digits": timed}


def operations(training: Training) -> int:
    """Floating-point operations (FLOP) in matrix products per row and step."""
    encoder, decoder = (
        sum(inputs * outputs for inputs, outputs in pairwise(sizes))
        for sizes in (training.sizes, training.decoder_sizes or training.sizes)
    )
    return 6 * (encoder + (2 * training.refinement_steps + 1) * decoder)


def _epoch(training: Training, x: np.ndarray, side: int) -> Callable[[], Any]:
    objective = make_trained_objective(training, (side, side))
    optimizer = make_optimizer(training, 1000)
    return one_scan(objective, optimizer, jax.numpy.asarray(x), training.batch_size)


def main(config: Config = Config()) -> None:
    """Run the benchmark, write its results and print them."""
    found = measure(config)
    record("recipes", asdict(config), found)
    for variants in found.values():
        for name, each in variants.items():
            print(name, each["seconds an epoch"], "s an epoch, share", each["share"])


if __name__ == "__main__":
    tyro.cli(main)
