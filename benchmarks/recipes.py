"""What an epoch of the recipes for thirty numbers takes, and its share of the machine's rate.

As many digits as MNIST has, of chance, moved anew in every step, by Muon in mixed precision: each
as `aejax train --recipe` trains it. Seconds are those of a part of an epoch; an epoch's follow from
them. The share is of the machine's rate of float32 products in NumPy, measured in the same rounds,
of the operations in products of layers alone, 6 (P_e + (2T + 1) P_d) a row: of P_e parameters of
the encoder and P_d of the decoder, which T steps of refinement use forwards and back before it
decodes, and which all come back for the gradient. It may exceed 1 where bfloat16 has units of its
own.

Command:  python -m benchmarks.recipes
Run time: two minutes on two quiet cores.
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
    """Everything that decides the numbers."""

    recipes: tuple[RecipeName, ...] = ("thirty-numbers", "refined")
    """whose epochs are timed"""
    side: int = 28
    """pixels of a square image's side"""
    epoch: int = 60_000
    """examples of a whole epoch"""
    rows: int = 4096
    """examples that are timed, a whole number of batches"""
    rounds: int = 5
    """of them that count"""


QUICK = Config(recipes=("thirty-numbers",), rows=512, rounds=1)


def measure(config: Config) -> dict[str, Any]:
    """By recipe: seconds of the part and of an epoch, and the share of NumPy's rate."""
    x = np.random.default_rng(0).uniform(size=(config.rows, config.side**2)).astype(np.float32)
    left, right = x[:1024], np.ones((x.shape[1], 1000), np.float32)
    settings = {name: RECIPES[name].training for name in config.recipes}
    ways = {name: _epoch(training, x, config.side) for name, training in settings.items()}
    timed = interleaved(ways | {"product": lambda: left @ right}, rounds=config.rounds)
    rate = 2 * left.size * right.shape[1] / timed.pop("product")["median"]
    for name, each in timed.items():
        speed = config.rows / each["median"]
        each |= {
            "seconds an epoch": round(config.epoch / speed, 1),
            "share": round(operations(settings[name]) * speed / rate, 3),
        }
    return {f"{config.epoch} digits": timed}


def operations(training: Training) -> int:
    """In products, of a row's step."""
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
    """Measure, write and print."""
    found = measure(config)
    record("recipes", asdict(config), found)
    for ways in found.values():
        for name, each in ways.items():
            print(name, each["seconds an epoch"], "s an epoch, share", each["share"])


if __name__ == "__main__":
    tyro.cli(main)
