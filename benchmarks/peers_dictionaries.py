"""Sparse dictionaries on known features: aejax beside SAELens, by recovery of the truth and time.

The law is `data.SYNTHSAEBENCH_TWIN`, of which each seed is a draw: 1024 features in 96 dimensions,
with 384 latents. Both packages train TopK dictionaries with AuxK on fresh samples of the same
features, with the same batch size, number of samples and learning rate: SAELens by its own trainer
and generator with its defaults, aejax as one compiled program. Both are judged on the same samples
by `aejax.evaluation`, whose definitions are those of SAELens (tests/evaluation).

Command:  python -m benchmarks.peers_dictionaries
Run time: half an hour on one idle core; needs sae-lens.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
import tyro

import aejax
from aejax import augmentations, data, evaluation, losses, penalties, trackers, training
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "peers_dictionaries.json"
STEPS_PER_EPOCH = 64
"""Number of steps of an epoch of aejax, whose placeholder data set this many batches fill."""


@dataclass(frozen=True)
class Config:
    """Settings of the comparison."""

    law: data.DictionaryLaw = data.SYNTHSAEBENCH_TWIN
    """law of the features"""
    units: int = 384
    """number of latents"""
    k: tuple[int, ...] = (4, 6, 8)
    """numbers of active latents; of the 384 most frequent features, 6 are active in an example"""
    samples: int = 1_048_576
    """number of training samples"""
    batch_size: int = 1024
    """number of samples of a step"""
    learning_rate: float = 1e-3
    """learning rate of Adam"""
    dead_after: int = 1000
    """number of steps without activity after which a latent counts as dead"""
    seeds: int = 5
    """number of seeds, each with features of its own"""
    test_samples: int = 65_536
    """number of samples of the evaluation"""


class Trained(NamedTuple):
    """A trained dictionary.

    rows:        direction of each latent, [units, dimensions].
    reconstruct: x [batch, dimensions] -> code [batch, units] and x̂.
    seconds:     wall-clock duration of training, without compilation.
    """

    rows: np.ndarray
    reconstruct: Callable[[Any], tuple[Any, Any]]
    seconds: float


def train_aejax(truth: data.SyntheticDictionary, config: Config, k: int, seed: int) -> Trained:
    """TopK with AuxK and directions of unit norm, end to end as one compiled program."""
    dimensions = truth.directions.shape[1]
    model = aejax.dictionary(dimensions, config.units, activation=aejax.top_k_relu(k=k))
    auxk = penalties.auxk(k=dimensions // 2, dead_after=config.dead_after)
    sample = partial(data.sample_examples, truth=truth)
    objective = aejax.objective(
        model,
        losses.squared,
        augmentation=augmentations.fresh_samples(sample),
        penalties={"auxk": (1 / 32, auxk)},
        tracker=trackers.steps_since_active(config.units),
    )
    directions = training.unit_norm(select=lambda params: params["decoder"]["kernel"])
    optimizer = training.constrained(optax.adam(config.learning_rate), directions)
    placeholder = np.zeros((STEPS_PER_EPOCH * config.batch_size, dimensions), np.float32)
    epochs = config.samples // len(placeholder)
    train = partial(training.train, objective, optimizer, epochs=epochs)
    compiled = jax.jit(partial(train, batch_size=config.batch_size))
    compiled = compiled.lower(placeholder, jax.random.key(seed)).compile()
    start = time.perf_counter()
    state, _ = jax.block_until_ready(compiled(placeholder, jax.random.key(seed)))
    seconds = time.perf_counter() - start

    def reconstruct(x: Any) -> tuple[Any, Any]:
        code = model.encode(state.params, x)
        return code, model.decode(state.params, code)

    return Trained(np.asarray(state.params["decoder"]["kernel"]), jax.jit(reconstruct), seconds)


def train_saelens(truth: data.SyntheticDictionary, config: Config, k: int, seed: int) -> Trained:
    """SAELens's TopK with its trainer and generator, on the features of `truth`."""
    import torch
    from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.synthetic import FeatureDictionary, train_toy_sae

    torch.manual_seed(seed)
    features, dimensions = truth.directions.shape
    dictionary = FeatureDictionary(features, dimensions, bias=True, initializer=None)
    dictionary.feature_vectors.data = torch.tensor(np.asarray(truth.directions))
    dictionary.bias.data = torch.tensor(np.asarray(truth.bias))
    settings = TopKTrainingSAEConfig(d_in=dimensions, d_sae=config.units, k=k)
    sae = TopKTrainingSAE(settings)
    start = time.perf_counter()
    train_toy_sae(
        sae,
        dictionary,
        _saelens_generator(truth),
        training_samples=config.samples,
        batch_size=config.batch_size,
        lr=config.learning_rate,
    )
    seconds = time.perf_counter() - start
    sae.eval()

    @torch.no_grad()
    def reconstruct(x: Any) -> tuple[Any, Any]:
        code = sae.encode(torch.tensor(np.asarray(x)))
        return code.numpy(), sae.decode(code).numpy()

    return Trained(sae.W_dec.detach().numpy(), reconstruct, seconds)


def _saelens_generator(truth: data.SyntheticDictionary) -> Any:
    """SAELens's generator of the activations of a draw, with its trees."""
    import torch
    from sae_lens.synthetic import ActivationGenerator, HierarchyNode, hierarchy_modifier

    probabilities, means, deviations, loadings = (
        torch.tensor(np.asarray(part))
        for part in (truth.probabilities, truth.means, truth.deviations, truth.loadings)
    )
    parents = truth.law.parents

    def node(feature: int) -> HierarchyNode:
        children = [node(int(child)) for child in np.flatnonzero(parents == feature)]
        return HierarchyNode(
            feature_index=feature,
            children=children,
            mutually_exclusive_children=len(children) > 1,
            scale_children_by_parent=True,
        )

    return ActivationGenerator(
        num_features=len(parents),
        firing_probabilities=probabilities,
        std_firing_magnitudes=deviations,
        mean_firing_magnitudes=means,
        modify_activations=hierarchy_modifier([node(root) for root in range(truth.law.roots)]),
        correlation_matrix=(loadings, 1 - (loadings**2).sum(dim=1)),
    )


PACKAGES = {"aejax": train_aejax, "SAELens": train_saelens}


def judge(trained: Trained, truth: data.SyntheticDictionary, config: Config) -> dict[str, float]:
    """Scores of a dictionary on samples that are the same for all dictionaries."""
    factors = evaluation.best_factors(trained.rows, truth.directions)
    size = min(config.test_samples, 8192)
    sample = jax.jit(partial(data.sample_activations, count=size))

    def passes() -> Iterator[tuple[Any, Any, Any, Any]]:
        for key in jax.random.split(jax.random.key(1), config.test_samples // size):
            activations = sample(key, truth)
            x = activations @ truth.directions + truth.bias
            yield x, *trained.reconstruct(x), activations

    statistics = evaluation.dictionary_statistics((x, h, x_hat) for x, h, x_hat, _ in passes())
    detected = evaluation.detection(((code, a) for _, code, _, a in passes()), factors)
    scores = {
        "L0": statistics.l0,
        "explained variance": statistics.explained_variance,
        "dead": statistics.dead.sum(),
        "F1": detected.f1.mean(),
        "MCC": evaluation.mean_correlation(trained.rows, truth.directions),
        "uniqueness": evaluation.uniqueness(factors),
        "seconds": trained.seconds,
    }
    return {name: round(float(score), 4) for name, score in scores.items()}


def measure(config: Config) -> dict[str, Any]:
    """Scores by package, number k of active latents, and seed."""
    found: dict[str, Any] = {name: {} for name in PACKAGES}
    for seed in range(config.seeds):
        truth = jax.jit(data.draw_dictionary, static_argnums=1)(jax.random.key(seed), config.law)
        for k in config.k:
            for name, train in PACKAGES.items():
                scores = judge(train(truth, config, k, seed), truth, config)
                found[name].setdefault(f"k = {k}", []).append(scores)
    return found


def main(config: Config = Config()) -> None:
    """Run the comparison and write its results."""
    if find_spec("sae_lens") is None:
        print("skipped: not installed: sae-lens")
        return
    versions = {name: metadata.version(name) for name in ("sae-lens", "torch")}
    record = {
        "config": asdict(config),
        "environment": environment() | versions,
        "found": measure(config),
    }
    text = json.dumps(record, indent=1) + "\n"
    write_text(RESULTS, text)
    print(text)


if __name__ == "__main__":
    tyro.cli(main)
