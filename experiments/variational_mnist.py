"""Importance-weighted training gives a higher likelihood than the evidence lower bound.

Claim:    an autoencoder 784-200-200-50 that is trained on the importance-weighted bound of 5
          samples gives unseen digits a higher likelihood than one trained on the evidence lower
          bound. Other rows of the published table are trained by `--rows "IWAE 50"`, ….
Source:   Burda, Grosse & Salakhutdinov 2016, table 1 (one stochastic layer). Images are binarised
          at random in every step. Negative log-likelihood 86.76, 86.47, 86.35 nats for the evidence
          bound with 1, 5, 50 samples, and 85.54, 84.78 for the importance-weighted one with 5 and
          50; Rainforth et al. 2018 (84.97 MIWAE and 84.46 PIWAE with 8 groups of 8, 84.57 CIWAE).
Command:  python -m experiments.variational_mnist
Selection: the epoch of each run with the highest bound on held-out training digits; the learning
          rate and its schedule, by the same bound of the first row after 15 epochs: in so few, the
          published schedule is far behind.
Expected: 91.39 against 93.44 nats after 30 epochs; the published values, which are compared too,
          are those after 3280 epochs.
Run time: an hour on one idle core, most of it for the likelihoods; an epoch with 50 samples takes
          about a minute. Runs resume.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import aejax
from aejax import augmentations, data, evaluation, losses, penalties, posteriors, runs
from aejax.plots import COLOURS, INK, figure_style
from aejax.posteriors import Bound
from aejax.types import Array, Params
from experiments import harness
from experiments.harness.records import ROOT

PUBLISHED = {
    "VAE 1": 86.76,
    "VAE 5": 86.47,
    "VAE 50": 86.35,
    "IWAE 5": 85.54,
    "IWAE 50": 84.78,
    "MIWAE 8, 8": 84.97,
    "PIWAE 8, 8": 84.46,
    "CIWAE 64": 84.57,
}
"""Published negative log-likelihoods in nats by row."""

BOUNDS: dict[str, tuple[int, Callable[[], Bound]]] = {
    "VAE 1": (1, posteriors.iwae),
    "VAE 5": (5, partial(posteriors.miwae, groups=5)),
    "VAE 50": (50, partial(posteriors.miwae, groups=50)),
    "IWAE 5": (5, posteriors.iwae),
    "IWAE 50": (50, posteriors.iwae),
    "MIWAE 8, 8": (64, partial(posteriors.miwae, groups=8)),
    "PIWAE 8, 8": (64, partial(posteriors.piwae, groups=8)),
    "CIWAE 64": (64, partial(posteriors.ciwae, beta=0.05)),
}
"""Row -> number of samples, and the bound of log p(x) that is maximised."""

WARM_UP = 0.05
"""Share of the steps in which the learning rate increases from 0."""


@dataclass(frozen=True)
class Config:
    """Settings that determine the results."""

    data: str = "mnist"
    """name or path of a data set of images with bounds, whose values are probabilities"""
    hidden: tuple[int, ...] = (200, 200)
    """units of the hidden layers of the encoder, and in reverse of the decoder"""
    code: int = 50
    """dimensions of z"""
    rows: tuple[str, ...] = ("VAE 1", "IWAE 5")
    """rows of the table, of those in `PUBLISHED`"""
    epochs: int = 30
    """epochs of training; the published number is 3280"""
    batch_size: int = 100
    """examples per step"""
    learning_rate: float = 3e-3
    """highest learning rate of Adam, after a warm-up; it then decreases to 0 by a cosine"""
    held_out: int = 5000
    """number of training images on which the epoch is chosen"""
    test: int = 10_000
    """number of test images"""
    samples: int = 5000
    """number of samples of the log-likelihood of a test image"""
    seeds: int = 3
    """number of training runs of each row"""
    seed: int = 0
    """seed of all random choices"""


QUICK = Config("digits", (32,), 4, ("VAE 1", "IWAE 5"), 3, 50, 3e-3, 100, 50, 64, seeds=2)


def run(config: Config, dataset: data.Dataset, cache: harness.PartCache) -> harness.Results:
    """Train every row with every seed; measure the likelihood of the test images."""
    x, x_test = map(np.asarray, harness.flatten_and_scale(dataset))
    keys = [jax.random.fold_in(jax.random.key(config.seed), seed) for seed in range(config.seeds)]
    metrics, shown = {}, {}
    for row in config.rows:
        parts = [partial(_train_and_measure, config, row, x, x_test, key) for key in keys]
        found = [cache(f"{row}, seed {seed}", part) for seed, part in enumerate(parts)]
        metrics[row] = harness.stack_seeds([each.metrics for each in found])
        shown[row] = found[0].arrays["samples"]
    return harness.Results(metrics, {"samples": np.stack([*shown.values()])})


def primary(metrics: dict[str, Any]) -> harness.PrimaryComparison:
    """Comparison that decides the primary claim."""
    first, *_, last = metrics
    return harness.PrimaryComparison(
        "negative log-likelihood of a test digit in nats",
        *((row, metrics[row]["negative log-likelihood"]) for row in (last, first)),
        harness.below,
    )


def observations(metrics: dict[str, Any]) -> dict[str, harness.Comparison]:
    """Negative log-likelihoods minus the published ones, and bounds minus log-likelihoods."""
    found = {}
    for row, measured in metrics.items():
        value = np.array(measured["negative log-likelihood"])
        found[f"{row}, less the published value and 0.3"] = harness.below(
            value, PUBLISHED[row] + 0.3
        )
        found[f"{row}, less its evidence lower bound"] = harness.below(
            value, measured["negative evidence lower bound"]
        )
    return found


def plot(config: Config, results: harness.Results) -> Figure:
    """Draw the bound on held-out digits by epoch, published values, and samples of the prior."""
    metrics, samples = results.metrics, results.arrays["samples"]
    with figure_style():
        figure = Figure(figsize=(9, 3.6))
        curves, images = figure.subplots(1, 2, width_ratios=(1.2, 1))
        for (row, measured), colour in zip(metrics.items(), COLOURS, strict=False):
            each = np.array(measured["validation curve"])
            epochs = np.arange(1, each.shape[1] + 1)
            harness.draw_mean(curves, epochs, each, "-", label=row, color=colour)
            curves.axhline(PUBLISHED[row], color=colour, linestyle=":")
        curves.plot([], [], ":", color=INK, label="published, on test digits")
        curves.set(xlabel="epoch", ylabel="minus the bound on held-out digits (nats)")
        curves.legend()
        harness.mosaic(images, samples.reshape(-1, samples.shape[-1]), columns=samples.shape[1])
        images.set_title("samples of the prior: " + ", ".join(metrics), fontsize="small")
    return figure


def schedule(config: Config, examples: int) -> optax.Schedule:
    """Learning rate with a linear warm-up and a cosine decay."""
    steps = config.epochs * -(-examples // config.batch_size)
    warm_up = round(WARM_UP * steps)
    return optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, warm_up, steps)


def run_name(settings: Mapping[str, Any]) -> str:
    """Name of the folder of a run: its row, and a digest of its settings."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return f"{settings['row'].replace(', ', '-').replace(' ', '-')}-{digest[:8]}"


def make_objective(config: Config, row: str, features: int) -> aejax.Objective:
    """Minus the bound of a row, of images that are binarised at random in every step."""
    samples, bound = BOUNDS[row]
    posterior = posteriors.diagonal_gaussian()
    sizes = (features, *config.hidden, config.code)
    term = penalties.importance_weighted(
        losses.bernoulli, posterior, samples=samples, bound=bound()
    )
    return aejax.objective(
        aejax.variational(sizes, posterior=posterior, activation=jnp.tanh),
        losses.bernoulli,
        augmentation=augmentations.binarise(),
        perturbation=posterior.sample,
        penalties={"bound": (1.0, term)},
    )


def _train_and_measure(
    config: Config, row: str, x: np.ndarray, x_test: np.ndarray, key: Array
) -> harness.Results:
    """Train one run, in a folder from which it resumes; choose its epoch, and measure it."""
    key_train, key_validation, key_test, key_samples = jax.random.split(key, 4)
    binarise = augmentations.binarise()
    train, held_out = x[: -config.held_out], x[-config.held_out :]
    validation = binarise(key_validation, jnp.asarray(held_out))
    objective = make_objective(config, row, x.shape[1])
    names = ("data", "hidden", "code", "epochs", "batch_size", "learning_rate", "held_out")
    words = np.asarray(jax.random.key_data(key)).tolist()
    settings = {name: getattr(config, name) for name in names} | {"row": row, "key": words}
    folder = ROOT / "results" / "variational_mnist" / "runs" / run_name(settings)
    found = runs.train(
        objective,
        optax.adam(schedule(config, len(train))),
        train,
        out=folder,
        epochs=config.epochs,
        batch_size=config.batch_size,
        key=key_train,
        resume=True,
        validation=validation,
        settings=settings,
        loggers=(),
    )
    test = binarise(key_test, jnp.asarray(x_test[: config.test]))
    curve = [record["validation"]["loss"] for record in found.history]
    metrics = _likelihood(config, objective, found.params, test, key_samples)
    metrics |= {"validation curve": curve, "epoch": int(np.argmin(curve)) + 1}
    z = jax.random.normal(key_samples, (10, config.code))
    drawn = objective.loss.mean(objective.model.decode(found.params, z))
    return harness.Results(metrics, {"samples": np.asarray(drawn)})


def _likelihood(
    config: Config, objective: aejax.Objective, params: Params, test: Array, key: Array
) -> dict[str, float]:
    """Negative log-likelihood and evidence lower bound of test images, with standard errors."""
    posterior = posteriors.diagonal_gaussian()

    @jax.jit
    def measure(x: Array, key: Array) -> evaluation.LogLikelihood:
        return evaluation.log_likelihood(
            objective, params, x, key, posterior=posterior, samples=config.samples
        )

    size = min(config.batch_size, len(test))
    blocks = test[: len(test) // size * size].reshape(-1, size, test.shape[1])
    keys = jax.random.split(key, len(blocks))
    found = [measure(block, each) for block, each in zip(blocks, keys, strict=True)]
    value = jnp.concatenate([each.value for each in found])
    elbo = jnp.concatenate([each.elbo for each in found])
    error = evaluation.mean_with_error(value).standard_error
    return {
        "negative log-likelihood": -float(value.mean()),
        "standard error over digits": float(error),
        "negative evidence lower bound": -float(elbo.mean()),
    }


EXPERIMENT = harness.Experiment(
    name="variational_mnist", config=Config(), quick=QUICK, run=run, primary=primary,
    observations=observations, plot=plot,
    title="Importance-weighted training gives a higher likelihood than the evidence lower bound.",
    claim="an autoencoder trained on the importance-weighted bound of 5 samples gives unseen "
    "digits a higher likelihood than one trained on the evidence lower bound.",
    source="Burda, Grosse & Salakhutdinov 2016, table 1 (one stochastic layer).",
    expected="91.39 against 93.44 nats after 30 epochs; published, after 3280: 85.54 and 86.76",
    run_time="an hour on one idle core",
    figure="Minus the bound on held-out digits by epoch, beside published values; samples.",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    harness.execute(EXPERIMENT)


if __name__ == "__main__":
    main()
