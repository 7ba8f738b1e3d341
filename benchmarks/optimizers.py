"""Time of an update of Muon, in float32 and bfloat16, and of optax's Muon and Adam.

The parameters are those of an autoencoder 784-1000-500-250-30 (decoder reversed) in float32, and
the gradients are normal random numbers. The three Muon variants use the same coefficients and five
Newton-Schulz steps; Adam has no such iteration.

Command:  python -m benchmarks.optimizers
Run time: one minute on two idle cores.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import aejax
from aejax import training
from aejax.training.muon import COEFFICIENTS
from aejax.types import Params
from benchmarks.interleaved import interleaved, record


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """widths of the encoder"""
    rounds: int = 10
    """timed updates of each optimizer"""


QUICK = Config(sizes=(8, 4), rounds=1)


def measure(config: Config) -> dict[str, Any]:
    """Seconds per update and ratio to optax's Muon, by optimizer."""
    params = aejax.dense(config.sizes).init(jax.random.key(0))
    rng = np.random.default_rng(0)
    gradients = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), float), params)
    optimizers = {
        "optax.contrib.muon": optax.contrib.muon(
            1e-3, ns_coeffs=COEFFICIENTS, ns_steps=5, consistent_rms=0.2
        ),
        "aejax, float32": training.muon(1e-3),
        "aejax, bfloat16": training.muon(1e-3, dtype=jnp.bfloat16),
        "Adam": optax.adam(1e-3),
    }
    variants = {name: _update(each, params, gradients) for name, each in optimizers.items()}
    return {"-".join(map(str, config.sizes)): interleaved(variants, rounds=config.rounds)}


def main(config: Config = Config()) -> None:
    """Run the benchmark, write its results and print them."""
    found = measure(config)
    record("optimizers", asdict(config), found, peers=("optax",))
    for timed in found.values():
        for name, each in timed.items():
            print(name, each["median"], "s an update; ratio", each["ratio"])


def _update(
    optimizer: optax.GradientTransformation, params: Params, gradients: Params
) -> Callable[[], Any]:
    update = jax.jit(optimizer.update)
    state = optimizer.init(params)
    return lambda: jax.block_until_ready(update(gradients, state, params))


if __name__ == "__main__":
    tyro.cli(main)
