"""The harness: comparisons against SciPy, records and their cache, the table, training."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from matplotlib.figure import Figure
from PIL import Image
from scipy import stats

import aejax
from aejax import Batch, data, losses, penalties, training
from experiments import harness
from experiments.harness import records, source_digest, table
from experiments.harness.command import execute

TOY = '''"""A toy doubles."""
from dataclasses import dataclass
from matplotlib.figure import Figure
from experiments.harness import Experiment, PrimaryComparison, Results, above

COMPUTED = []

@dataclass(frozen=True)
class Config:
    data: str = "digits"
    level: float = 1.0
    seeds: int = 5

QUICK = Config(level=0.25)

def run(config, dataset, cache):
    def part(factor):
        COMPUTED.append(factor)
        if factor == 2 and config.level == 7:
            raise InterruptedError
        return Results({"level": [factor * config.level] * config.seeds}, {"x": [factor]})
    parts = {str(i): cache(f"factor {i}/2", lambda i=i: part(i)) for i in (1, 2)}
    metrics = {"level": {name: part.metrics["level"] for name, part in parts.items()}}
    return Results(metrics, {"x": dataset.x_train[0]})

def observations(metrics):
    return {"twice": above(metrics["level"]["2"], 1), "once": above(metrics["level"]["1"], 0)}

def plot(config, results):
    return Figure()

def primary(metrics):
    level = metrics["level"]
    return PrimaryComparison("level", ("twice", level["2"]), ("once", level["1"]), above)

EXPERIMENT = Experiment(
    name="toy",
    title="A toy doubles.",
    claim="two times its level is above its level.",
    source="none.",
    expected="2.",
    run_time="none.",
    figure="An empty figure | with a bar.",
    config=Config(),
    quick=QUICK,
    run=run,
    primary=primary,
    observations=observations,
    plot=plot,
)
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A small experiment with its results in a temporary folder."""
    monkeypatch.setattr(records, "ROOT", tmp_path)
    file = tmp_path / "toy.py"
    file.write_text(TOY, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("toy", file)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "toy", module)  # dataclasses need it
    spec.loader.exec_module(module)
    return module


def test_the_interval_of_a_paired_difference_is_scipys():
    rng = np.random.default_rng(0)
    first, second = rng.normal(1, 2, size=(2, 9))
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    mean, low, high, holds = harness.below(first, second)
    np.testing.assert_allclose([mean, low, high], [(first - second).mean(), *expected])
    assert holds == (expected.high < 0)
    assert harness.above(second, first).mean == pytest.approx(-mean)


def test_a_comparison_holds_if_the_whole_interval_is_on_its_side():
    values = [1.0, 1.1, 0.9]
    for reference, is_below, is_above in ((2, True, False), (1, False, False), (0, False, True)):
        assert harness.below(values, reference).holds == is_below
        assert harness.above(values, reference).holds == is_above
    with pytest.raises(ValueError, match="two or more"):
        harness.below([1.0], 0)


def test_the_verdict_is_the_common_word_of_all_comparisons(toy):
    metrics = {"level": {"1": [1.0, 1.1], "2": [2.0, 2.2]}}
    for signs, word in (((1, 1), "confirmed"), ((-1, 1), "mixed"), ((-1, -1), "mixed")):
        observed = {f"{i}": harness.above(sign * np.array([2.0, 2.1]), 0)
                    for i, sign in enumerate(signs)}  # fmt: skip
        experiment = toy.EXPERIMENT._replace(observations=lambda _, found=observed: found)
        assert records.verdicts(experiment, metrics)["verdict"] == word
    undecided = {"level": {"1": [1.0, 1.1], "2": [0.5, 2.2]}}
    assert records.verdicts(toy.EXPERIMENT, undecided)["primary"]["verdict"] == "undecided"


def test_a_band_is_one_standard_error_on_each_side_of_the_mean():
    values = np.random.default_rng(0).normal(size=(5, 3))
    axis = Figure().subplots()
    line = harness.draw_mean(axis, [1, 2, 3], values, label="curve")
    np.testing.assert_allclose(line.get_ydata(), values.mean(axis=0))
    (band,) = axis.collections
    found = band.get_paths()[0].vertices[:, 1]
    error = values.std(axis=0, ddof=1) / np.sqrt(5)
    np.testing.assert_allclose(found.max(), (values.mean(axis=0) + error).max())
    np.testing.assert_allclose(found.min(), (values.mean(axis=0) - error).min())


def test_a_run_is_recorded_completely_and_not_repeated(toy, capsys):
    record = execute(toy.EXPERIMENT, ["--quick", "--seeds", "3"])
    assert record["about"]["claim"] == "two times its level is above its level."
    assert record["about"]["figure"] == "An empty figure | with a bar."
    assert record["comparisons"] == {"twice": [-0.5, -0.5, -0.5, False],
                                     "once": [0.25, 0.25, 0.25, True]}  # fmt: skip
    assert record["primary"] == {
        "quantity": "level",
        "values": {"twice": 0.5, "once": 0.25},
        "difference": [0.25, 0.25, 0.25, True],
        "verdict": "confirmed",
    }
    assert record["verdict"] == "mixed"
    assert record["config"] == {"data": "digits", "level": 0.25, "seeds": 3}
    assert record["data"] == {"name": "digits", "fingerprint": data.fingerprint(data.digits())}
    assert {"revision", "jax", "device", "source"} <= record["environment"].keys()
    (file,) = (records.ROOT / "results/toy").glob("*/toy.json")
    assert json.loads(file.read_text()) == record
    np.testing.assert_array_equal(
        np.load(file.parent / "arrays/toy-x.npy"), data.digits().x_train[0]
    )
    with Image.open(file.with_suffix(".png")) as image:
        assert image.size[0] > 100
    assert toy.COMPUTED == [1, 2]
    assert execute(toy.EXPERIMENT, ["--quick", "--seeds", "3"]) == record
    assert toy.COMPUTED == [1, 2]
    execute(toy.EXPERIMENT, ["--quick", "--seeds", "3", "--fresh"])
    assert toy.COMPUTED == [1, 2, 1, 2]
    out = capsys.readouterr().out
    assert "primary claim confirmed: level: 0.5 (twice) against 0.25 (once)" in out
    assert "refuted: twice: -0.5 [-0.5, -0.5]" in out


def test_each_configuration_and_data_set_has_its_own_folder(toy, tmp_path):
    np.save(tmp_path / "x.npy", np.arange(40.0).reshape(20, 2))
    for words in (["--level", "1"], ["--level", "2"], ["--level", "1.0"]):
        execute(toy.EXPERIMENT, ["--quick", *words])
    execute(toy.EXPERIMENT, ["--quick", "--data", str(tmp_path / "x.npy")])
    assert len(list((records.ROOT / "results/toy").iterdir())) == 3


def test_an_interrupted_run_resumes_after_its_last_part(toy):
    for _ in range(2):
        with pytest.raises(InterruptedError):
            execute(toy.EXPERIMENT, ["--level", "7"])
    assert toy.COMPUTED == [1, 2, 2]  # the first part was cached


def test_the_full_setting_writes_the_summary_from_which_the_table_is_generated(toy):
    execute(toy.EXPERIMENT, ["--quick"])
    summary = records.summary_file("toy")
    assert not summary.exists()
    execute(toy.EXPERIMENT, [])
    record = json.loads(summary.read_text())
    assert summary.with_suffix(".png").exists()
    assert "arrays" not in record
    assert table.refreshed(toy.EXPERIMENT) == record
    text = table.document({"toy": record}, {"toy": "nothing was chosen."})
    assert text.startswith("# Experiments")
    assert (
        "\n| [A toy doubles](toy.py) | level: 2 (twice) against 1 (once); difference 1 [1, 1] "
        "| **confirmed** | 3 confirmed | [figure](results/toy.png) | `python -m experiments.toy` |"
    ) in text
    assert f"The 1 full runs took {record['seconds'] / 3600:.1f} hours together." in text
    assert text.endswith("\n| [toy](toy.py) | nothing was chosen. |\n")


def test_other_data_do_not_replace_the_committed_summary(toy, tmp_path):
    execute(toy.EXPERIMENT, [])
    before = records.summary_file("toy").read_bytes()
    np.save(tmp_path / "x.npy", np.arange(40.0).reshape(20, 2))
    loaded = toy.EXPERIMENT.load(str(tmp_path / "x.npy"))
    named = loaded._replace(name=toy.EXPERIMENT.config.data)
    experiment = toy.EXPERIMENT._replace(load=lambda _: named)
    execute(experiment, [])
    assert records.summary_file("toy").read_bytes() == before


def test_one_seed_is_refused_before_training(toy):
    with pytest.raises(ValueError, match="needs --seeds of at least 2, got 1"):
        execute(toy.EXPERIMENT, ["--seeds", "1"])
    assert toy.COMPUTED == []


def test_the_selection_is_the_field_of_the_docstring_as_one_line(toy, monkeypatch):
    text = "A toy.\n\nSelection: λ on validation\n          data.\nRun time: no time.\n"
    monkeypatch.setattr(toy, "__doc__", text)
    assert table.selection(toy.EXPERIMENT) == "λ on validation data."
    monkeypatch.setattr(toy, "__doc__", "A toy.\n\nRun time: no time.\n")
    assert table.selection(toy.EXPERIMENT) == "not recorded"


def rewritten(toy, old: str, new: str) -> ModuleType:
    """The toy with a replacement in its source, imported again."""
    file = Path(toy.__file__)
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("toy", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy"] = module  # the fixture restores it
    spec.loader.exec_module(module)
    return module


def test_changed_code_is_computed_again_and_reverted_code_uses_the_cache(toy):
    words = ["--quick", "--seeds", "2"]
    first = execute(toy.EXPERIMENT, words)
    changed = rewritten(toy, "[factor * config.level]", "[factor * config.level + 1]")
    assert execute(changed.EXPERIMENT, words)["metrics"]["level"] == {
        "1": [1.25, 1.25],
        "2": [1.5, 1.5],
    }
    assert changed.COMPUTED == [1, 2]  # no part of the previous version is used
    back = rewritten(changed, "[factor * config.level + 1]", "[factor * config.level]")
    assert execute(back.EXPERIMENT, words)["metrics"] == first["metrics"]
    assert back.COMPUTED == []
    commented = rewritten(back, "COMPUTED = []", "COMPUTED = []  # computed factors")
    execute(rewritten(commented, '"A toy doubles."', '"A toy that doubles."').EXPERIMENT, words)
    assert len(list((records.ROOT / "results/toy").iterdir())) == 2


def test_cached_parts_of_other_code_are_not_used(toy):
    with pytest.raises(InterruptedError):
        execute(toy.EXPERIMENT, ["--level", "7"])
    changed = rewritten(toy, "factor == 2 and", "factor == 3 and")
    execute(changed.EXPERIMENT, ["--level", "7"])
    assert changed.COMPUTED == [1, 2]


def test_the_digest_covers_harness_and_package_but_not_comments(tmp_path):
    file = tmp_path / "a.py"

    def digest(text: str) -> str:
        file.write_text(text, encoding="utf-8")
        return source_digest.code_digest([file])

    code = 'def f(x):\n    """Twice."""\n    return 2 * x\n'
    assert digest(code) == digest('"""A module."""\n# two\ndef f(x): return (2 * x)\n')
    assert len({digest(code), digest(code.replace("2", "3")), digest(code + "f(1)\n")}) == 3
    assert [folder.name for folder in source_digest.PACKAGES] == ["aejax", "harness"]


def test_lists_of_numbers_are_written_on_one_line(tmp_path):
    records.write_record(tmp_path / "a.json", {"x": {"[\n1": [1, 2.5]}, "y": [[1], ["]", "é"]]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"x": {"[\n1": [1, 2.5]}, "y": [[1], ["]", "é"]]}
    assert "[1, 2.5]" in text


def make(weight):
    objective = aejax.objective(
        aejax.dense((64, 8)), losses.bernoulli, penalties={"decay": (weight, penalties.l2())}
    )
    return objective, optax.adam(1e-2)


def test_settings_and_seeds_train_as_they_would_separately():
    x, x_test = harness.flatten_and_scale(data.digits(), 200)
    assert x.shape == (200, 64)
    assert 0 <= float(x_test.min()) < float(x_test.max()) == 1
    grid = {"epochs": 2, "batch_size": 64}
    params, measured = harness.train_grid(
        make, x, settings=jnp.array([1e-3, 1e-1]), seeds=2, key=jax.random.key(3), **grid
    )
    assert measured["loss"].shape == (2, 2, 2)
    for i, weight in enumerate((1e-3, 1e-1)):
        for j, key in enumerate(jax.random.split(jax.random.key(3), 2)):
            state, _ = training.train(*make(weight), Batch(x), key, **grid)
            jax.tree.map(
                lambda a, b, i=i, j=j: np.testing.assert_allclose(a[i, j], b, atol=1e-5),
                params, state.params,
            )  # fmt: skip


def test_a_training_that_diverges_is_refused():
    x, _ = harness.flatten_and_scale(data.digits(), 200)
    with pytest.raises(FloatingPointError, match=r"settings \[1\] became infinite or NaN"):
        harness.train_grid(
            lambda weight: make(weight),
            x,
            settings=jnp.array([1e-3, jnp.nan]),
            seeds=2,
            key=jax.random.key(0),
            epochs=1,
            batch_size=100,
        )


def test_data_without_bounds_are_refused():
    with pytest.raises(ValueError, match="digits has no bounds"):
        harness.flatten_and_scale(data.digits()._replace(low=None))


def test_accuracy_is_one_for_separated_classes_and_chance_for_noise():
    rng = np.random.default_rng(0)
    labels, labels_test = rng.integers(0, 3, size=(2, 400))
    noise, noise_test = rng.normal(size=(2, 400, 5))
    apart, apart_test = (50 * np.eye(3)[values] for values in (labels, labels_test))
    assert harness.linear_accuracy(apart, labels, apart_test, labels_test) == 1
    assert harness.linear_accuracy(noise, labels, noise_test, labels_test) == pytest.approx(
        1 / 3, abs=0.1
    )


def test_a_mosaic_shows_complete_rows_with_each_image_on_its_own_scale():
    images = np.stack([np.full(4, value) for value in (1.0, -5.0, 0.0, 2.0, 3.0)])
    axis = Figure().subplots()
    harness.mosaic(axis, images, columns=2)
    drawn = np.ma.filled(axis.images[0].get_array(), np.nan)
    assert drawn.shape == (6, 6)
    assert (drawn[0, 0], drawn[0, 3], drawn[3, 0], drawn[3, 3]) == (1, -1, 0, 1)
    assert np.isnan(drawn[2]).all()
