"""Time of an epoch of the recipes with a 30-dimensional code, and its share of the machine's rate.

60 000 random images of the size of MNIST digits, with augmentation resampled at every step, Muon
and mixed precision, as `aejax train --recipe` trains them. Part of an epoch is timed, and the time
of an epoch is extrapolated. *share* is the FLOP/s in the layers' matrix products divided by that of
the machine: the fastest large product of NumPy, PyTorch and XLA in float32 or bfloat16, measured in
the same rounds. A row takes 6 (P_e + (2T + 1) P_d) − 2 P_1 FLOP, for P_e weights of the encoder,
P_1 of its first layer, P_d of the decoder and T refinement steps, each a forward and a backward
pass of the decoder.

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
from benchmarks.machine_rate import SIDE, add_shares, products


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
    product: int = SIDE
    """side of the square matrices whose product gives the machine's FLOP/s"""


QUICK = Config(recipes=("thirty-numbers",), rows=512, rounds=1, product=512)


def measure(config: Config) -> dict[str, Any]:
    """Seconds of the timed part and of an epoch, and share of the machine's FLOP/s, by recipe."""
    x = np.random.default_rng(0).uniform(size=(config.rows, config.side**2)).astype(np.float32)
    settings = {name: RECIPES[name].training for name in config.recipes}
    variants = {name: _epoch(training, x, config.side) for name, training in settings.items()}
    with products(side=config.product) as large:
        timed = interleaved(variants | large, rounds=config.rounds)
    for name in variants:
        epochs = config.epoch / config.rows
        timed[name]["seconds an epoch"] = round(epochs * timed[name]["median"], 1)
    flop = {name: config.rows * operations(each) for name, each in settings.items()}
    found = add_shares(timed, flop, side=config.product, low_precision=[*variants])
    return {f"{config.epoch} digits": found}


def operations(training: Training) -> int:
    """Floating-point operations (FLOP) in matrix products per row and step."""
    encoder, decoder = (
        sum(inputs * outputs for inputs, outputs in pairwise(sizes))
        for sizes in (training.sizes, training.decoder_sizes or training.sizes)
    )
    first = training.sizes[0] * training.sizes[1]  # the gradient of the input is not computed
    return 6 * (encoder + (2 * training.refinement_steps + 1) * decoder) - 2 * first


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
