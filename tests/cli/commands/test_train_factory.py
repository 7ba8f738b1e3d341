"""`aejax train FILE:FUNCTION`: options of the function, training, resuming, use of such runs."""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from jax import export

from aejax import runs, training
from aejax.cli import main
from aejax.cli.explorer import explored_run, views
from aejax.runs.presentation import shown_examples
from aejax.runs.published_run import check_published_run
from tests.cli.conftest import check, history_of, state_of

MODEL = '''
"""Models of a user."""
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from helpers import identity

import aejax
from aejax import corruptions, losses


def shallow(
    features: int,
    code: int = 2,
    sizes: tuple[int, ...] = (),
    *,
    noise: float = 0.1,
    activation: Literal["gelu", "tanh"] = "tanh",
):
    """One layer.

    Args:
        features: number of features.
        code: size of the code,
            which is linear.
        noise: standard deviation of the noise.
    """
    assert isinstance(sizes, tuple)
    model = aejax.dense(
        (features, *sizes, code),
        activation=getattr(jax.nn, activation),
        code_activation=identity,
    )
    return aejax.objective(model, losses.squared, corruption=corruptions.gaussian(sigma=noise))


class Normal(NamedTuple):
    mean: jax.Array
    log_variance: jax.Array


def variational(shape: tuple[int, ...], units: int) -> aejax.Objective:
    """Images; the code is a tree, and the parameters are a tuple."""
    height, width = shape

    def init(key):
        a, b = jax.random.split(key)
        scale = (height * width) ** -0.5
        return (
            scale * jax.random.normal(a, (height, width, 2 * units)),
            {"w": scale * jax.random.normal(b, (units, height, width)), "b": jnp.zeros(shape)},
        )

    def encode(params, x):
        return Normal(*jnp.split(jnp.einsum("nhw,hwk->nk", x, params[0]), 2, axis=1))

    def decode(params, code):
        return jnp.einsum("nk,khw->nhw", code.mean, params[1]["w"]) + params[1]["b"]

    def sample(key, code):
        noise = jax.random.normal(key, code.mean.shape)
        return code._replace(mean=code.mean + jnp.exp(code.log_variance / 2) * noise)

    model = aejax.Autoencoder(init, encode, decode)
    return aejax.objective(model, losses.bernoulli, perturbation=sample)


def untyped(features, code=3): ...
def unknown(code: "Missing"): ...
def taken(epochs: int = 3): ...
def anything(**options: int): ...
def position(code: int, /): ...
def no_objective(): return 3
def fails(code: int = 3): raise RuntimeError(f"no model of {code}")
def sums(features: int):
    loss = losses.squared._replace(mean=lambda output: output.sum(1, keepdims=True))
    return aejax.objective(aejax.dense((features, 2)), loss)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Folder with a model, data, and two finished runs; read-only."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_model.py").write_text(MODEL)
    (folder / "helpers.py").write_text("def identity(x):\n    return x\n")
    (folder / "broken.py").write_text("import aejax\n\n1 / 0\n")
    (folder / "wrong.py").write_text("def make(:\n")
    rng = np.random.default_rng(0)
    np.save(folder / "rows.npy", rng.random((60, 6)).astype(np.float32))
    np.save(folder / "images.npy", rng.random((40, 5, 4)).astype(np.float32))
    own = f"train {folder}/my_model.py:"
    common = "--batch-size 16 --schedule constant --quiet --out"
    for words in (
        f"shallow --data {folder}/rows.npy --code 3 --sizes 5 4 --epochs 3 {common} {folder}/rows",
        f"variational --data {folder}/images.npy --units 2 --epochs 2 {common} {folder}/images",
    ):
        assert main((own + words).split()) == 0
    return folder


def test_help_lists_the_parameters_and_no_settings_of_other_models(folder, aejax):
    done = aejax(f"train {folder}/my_model.py:shallow --help")
    assert (done.code, done.err) == (0, "")
    own = done.out.partition(f"options of {folder}/my_model.py:shallow")[2].partition("basic")[0]
    text = " ".join(word for word in own.split() if word != "│")
    assert "--code INT size of the code, which is linear. (default: 2)" in text
    assert "--activation {gelu,tanh}" in text
    assert "--sizes [INT [INT ...]]" in text
    assert done.out.count("│ --sizes") == done.out.count("│ --activation") == 1
    for name in ("--features", "--recipe", "--loss", "--tied", "--penalty", "--factory"):
        assert name not in done.out
    for name in ("--data", "--epochs", "--learning-rate", "--resume", "--mesh"):
        assert name in done.out


def test_training_equals_fit_of_the_objective(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    from my_model import shallow

    run = runs.open(folder / "rows")
    assert run.configuration.arguments["features"] == 6
    objective = shallow(6, code=3, sizes=(5, 4))
    rows = np.load(folder / "rows.npy")
    x, order = rows[np.arange(60) % 5 != 4], np.random.default_rng(0).permutation(48)
    low, high = x.min(axis=0), x.max(axis=0)
    scaled = ((x.astype(float) - low) / (high - low)).astype(np.float32)
    train, held_out = scaled[np.sort(order[5:])], scaled[np.sort(order[:5])]
    state, history = training.fit(
        *(objective, optax.adam(1e-3), train),
        key=0,
        epochs=3,
        batch_size=16,
        validation=held_out,
    )
    params = runs.open(folder / "rows", checkpoint=int(state.step)).params
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), params, state.params)
    assert history_of(folder / "rows")[-1]["loss"] == pytest.approx(history[-1]["loss"], rel=1e-4)


def test_a_run_resumes_bit_identically_without_its_caller(folder, tmp_path, aejax, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    data = f"--data {folder}/rows.npy --code 3 --sizes 5 4 --batch-size 16 --schedule constant"
    out = tmp_path / "run"
    assert aejax(f"train {folder}/my_model.py:shallow {data} --epochs 1 --out", out).code == 0
    assert aejax("train --resume --epochs 2 --out", out).code == 0
    assert aejax(f"train {folder}/my_model.py:shallow --resume --epochs 3 --out", out).code == 0
    assert state_of(out) == state_of(folder / "rows")
    again = tmp_path / "again"
    assert aejax("train --from", folder / "rows", "--out", again).code == 0
    assert state_of(again) == state_of(folder / "rows")
    changed = aejax(f"train {folder}/my_model.py:shallow --resume --noise 0.2 --out", out)
    check(changed, "arguments.noise was 0.1, now 0.2")


@pytest.mark.filterwarnings("default:.*has changed")
def test_a_changed_source_is_noticed(folder, tmp_path, aejax):
    model = tmp_path / "my_model.py"
    helpers, unrelated = tmp_path / "helpers.py", tmp_path / "unrelated.py"
    for path in (model, helpers):
        path.write_bytes((folder / path.name).read_bytes())
    unrelated.write_text("import my_model\n")
    options = "--batch-size 16 --schedule constant --quiet --epochs"
    words, out = f"{model}:shallow --data {folder}/rows.npy {options}", tmp_path / "run"
    assert aejax(f"train {words} 1 --out", out).code == 0
    encode = "encode", out, folder / "rows.npy", "--out", tmp_path / "codes.npy"
    model.write_text('"""Other models."""  # with a comment\n' + MODEL.split('"""\n', 1)[1])
    unrelated.write_text("import my_model, os\n")
    assert aejax(*encode).err == ""
    for path, old, new in ((helpers, "return x", "return 2 * x"), (model, "gaussian", "masking")):
        text = path.read_text()
        path.write_text(text.replace(old, new).replace("sigma=", "rate="))
        changed = f"{model}:shallow has changed since {out} was "
        warned = aejax(*encode)
        assert (warned.code, warned.err.count("has changed")) == (0, 1)
        assert f"aejax: {changed}trained: the results may not be those of the run" in warned.err
        check(aejax("train --resume --epochs 2 --out", out), f"{changed}started: restore it")
        path.write_text(text)
    repeated = aejax("train --from", out, "--out", tmp_path / "again")
    assert (repeated.code, "has changed" in repeated.err) == (0, False)
    helpers.write_text("def identity(x):\n    return 1 * x\n")
    assert "has changed" in aejax("train --from", out, "--out", tmp_path / "other").err
    (out / "digests.json").unlink()  # on purpose
    assert aejax("train --resume --quiet --epochs 2 --out", out).code == 0
    assert aejax(*encode).err == ""
    assert len(history_of(out)) == 2


@pytest.mark.slow
def test_a_required_parameter_is_that_of_the_resumed_run(folder, tmp_path, aejax):
    model, data = f"train {folder}/my_model.py:variational", f"--data {folder}/images.npy"
    for words in ("", "--resume"):  # of a run that does not exist yet
        missing = aejax(model, data, words, "--out", tmp_path / "run")
        check(missing, "Missing from aejax train | --units INT (required)")
    options = "--batch-size 16 --schedule constant --epochs 1 --units 2 --out"
    assert aejax(model, data, options, tmp_path / "run").code == 0
    assert aejax(model, "--resume --epochs 2 --out", tmp_path / "run").code == 0
    assert state_of(tmp_path / "run") == state_of(folder / "images")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("{folder}/none.py:make", "there is no file | none.py"),
        ("{folder}/my_model.py:make", "does not exist | its functions are shallow, variational"),
        ("{folder}/my_model.py", "a factory must be 'module:function'"),
        ("no_module:make", "no_module:make cannot be imported: No module named"),
        ("{folder}/broken.py:make", "cannot be imported in line 3: ZeroDivisionError"),
        ("{folder}/wrong.py:make", "cannot be imported: SyntaxError | line 1"),
        ("{folder}/my_model.py:untyped", "the parameter code of | has no type | code: int"),
        ("{folder}/my_model.py:unknown", "have an unknown type: name 'Missing'"),
        ("{folder}/my_model.py:taken", "the parameter epochs of taken has the name of an option"),
        ("{folder}/my_model.py:anything", "takes **options: int, which cannot become options"),
        ("{folder}/my_model.py:position", "must take its parameters by name, but code: int"),
        ("{folder}/my_model.py:no_objective", "must return an objective | got int"),
        ("{folder}/my_model.py:fails --code 4", "failed on {'code': 4} in line | no model of 4"),
        ("{folder}/my_model.py:shallow --cod 4", "unknown option --cod; did you mean --code"),
        ("{folder}/my_model.py:shallow --loss squared", "unknown option --loss"),
        (
            "{folder}/my_model.py:shallow --code big",
            "parsing --code: invalid literal",
        ),
        ("{folder}/my_model.py:sums", "outputs of shape [1] from examples of shape [6]"),
    ],
)
def test_bad_factories_are_refused(folder, tmp_path, aejax, words, parts):
    named = words.format(folder=folder)
    check(aejax(f"train {named} --data {folder}/rows.npy --out", tmp_path / "run"), parts)
    assert not (tmp_path / "run").exists()


def test_every_command_takes_a_run_with_images_and_a_tree_as_code(folder, tmp_path, aejax, undrawn):
    run, images = folder / "images", np.load(folder / "images.npy")
    opened = runs.open(run)
    assert isinstance(opened, runs.Run)
    x_hat = runs.reconstruct(opened, images)
    report = aejax("report", run, "--out", tmp_path / "report.html")
    assert report.code == 0, report.err
    page = (tmp_path / "report.html").read_text()
    for part in ("Learning curves", "Reconstructions", "Traversals", "my_model.py:variational"):
        assert part in page
    assert "There is no row for PCA: the code is a tree of arrays." in page
    scored = aejax("score", run, folder / "images.npy", "--out", tmp_path / "scores.npz")
    assert scored.code == 0, scored.err
    with np.load(tmp_path / "scores.npz") as found:
        scale = opened.normalisation.scale
        lost = ((x_hat - images) / scale) ** 2
        np.testing.assert_allclose(found["error"], lost.sum(axis=(1, 2)), rtol=1e-3)
    exported = aejax("export", run, "--out", tmp_path / "exported")
    assert exported.code == 0, exported.err
    calls = {}
    for name in ("encode", "decode"):
        data = (tmp_path / f"exported/{name}.stablehlo").read_bytes()
        calls[name] = export.deserialize(bytearray(data)).call
    units = calls["encode"](jnp.asarray(images))
    code = runs.encode(opened, images)
    np.testing.assert_allclose(units, np.hstack([code.mean, code.log_variance]), atol=1e-5)
    np.testing.assert_allclose(calls["decode"](units), x_hat, atol=1e-5)
    arrays = np.load(tmp_path / "exported/parameters.npz")
    np.testing.assert_array_equal(arrays["1.w"], opened.params[1]["w"])
    again = runs.open(tmp_path / "exported")
    np.testing.assert_array_equal(runs.reconstruct(again, images), x_hat)


def test_a_run_of_a_table_leaves_missing_values_out(folder, tmp_path, aejax, undrawn):
    x = np.random.default_rng(0).normal(size=(40, 3)).round(3)
    missing = np.random.default_rng(1).random(x.shape) < 0.2
    table = pd.DataFrame(np.where(missing, np.nan, x), columns=list("abc"))
    table.to_csv(tmp_path / "holes.csv", index=False)
    words = f"train {folder}/my_model.py:shallow --data {tmp_path}/holes.csv --missing weight-zero"
    trained = aejax(words, "--epochs 1 --quiet --out", tmp_path / "run")
    assert trained.code == 0, trained.err
    run, out = tmp_path / "run", tmp_path / "scores.csv"
    for options in ((), ("--train", tmp_path / "holes.csv")):
        scored = aejax("score", run, tmp_path / "holes.csv", "--out", out, *options)
        assert scored.code == 0, scored.err
        errors = pd.read_csv(out)[["error_a", "error_b", "error_c"]]
        np.testing.assert_array_equal(errors == 0, missing)
    assert aejax("report", run, "--out", tmp_path / "report.html").code == 0
    assert "Errors" in (tmp_path / "report.html").read_text()


def test_a_run_that_needs_code_is_neither_published_nor_pulled(folder, tmp_path, aejax):
    published = aejax("publish", folder / "rows", "--license mit --out", tmp_path / "published")
    check(published, "cannot be published or pulled | the code of my_model.py:shallow")
    assert aejax("export", folder / "rows", "--out", tmp_path / "exported").code == 0
    (tmp_path / "exported" / "README.md").write_text("a card")
    with pytest.raises(ValueError, match="cannot be published or pulled"):
        check_published_run(tmp_path / "exported")


def test_the_explorer_varies_the_units_of_a_tree(folder):
    run = runs.open(folder / "images")
    view = explored_run.view(run, shown_examples(run, None))
    shown = views.example(view, 1)
    assert len(shown["code"]) == 4
    code = runs.encode(run, view.x[1:2])
    np.testing.assert_allclose(shown["code"][:2], code.mean[0], atol=1e-6)
    changed = [5.0, *shown["code"][1:]]
    expected = runs.inference.decoder(run)(code._replace(mean=np.float32([changed[:2]])))
    found = views.decoded(view, 1, changed)["x_hat"]
    np.testing.assert_allclose(found, expected.ravel(), atol=1e-6)
    assert np.shape(views.unit(view, 3)["filter"]) == (20,)


@pytest.mark.slow
def test_a_file_that_moved_is_found_in_the_working_directory(folder, tmp_path, monkeypatch, aejax):
    out = tmp_path / "run"
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "mine.py").write_text(MODEL)
    monkeypatch.syspath_prepend(folder)  # helpers.py
    words = f"train {tmp_path}/old/mine.py:shallow --data {folder}/rows.npy --epochs 1 --out"
    assert aejax(words, out).code == 0
    (tmp_path / "old").rename(tmp_path / "new")
    check(aejax("encode", out, folder / "rows.npy"), "there is no file | mine.py in")
    monkeypatch.chdir(tmp_path / "new")
    codes = aejax("encode", out, folder / "rows.npy", "--out", tmp_path / "codes.npy")
    assert codes.code == 0, codes.err
    assert json.loads((out / "configuration.json").read_text())["arguments"]["features"] == 6


@pytest.fixture(autouse=True)
def _modules_of_the_test_are_forgotten():
    yield
    for name in ("my_model", "helpers"):
        sys.modules.pop(name, None)
