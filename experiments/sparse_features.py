"""The KL penalty controls the sparsity of a code, and sparse codes classify at least as well.

Claim:    with the penalty β Σ KL(ρ ‖ ρ̂), mean activations converge to the target ρ; the smaller ρ,
          the sparser each unit over its lifetime; and a linear classifier is better on a sparse
          code than on a dense one of the same size.
Source:   Ng 2011, Sparse autoencoder, §3; Vinje & Gallant 2000 (lifetime sparsity).
Command:  python -m experiments.sparse_features
Expected: on MNIST, 784-144-784 logistic, β = 3: the mean of ρ̂ is within 20 % of ρ only for
          ρ = 0.2, and far above the smallest ρ. Lifetime sparsity is highest, 0.8, at ρ = 0.02,
          against 0.3 of the dense code. Accuracy is higher than on the dense code from ρ = 0.01 on,
          by 0.03 to 0.06 at the best, ρ = 0.05.
Run time: three minutes on one idle core.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import aejax
from aejax import data, evaluation, losses, penalties
from aejax.plots import INK, figure_style
from aejax.types import Array, Params
from experiments import harness

DENSE = "dense"


@dataclass(frozen=True)
class Config:
    """Settings that determine the results."""

    data: str = "mnist"
    """name or path of a data set of square images with bounds and labels"""
    train: int = 5000
    """number of training examples of autoencoder and classifier"""
    test: int = 2000
    """number of test examples"""
    rhos: tuple[float, ...] = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
    """values of ρ, the target mean activation"""
    beta: float = 3.0
    """weight of the penalty, added to a loss in nats per example; zero for the dense code"""
    hidden: int = 144
    """units of the code"""
    epochs: int = 20
    """epochs of training"""
    batch_size: int = 100
    """examples per step, over which ρ̂ is averaged in training"""
    learning_rate: float = 3e-3
    """learning rate of Adam"""
    seeds: int = 5
    """number of training runs per ρ"""
    seed: int = 0
    """seed of all random choices"""


QUICK = Config(data="digits", train=1400, test=300, rhos=(0.02, 0.1), hidden=36, epochs=20, seeds=2)


def run(config: Config, dataset: data.Dataset) -> harness.Results:
    """Train with every ρ and seed; measure activations, sparsity and classification."""
    x, x_test = harness.flatten_and_scale(dataset, config.train)
    x_test = x_test[: config.test]
    model = aejax.dense((x.shape[1], config.hidden))

    def make(setting: dict[str, Array]) -> tuple[aejax.Objective, optax.GradientTransformation]:
        term = penalties.kl_sparsity(rho=setting["rho"])
        terms = {"sparsity": (setting["beta"], term)}
        optimizer = optax.adam(config.learning_rate)
        return aejax.objective(model, losses.bernoulli, penalties=terms), optimizer

    dense = {"rho": 0.5, "beta": 0.0}
    settings = [dense] + [{"rho": rho, "beta": config.beta} for rho in config.rhos]
    params, _ = harness.train_grid(
        make,
        x,
        settings=jax.tree.map(lambda *values: jnp.array(values), *settings),
        seeds=config.seeds,
        key=jax.random.key(config.seed),
        epochs=config.epochs,
        batch_size=config.batch_size,
    )
    encode = jax.jit(model.encode)
    labels = dataset.labels_train[: config.train], dataset.labels_test[: config.test]
    metrics: dict[str, Any] = {}
    means = []
    for i, name in enumerate((DENSE, *(f"{rho:g}" for rho in config.rhos))):
        metrics[name] = {"mean": [], "lifetime sparsity": [], "accuracy": []}
        for j in range(config.seeds):
            member: Params = jax.tree.map(lambda leaf, i=i, j=j: leaf[i, j], params)
            code, code_test = encode(member, x), encode(member, x_test)
            found = evaluation.activation_statistics(code_test, threshold=0.05)
            accuracy = harness.linear_accuracy(code, labels[0], code_test, labels[1])
            metrics[name]["mean"].append(float(found.mean.mean()))
            metrics[name]["lifetime sparsity"].append(float(found.lifetime_sparsity.mean()))
            metrics[name]["accuracy"].append(accuracy)
            means.append(found.mean)
    filters = np.asarray(params["encoder"]["layer_0"]["kernel"][:, 0]).swapaxes(-2, -1)[:, :32]
    means = np.reshape(means, (-1, config.seeds, config.hidden))
    return harness.Results(metrics, {"filters": filters, "means": means[1:, 0]})


def primary(metrics: dict[str, Any]) -> harness.PrimaryComparison:
    """Comparison that decides the primary claim."""
    rho = list(metrics)[1]
    return harness.PrimaryComparison(
        f"mean activation with target ρ = {rho}",
        ("measured", metrics[rho]["mean"]),
        ("1.2 ρ", 1.2 * float(rho)),
        harness.below,
    )


def observations(metrics: dict[str, Any]) -> dict[str, harness.Comparison]:
    """Deviation of ρ̂ from ρ, sparsity by ρ, and accuracy minus the dense code's."""
    rhos = [name for name in metrics if name != DENSE]
    found = {}
    for rho in rhos:
        off = np.abs(np.log(np.divide(metrics[rho]["mean"], float(rho))))
        found[f"|log ρ̂/ρ| less log 1.2, ρ = {rho}"] = harness.below(off, np.log(1.2))
    for less, more in pairwise(rhos):
        found[f"lifetime sparsity, ρ = {more} less {less}"] = harness.below(
            metrics[more]["lifetime sparsity"], metrics[less]["lifetime sparsity"]
        )
    for rho in rhos:
        found[f"accuracy, ρ = {rho} less dense"] = harness.above(
            metrics[rho]["accuracy"], metrics[DENSE]["accuracy"]
        )
    return found


def plot(config: Config, results: harness.Results) -> Figure:
    """Draw ρ̂ of units against ρ; the penalty at measured ρ̂; accuracy and sparsity; filters."""
    rhos = np.array(config.rhos)
    names = [f"{rho:g}" for rho in rhos]
    of = {what: np.transpose([results.metrics[name][what] for name in names])
          for what in results.metrics[DENSE]}  # fmt: skip
    with figure_style():
        figure = Figure(figsize=(9.4, 5.6))
        curves, images = figure.subfigures(2, 1)
        measured, omega, accuracy, sparsity = curves.subplots(1, 4)
        means = results.arrays["means"]
        for rho, units in zip(rhos, means, strict=True):
            measured.plot(np.full(len(units), rho), units, "_", color=INK, alpha=0.3)
        harness.draw_mean(measured, rhos, of["mean"], "o-")
        measured.plot(rhos, rhos, ":", color=INK)
        measured.set(xscale="log", yscale="log", title="ρ̂ of units", xlabel="ρ")
        grid = np.linspace(0.001, 0.6, 400)
        for rho, units, name in list(zip(rhos, means, names, strict=True))[::2]:
            (line,) = omega.plot(grid, penalties.bernoulli_kl(rho, jnp.array(grid)), label=name)
            divergence = penalties.bernoulli_kl(rho, jnp.array(units))
            omega.plot(units, divergence, "|", color=line.get_color())
        omega.set(title="Ω = KL(ρ ‖ ρ̂)", xlabel="ρ̂, units as ticks", ylim=(0, 0.5))
        omega.legend(title="ρ", fontsize="small")
        for axis, what in ((accuracy, "accuracy"), (sparsity, "lifetime sparsity")):
            harness.draw_mean(axis, rhos, of[what], "o-")
            dense = np.mean(results.metrics[DENSE][what])
            axis.axhline(dense, linestyle="--", color=INK, label="dense")
            axis.set(xscale="log", title=what, xlabel="ρ")
        accuracy.legend()
        shown = [0, *range(len(rhos), 0, -2)]
        for axis, i in zip(images.subplots(1, len(shown)), shown, strict=True):
            harness.mosaic(axis, results.arrays["filters"][i], columns=8)
            axis.set_title(f"ρ = {names[i - 1]}" if i else DENSE)
    return figure


EXPERIMENT = harness.Experiment(
    name="sparse_features", config=Config(), quick=QUICK, run=run, primary=primary,
    observations=observations, plot=plot,
    title="The KL penalty controls the sparsity of a code, and sparse codes classify at least as "
    "well.",
    claim="With the smallest target, ρ = 0.005, the mean activation is within 20 % of the target.",
    source="Ng 2011, Sparse autoencoder, §3; Vinje & Gallant 2000 (lifetime sparsity).",
    expected="0.07138 against 0.006, a difference of 0.0654 ± 0.0013",
    run_time="three minutes on one idle core",
    figure="ρ̂ of units against ρ; Ω with measured ρ̂; accuracy and sparsity; filters, dense to "
    "sparse.",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    harness.execute(EXPERIMENT)


if __name__ == "__main__":
    main()
