"""SynthSAEBench-16k: a sparse dictionary of 4096 units on 16 384 known features, as it learns.

Samples are drawn inside the compiled step, so that no data are stored. The published dictionaries
saw 200 million samples. A run resumes from its folder, and its scores are measured whenever the
number of samples has doubled, with the threshold solved for at that time. The learning rate is
constant while samples are missing, so that an unfinished run is a prefix of a longer one.

Command:  python -m benchmarks.synthsaebench --samples 200000000
Run time: 1.5 s a step of 1024 samples on one CPU core; a published run needs an accelerator.
Source:   Chanin & Garriga-Alonso 2026 (law, protocol and published scores).
"""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import tyro
from matplotlib.figure import Figure

from aejax import augmentations, data, runs, training
from aejax.plots import figure_style
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment
from aejax.training import TrainState
from aejax.training.records import Record
from benchmarks import dictionary_recipes
from benchmarks.dictionary_recipes import Recipe, Sizes
from benchmarks.peers_dictionaries import Draw, judge, sampled

RESULTS = Path(__file__).parent / "results" / "synthsaebench"
PUBLISHED: dict[str, dict[str, float]] = {
    "BatchTopK": {"F1": 0.7316, "MCC": 0.7574, "uniqueness": 0.9837, "explained variance": 0.7923},
    "Matryoshka": {"F1": 0.8793, "MCC": 0.7927, "uniqueness": 0.9987, "explained variance": 0.7792},
}
"""Published means of five seeds after 200 million samples with 25 active units."""

STEPS_PER_EPOCH = 16
HEAD = """# SynthSAEBench-16k

Written by `python -m benchmarks.synthsaebench`: {activation} with {units} units, {k} active, after
{samples:,} of the {published:,} samples of the published runs ({share:.2%}). The draw of the
features is another one than the published. Published values are those at the end of training.

| samples | L0 | F1 | MCC | uniqueness | explained variance | dead units |
|---:|---:|---:|---:|---:|---:|---:|
"""
PUBLISHED_SAMPLES = 200_000_000


@dataclass(frozen=True)
class Config:
    """Settings of the run."""

    law: data.DictionaryLaw = data.SYNTHSAEBENCH_16K_V2
    """law of the features"""
    activation: Literal["BatchTopK", "Matryoshka"] = "Matryoshka"
    """activation of the dictionary, one with published scores"""
    units: int = 4096
    """number of units"""
    k: int = 25
    """number of active units"""
    samples: int = PUBLISHED_SAMPLES
    """number of samples after which the run ends; a larger number continues it"""
    batch_size: int = 1024
    """number of samples of a step"""
    learning_rate: float = 1e-3
    """learning rate of Adam"""
    dead_after: int = 500
    """number of steps without activity after which a unit counts as dead"""
    test_samples: int = 16_384
    """number of samples of each evaluation"""
    seed: int = 0
    """seed of the features and of the run"""
    out: str = "runs/synthsaebench"
    """folder of the run"""


def main(config: Config = Config()) -> None:
    """Train or continue the run, and write its learning curve."""
    truth = data.draw_dictionary(jax.random.key(config.seed), config.law)
    sizes = Sizes(
        config.law.dimensions, config.units, config.samples, config.batch_size, config.dead_after
    )
    recipe = dictionary_recipes.RECIPES[config.activation](sizes, config.k)
    fresh = augmentations.fresh_samples(partial(data.sample_examples, truth=truth))
    objective = dictionary_recipes.objective_of(recipe, sizes, fresh)
    per_epoch = STEPS_PER_EPOCH * config.batch_size
    test = sampled(
        partial(data.sample_activations, truth=truth), jax.random.key(1), config.test_samples
    )
    draw = Draw(truth, np.zeros((0, config.law.dimensions), np.float32), test)
    curve = _stored_curve(config)

    def measure(state: TrainState, record: Record) -> None:
        samples = record["epoch"] * per_epoch
        if samples & (samples - 1) == 0 or record["epoch"] == config.samples // per_epoch:
            curve[str(samples)] = _scores(recipe, state, draw, config.k)
            _write(config, curve)

    runs.train(
        objective,
        dictionary_recipes.optimizer_of(recipe, config.learning_rate),
        np.zeros((per_epoch, config.law.dimensions), np.float32),
        out=config.out,
        epochs=config.samples // per_epoch,
        batch_size=config.batch_size,
        key=dictionary_recipes.TRAINING_KEYS + config.seed,
        resume=True,
        settings=_settings(config),
        callbacks=[measure],
        progress=True,
        loggers=(),
    )


def _scores(recipe: Recipe, state: TrainState, draw: Draw, k: int) -> dict[str, float]:
    x = draw.activations @ draw.truth.directions + draw.truth.bias
    params = training.calibrate_threshold(state.params, x, l0=k)

    @jax.jit
    def encode(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        code = recipe.model.encode(params, x)
        return code, recipe.model.decode(params, code)

    scores = judge(np.asarray(params["decoder"]["kernel"]), encode, draw)
    return {name: round(float(score), 4) for name, score in scores.items()}


def _settings(config: Config) -> dict[str, Any]:
    """Settings that determine the learning curve."""
    values = {name: x for name, x in vars(config).items() if name not in ("samples", "out")}
    return json.loads(json.dumps(values | {"law": vars(config.law)}))


def _stored_curve(config: Config) -> dict[str, dict[str, float]]:
    path = RESULTS.with_suffix(".json")
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return record["curve"] if record.get("settings") == _settings(config) else {}


def _write(config: Config, curve: dict[str, dict[str, float]]) -> None:
    record = {"settings": _settings(config), "environment": environment(), "curve": curve}
    write_text(RESULTS.with_suffix(".json"), json.dumps(record, indent=1) + "\n")
    write_text(RESULTS.with_suffix(".md"), page(record))
    plot(record).savefig(RESULTS.with_suffix(".png"))


SCORES = ("F1", "MCC", "uniqueness", "explained variance")


def page(record: dict[str, Any]) -> str:
    """The page as Markdown, with the published values in the last row."""
    settings, curve = record["settings"], record["curve"]
    samples = max(map(int, curve))
    text = HEAD.format(
        activation=settings["activation"],
        units=settings["units"],
        k=settings["k"],
        samples=samples,
        published=PUBLISHED_SAMPLES,
        share=samples / PUBLISHED_SAMPLES,
    )
    for count in sorted(map(int, curve)):
        row = curve[str(count)]
        values = " | ".join(f"{row[name]:.3f}" for name in SCORES)
        text += f"| {count:,} | {row['L0']:.1f} | {values} | {row['dead']:.0f} |\n"
    published = PUBLISHED[settings["activation"]]
    values = " | ".join(f"{published[name]:.3f}" for name in SCORES)
    return text + f"| published: {PUBLISHED_SAMPLES:,} | 25 | {values} | |\n"


def plot(record: dict[str, Any]) -> Figure:
    """Draw the scores against the number of samples, and the published values at its end."""
    curve, published = record["curve"], PUBLISHED[record["settings"]["activation"]]
    counts = sorted(map(int, curve))
    with figure_style():
        figure = Figure(figsize=(6.4, 3.6))
        axis = figure.subplots()
        for name in SCORES:
            (line,) = axis.plot(counts, [curve[str(count)][name] for count in counts], label=name)
            axis.plot(PUBLISHED_SAMPLES, published[name], "o", color=line.get_color())
        axis.set(xscale="log", ylim=(0, 1), xlabel="training samples", ylabel="score")
        axis.set_title("SynthSAEBench-16k; dots: published, at the end of training")
        axis.legend()
    return figure


if __name__ == "__main__":
    main(tyro.cli(Config))
