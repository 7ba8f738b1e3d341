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

from functools import partial
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from aejax import data
from aejax.plots import COLOURS, INK, figure_style
from experiments import harness
from experiments.harness.importance_weighting import Config, train_and_measure

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

QUICK = Config("digits", (32,), 4, ("VAE 1", "IWAE 5"), 3, 50, 3e-3, 100, 50, 64, seeds=2)


def run(config: Config, dataset: data.Dataset, cache: harness.PartCache) -> harness.Results:
    """Train every row with every seed; measure the likelihood of the test images."""
    x, x_test = map(np.asarray, harness.flatten_and_scale(dataset))
    keys = [jax.random.fold_in(jax.random.key(config.seed), seed) for seed in range(config.seeds)]
    metrics, shown = {}, {}
    for row in config.rows:
        parts = [partial(train_and_measure, config, row, x, x_test, key) for key in keys]
        found = [cache(f"{row}, seed {seed}", part) for seed, part in enumerate(parts)]
        metrics[row] = harness.stack_seeds([each.metrics for each in found])
        shown[row] = found[0].arrays["samples"]
    return harness.Results(metrics, {"samples": np.stack([*shown.values()])})


def primary(metrics: dict[str, Any]) -> harness.PrimaryComparison:
    """Comparison that decides the primary claim."""
    measure = "negative log-likelihood"
    first, *_, last = metrics
    subject, reference = (last, metrics[last][measure]), (first, metrics[first][measure])
    return harness.PrimaryComparison(
        f"{measure} of a test digit in nats", subject, reference, harness.below
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
