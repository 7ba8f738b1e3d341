"""A few layers fold a line as often as exponentially many units of one layer could.

Claim:    some functions cost exponentially less in depth: a decoder of k layers of three units
          draws a sawtooth of 2^k straight pieces exactly, where a single layer needs 2^k − 1;
          and training finds what depth makes possible, at an equal number of parameters.
Source:   Telgarsky 2016 (sawtooths composed of tent maps); Goodfellow, Bengio & Courville 2016,
          §14.3, and the course (exponential savings by deep autoencoders).
Command:  python -m experiments.depth_savings
Expected: built by hand, the folding decoder leaves nothing at 8 folds with 98 parameters, where a
          single layer needs at least 1022, and a trained one of 98 leaves 93 % of the sawtooth's
          variance. Training does not find it: at 2 and 3 folds deep and single decoders both learn
          with hundreds of parameters, at 4 single layers are ahead, from 6 on neither learns.
Run time: one minute on one quiet core.
"""

import itertools
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen
from matplotlib.figure import Figure

import aejax
from aejax import losses
from aejax.plots import INK, figure_style
from aejax.types import Array, Autoencoder, Params
from experiments.harness import Comparison, Results, below, draw_mean, execute, train_alike

NETWORKS = ("folding", "single, as folding", "deep", "single, as deep")
"""The first is built and the others are trained; a single layer has the other's parameters."""

BENDS = aejax.Initializers(bias=linen.initializers.normal(0.5))
"""Units start with bends that lie apart."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    folds: tuple[int, ...] = (2, 3, 4, 6, 8)
    """every k: the sawtooth has 2^k pieces, a deep decoder k layers"""
    width: int = 16
    """units of each layer of the deep decoders that are trained; three would do"""
    examples: int = 2000
    """points of the curve, its parameter drawn uniformly from [0, 1]"""
    epochs: int = 400
    """passes over the points"""
    batch_size: int = 100
    """points a step"""
    learning_rate: float = 1e-2
    """of Adam at the start; it falls to zero by a cosine"""
    seeds: int = 5
    """trainings of each network"""
    seed: int = 0
    """of all of them"""


QUICK = Config(folds=(1,), width=3, examples=200, epochs=2, seeds=2)


def run(config: Config) -> Results:
    """Build and train the decoders of each sawtooth; measure how much of it they leave."""
    keys = jax.random.split(jax.random.key(config.seed), (len(config.folds), 2))
    metrics: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    for folds, (key_points, key_starts) in zip(config.folds, keys, strict=True):
        x = sawtooth(jax.random.uniform(key_points, (config.examples,)), folds)
        test = sawtooth((jnp.arange(4096) + 0.5) / 4096, folds)
        layers = (config.width,) * folds
        sizes = ((3,) * folds, _single((3,) * folds), layers, _single(layers))
        metrics[f"{folds}"] = {}
        for name, hidden in zip(NETWORKS, sizes, strict=True):
            model = _model(hidden)
            if name == "folding":
                params = jax.tree.map(lambda leaf: jnp.stack([leaf] * config.seeds), folding(folds))
            else:
                objective = aejax.objective(model, losses.squared)
                params = train_alike(objective, x, config, key_starts)
            answers = jax.vmap(partial(_reconstruct, model), (0, None))(params, test)
            errors = jnp.mean(jnp.sum(jnp.square(answers - test), axis=2), axis=1)
            metrics[f"{folds}"][name] = {
                "unexplained": errors / jnp.var(test[:, 1]),
                "parameters": parameters(hidden),
            }
            if folds == _shown(config):
                arrays[name] = answers[0]
    return Results(metrics, arrays)


def sawtooth(t: Array, folds: int) -> Array:
    """The points (t, z) of a curve, z the tent map 1 − |2 t − 1| applied so many times to t."""
    z = t
    for _ in range(folds):
        z = 1 - jnp.abs(2 * z - 1)
    return jnp.stack([t, z], axis=1)


def folding(folds: int) -> Params:
    """The autoencoder of two numbers, with code t and so many layers of three, that makes no error.

    A layer holds relu(t), relu(z) and relu(z − ½), from which the next has the tent map of z as
    2 relu(z) − 4 relu(z − ½).
    """
    first = jnp.array([[1.0, 1, 1]])
    middle = jnp.array([[1.0, 0, 0], [0, 2, 2], [0, -4, -4]])
    last = {"kernel": middle[:, :2], "bias": jnp.zeros(2)}
    kernels = [first, *[middle] * (folds - 1)]
    layers = [{"kernel": kernel, "bias": jnp.array([0, 0, -0.5])} for kernel in kernels]
    encoder = {"layer_0": {"kernel": jnp.array([[1.0], [0]]), "bias": jnp.zeros(1)}}
    decoder = {f"layer_{i}": layer for i, layer in enumerate([*layers, last])}
    return {"encoder": encoder, "decoder": decoder}


def parameters(hidden: tuple[int, ...]) -> int:
    """How many parameters a decoder has, from a code of one through layers so wide to two."""
    sizes = (1, *hidden, 2)
    return sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(sizes))


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """What is left: built against trained, deep against single, and deep against a twentieth."""
    found = {}
    for folds, networks in reversed(metrics.items()):
        left = {name: np.array(each["unexplained"]) for name, each in networks.items()}
        built, as_built, deep, as_deep = left.values()
        found[f"{folds} folds: left by folding less a single layer"] = below(built, as_built)
        found[f"{folds} folds: left by deep less a single layer, trained"] = below(deep, as_deep)
        found[f"{folds} folds: left by deep, trained, less 0.05"] = below(deep, 0.05)
    return found


def plot(config: Config, results: Results) -> Figure:
    """A sawtooth as the first seed of each draws it; what they leave; parameters of no error."""
    with figure_style():
        figure = Figure(figsize=(9.4, 5.2))
        drawn, curves = figure.subfigures(2, 1)
        t = (np.arange(4096) + 0.5) / 4096
        for axis, name in zip(drawn.subplots(1, len(NETWORKS), sharey=True), NETWORKS, strict=True):
            answers = results.arrays[name]
            axis.plot(
                *np.asarray(sawtooth(t, _shown(config))).T, color=INK, alpha=0.3, linewidth=0.5
            )
            axis.plot(*answers.T, linewidth=0.8)
            axis.set_title(f"{name}, {_shown(config)} folds")
        left, needed = curves.subplots(1, 2)
        for name, style in zip(NETWORKS, ("o:", "s--", "o-", "s-."), strict=True):
            found = [networks[name]["unexplained"] for networks in results.metrics.values()]
            draw_mean(left, config.folds, np.transpose(found), style, label=name)
        left.set(title="share of the sawtooth left", xlabel="folds")
        left.legend(fontsize="small")
        folds = np.arange(1, 1 + config.folds[-1])
        needed.plot(folds, [parameters((3,) * k) for k in folds], "o:", label="folding")
        single = [parameters((2**k - 1,)) for k in folds]
        needed.plot(folds, single, "s--", label="a single layer, at least")
        needed.set(title="parameters without error", xlabel="folds", yscale="log")
        needed.legend()
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _model(hidden: tuple[int, ...]) -> Autoencoder:
    """From the curve to a code and back; the code starts as t, which is what depth needs."""
    model = aejax.dense(
        (2, 1),
        decoder_sizes=(1, *hidden, 2),
        activation=jax.nn.relu,
        code_activation=jax.nn.identity,
        initializers=BENDS,
    )
    return model._replace(init=lambda key: model.init(key) | {"encoder": folding(1)["encoder"]})


def _shown(config: Config) -> int:
    """The folds in the figure."""
    return config.folds[len(config.folds) // 2]


def _single(hidden: tuple[int, ...]) -> tuple[int, ...]:
    """The single layer of as many parameters, or a few more: 4 units + 2."""
    return (-(-(parameters(hidden) - 2) // 4),)


def _reconstruct(model: Autoencoder, params: Params, x: Array) -> Array:
    return model.decode(params, model.encode(params, x))


if __name__ == "__main__":
    main()
