"""Training throughput of sparse dictionaries, beside SAELens, dictionary_learning and sparsify.

An epoch of a TopK dictionary with AuxK, directions of unit norm and Adam, on rows in memory, in
float32. aejax: one scan, with `trackers` and `penalties.auxk`, with dense and with sparse codes
(`models.top_k_dictionary`), and the latter without AuxK. SAELens: its trainer, with dense and with
sparse codes, the latter without decoder norms in the selection, and only if PyTorch has their
gradient. dictionary_learning: its trainer. sparsify: its model with the steps of its trainer, which
needs a language model; AuxK is off, as by default. No unit is dead in such a short training, so
that AuxK costs what it costs without dead units. A population is several dictionaries with their
learning rates: `training.fit_population` with `members_at_once=1`, and the peers one after another;
in rows of `fit_population` without *one after another*, the members were trained together. *share*
is the FLOP/s in the five matrix products of a step, four of them with the active units only if the
codes are sparse (as in sparsify), divided by that of the machine: the fastest large float32 product
of NumPy, PyTorch and XLA, measured in the same rounds.

Command:  python -m benchmarks.dictionary_throughput
Run time: half an hour on two idle cores, and seven minutes with `--config.rows 4096 --config.rounds
          5 --config.population-rounds 2`; needs sae-lens, dictionary-learning and eai-sparsify.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from itertools import repeat
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import aejax
from aejax import losses, models, penalties, trackers, training
from aejax.runs.malloc import raise_malloc_thresholds
from aejax.types import Array
from benchmarks.epochs import one_scan
from benchmarks.interleaved import interleaved, record
from benchmarks.machine_rate import SIDE, add_shares, products

PEERS = {
    "sae_lens": "sae-lens",
    "dictionary_learning": "dictionary-learning",
    "sparsify": "eai-sparsify",
}
"""Distribution of each peer, by the name of its module."""

DEAD_AFTER = 10_000_000
"""Number of rows without activity after which a unit is dead, as in dictionary_learning."""

Epoch = Callable[[], Any]


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    features: int = 768
    """number of features"""
    units: int = 4096
    """number of units"""
    k: int = 25
    """number of active units"""
    rows: int = 8192
    """number of rows per epoch"""
    batch_size: int = 1024
    """number of rows of a step"""
    members: int = 8
    """number of dictionaries of the population"""
    learning_rate: float = 3e-4
    """learning rate of Adam"""
    rounds: int = 7
    """timed epochs of each variant"""
    population_rounds: int = 3
    """timed epochs of each variant of the population"""
    product: int = SIDE
    """side of the square matrices whose product gives the machine's FLOP/s"""


QUICK = Config(
    features=16,
    units=64,
    k=4,
    rows=256,
    batch_size=64,
    members=2,
    rounds=2,
    population_rounds=2,
    product=512,
)


def measure(config: Config) -> dict[str, Any]:
    """Seconds, rows per second, share and ratio to aejax, of one dictionary and of several."""
    x = np.random.default_rng(0).normal(size=(config.rows, config.features)).astype(np.float32)
    peers = peer_epochs(config, x)
    alone = aejax_epochs(config, x) | {name: make() for name, make in peers.items()}
    several = {
        f"{name}, fit_population, one after another": population(config, x, sparse)
        for name, sparse in (("aejax, sparse codes", True), ("aejax", False))
    } | {
        f"{name}, one after another": one_after_another([make() for _ in range(config.members)])
        for name, make in peers.items()
    }
    found = {}
    for title, variants, rounds, members in (
        ("one dictionary", alone, config.rounds, 1),
        (f"{config.members} dictionaries", several, config.population_rounds, config.members),
    ):
        with products(side=config.product) as large:
            timed = interleaved(variants | large, rounds=rounds)
        rows = members * config.rows
        for name in variants:
            timed[name]["rows a second"] = round(rows / timed[name]["median"])
        flop = {name: rows * operations(config, name) for name in variants}
        found[title] = add_shares(timed, flop, side=config.product)
    return found


def operations(config: Config, variant: str) -> int:
    """FLOP of a row in a step: encoder, decoder, and the gradients of both and of the code.

    All but the encoder's need the active units only, if the variant's codes are sparse.
    """
    is_sparse = "sparse codes" in variant or variant.startswith("sparsify")
    return 2 * config.features * (config.units + 4 * (config.k if is_sparse else config.units))


def aejax_epochs(config: Config, x: np.ndarray) -> dict[str, Epoch]:
    """Make the variants of aejax: sparse and dense codes, and sparse ones without AuxK."""
    rows = jnp.asarray(x)
    variants = {
        "aejax, sparse codes": (True, True),
        "aejax, sparse codes, without AuxK": (True, False),
        "aejax": (False, True),
    }
    return {
        name: one_scan(
            *training_of(config, config.learning_rate, sparse=sparse, auxk=auxk),
            rows,
            config.batch_size,
        )
        for name, (sparse, auxk) in variants.items()
    }


def training_of(
    config: Config, learning_rate: float | Array, *, sparse: bool, auxk: bool = True
) -> tuple[aejax.Objective, optax.GradientTransformation]:
    """Objective and optimizer of a TopK dictionary."""
    if sparse:
        model = models.top_k_dictionary(config.features, config.units, k=config.k)
        select = partial(models.dense_code, units=config.units)
    else:
        activation = aejax.top_k_relu(k=config.k)
        model = aejax.dictionary(config.features, config.units, activation=activation)
        select = jax.nn.identity
    directions = training.unit_norm(select=lambda params: params["decoder"]["kernel"])
    optimizer = training.constrained(optax.adam(learning_rate), directions)
    if not auxk:
        return aejax.objective(model, losses.squared), optimizer
    dead_after = max(DEAD_AFTER // config.batch_size, 1)
    penalty = penalties.auxk(k=config.features // 2, dead_after=dead_after)
    objective = aejax.objective(
        model,
        losses.squared,
        penalties={"auxk": (1 / 32, penalty)},
        tracker=trackers.steps_since_active(config.units, select=select),
    )
    return objective, optimizer


def population(config: Config, x: np.ndarray, sparse: bool) -> Epoch:
    """Make an epoch of several dictionaries as one program."""
    rows = aejax.Batch(jnp.asarray(x))
    rates = config.learning_rate * jnp.linspace(0.5, 2, config.members)

    def make(rate: Array) -> tuple[aejax.Objective, optax.GradientTransformation]:
        return training_of(config, rate, sparse=sparse)

    return lambda: training.fit_population(
        make,
        rows,
        hyperparameters=rates,
        key=jax.random.key(0),
        epochs=1,
        batch_size=config.batch_size,
        members_at_once=1,
    )


def one_after_another(epochs: list[Epoch]) -> Epoch:
    """Make a function that runs an epoch of each of several models."""

    def run() -> None:
        for epoch in epochs:
            epoch()

    return run


def peer_epochs(config: Config, x: np.ndarray) -> dict[str, Callable[[], Epoch]]:
    """Factories of an epoch of a new model of each peer, if PyTorch can run it."""
    makers = {
        "SAELens": lambda: sae_lens_step(config, sparse=False),
        "SAELens, sparse codes": lambda: sae_lens_step(config, sparse=True),
        "dictionary_learning": lambda: dictionary_learning_step(config),
        "sparsify": lambda: sparsify_step(config),
    }
    found = {}
    for name, make in makers.items():
        try:
            peer_epoch(config, x[: config.batch_size], make())()
        except NotImplementedError as error:  # sparse gradients of PyTorch on a CPU
            print(f"left out: {name}: {str(error).splitlines()[0]}")
        else:
            found[name] = lambda make=make: peer_epoch(config, x, make())
    return found


def peer_epoch(config: Config, x: np.ndarray, step: Callable[[Any], Any]) -> Epoch:
    """Make an epoch of steps of PyTorch, on rows in random order."""
    import torch

    rows = torch.from_numpy(x)

    def epoch() -> None:
        for indices in torch.randperm(len(rows)).split(config.batch_size):
            step(rows[indices])

    return epoch


def sae_lens_step(config: Config, *, sparse: bool) -> Callable[[Any], Any]:
    """Make a step of SAELens's trainer."""
    from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    sae = TopKTrainingSAE(
        TopKTrainingSAEConfig(
            d_in=config.features,
            d_sae=config.units,
            k=config.k,
            use_sparse_activations=sparse,
            rescale_acts_by_decoder_norm=not sparse,
        )
    )
    settings = SAETrainerConfig(
        total_training_samples=1 << 40,
        train_batch_size_samples=config.batch_size,
        lr=config.learning_rate,
        lr_end=config.learning_rate,
        dead_feature_window=max(DEAD_AFTER // config.batch_size, 1),
    )
    batches: Iterator[Any] = repeat(None)  # the steps take their rows as an argument
    trainer = SAETrainer(settings, sae, batches)

    def step(batch: Any) -> None:
        trainer.step(batch)
        trainer.n_training_steps += 1

    return step


def dictionary_learning_step(config: Config) -> Callable[[Any], Any]:
    """Make a step of the trainer of dictionary_learning."""
    from itertools import count

    from dictionary_learning.trainers.top_k import TopKTrainer

    trainer = TopKTrainer(
        steps=1 << 40,
        activation_dim=config.features,
        dict_size=config.units,
        k=config.k,
        layer=0,
        lm_name="none",
        lr=config.learning_rate,
        warmup_steps=0,
        device="cpu",
    )
    steps = count(1)  # step 0 would compute a geometric median
    return lambda batch: trainer.update(next(steps), batch)


def sparsify_step(config: Config) -> Callable[[Any], Any]:
    """Make a step of sparsify's model, with the projections of its trainer and Adam."""
    import torch
    from sparsify import SparseCoder, SparseCoderConfig

    coder = SparseCoder(
        config.features, SparseCoderConfig(num_latents=config.units, k=config.k), device="cpu"
    )
    optimizer = torch.optim.Adam(coder.parameters(), config.learning_rate, fused=True)

    def step(batch: Any) -> None:
        coder.set_decoder_norm_to_unit_norm()
        optimizer.zero_grad()
        coder(batch).fvu.backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        optimizer.step()

    return step


def main(config: Config = Config()) -> None:
    """Run the benchmark, write its results and print them."""
    missing = [name for module, name in PEERS.items() if find_spec(module) is None]
    if missing:
        print(f"skipped: not installed: {', '.join(missing)}")
        return
    raise_malloc_thresholds()  # as aejax's commands do; it makes PyTorch faster too
    found = measure(config)
    record("dictionary_throughput", asdict(config), found, peers=("torch", *PEERS.values()))
    for title, variants in found.items():
        for name, each in variants.items():
            print(title, name, each["rows a second"], "rows/s", each["ratio"], each["share"])


if __name__ == "__main__":
    tyro.cli(main)
