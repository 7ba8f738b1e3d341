"""The section of a dictionary shows the statistics of NumPy, and only for dictionaries."""

import re
from html import unescape

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import data, losses, runs
from aejax.cli.main import main
from aejax.data.columns import Column, Schema
from aejax.report.dictionary_section import dictionary_sections
from aejax.runs.examples import ShownExamples
from aejax.runs.presentation import shown_examples

X = np.asarray(data.digits().x_train[:300].reshape(-1, 64) / 16, np.float32)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    model = aejax.dictionary(64, 24, activation=aejax.top_k_relu(k=3))
    return runs.train(
        aejax.objective(model, losses.squared),
        optax.adam(1e-2),
        X,
        out=tmp_path_factory.mktemp("runs") / "dictionary",
        epochs=20,
        key=0,
    )


def shown(x=X, **more):
    return ShownExamples(x, more.pop("labels", None), aejax.Batch(jnp.asarray(x)), **more)


def text(html):
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def of_images():
    """A dictionary whose examples are images, as the command line shows them."""
    flat = aejax.dictionary(64, 24, activation=aejax.top_k_relu(k=3))
    return aejax.Autoencoder(
        flat.init,
        lambda params, x: flat.encode(params, x.reshape(-1, 64)),
        lambda params, code: flat.decode(params, code).reshape(-1, 8, 8),
    )


def test_the_numbers_are_those_of_numpy(run):
    (section,) = dictionary_sections(run, shown())
    params = jax.tree.map(lambda leaf: np.asarray(leaf, float), run.params)
    kernel, centre = params["decoder"]["kernel"], params["centre"]["bias"]
    z = (X - centre) @ params["encoder"]["kernel"] + params["encoder"]["bias"]
    code = np.where(z >= np.sort(z, axis=1)[:, -3:-2], np.maximum(z, 0), 0)
    x_hat = code @ kernel + centre
    explained = 1 - np.square(X - x_hat).sum() / np.square(X - X.mean(axis=0)).sum()
    ratio = np.mean(np.linalg.norm(x_hat, axis=1) / np.linalg.norm(X, axis=1))
    body = text(section.body)
    assert explained > 0  # a minus sign would be another character than Python's
    assert f"L0 {np.count_nonzero(code) / 300:#.4g}" in body
    assert f"explained variance {explained:#.4g}" in body
    assert f"dead latents {24 - np.count_nonzero(code.any(axis=0))} " in body
    assert f"‖x̂‖/‖x‖ {ratio:#.4g}" in body
    frequency = np.count_nonzero(code, axis=0) / 300
    busiest = int(np.argmax(frequency))
    best = int(np.argmax(code[:, busiest]))
    row = re.search(rf"{busiest} {100 * frequency[busiest]:.3g} % (\S+) (example \d+),", body)
    assert row is not None
    assert row[2] == f"example {best}"
    assert float(row[1]) == pytest.approx(code[best, busiest], rel=1e-3)


def test_examples_have_their_names(run):
    labels = data.digits().labels_train
    assert labels is not None
    (section,) = dictionary_sections(run, shown(labels=labels[:300]))
    assert re.search(r"%[^%]*? \d\.\d+ (\d, ){7}\d\b", text(section.body))
    assert "classes of the examples with the largest activations" in section.body
    others = {"row index": np.arange(300), "word": np.array([f"<w{i}>" for i in range(300)])}
    (section,) = dictionary_sections(run, shown(others=others))
    assert "&lt;w" in section.body
    assert "<w" not in section.body


def test_directions_of_a_table_are_described_by_its_features(run):
    columns = [Column(f"pixel {index}") for index in range(64)]
    table = run._replace(about=run.about._replace(schema=Schema(tuple(columns))))
    (section,) = dictionary_sections(table, shown())
    code = np.asarray(run.objective.model.encode(run.params, jnp.asarray(X)))
    busiest = int(np.argmax(np.count_nonzero(code, axis=0)))
    direction = np.asarray(run.params["decoder"]["kernel"][busiest])
    first, second = np.argsort(-np.abs(direction))[:2]
    weights = [f"pixel {i} {direction[i]:+.2f}".replace("-", "−") for i in (first, second)]
    assert ", ".join(weights) in text(section.body)
    (plain,) = dictionary_sections(run, shown())
    assert "Directions by feature" not in plain.body


def test_images_of_the_top_examples_are_shown_for_images_only(run, tmp_path):
    (flat,) = dictionary_sections(run, shown())
    images = X.reshape(-1, 8, 8)
    run = runs.train(
        aejax.objective(of_images(), losses.squared),
        optax.adam(1e-2),
        images,
        out=tmp_path / "images",
        epochs=1,
        key=0,
    )
    (section,) = dictionary_sections(run, shown(images))
    assert flat.body.count("<img") == 1
    assert section.body.count("<img") == 2


def test_a_transcoder_is_judged_by_its_targets(tmp_path):
    target = np.tanh(X @ np.random.default_rng(0).normal(size=(64, 10))).astype(np.float32)
    model = aejax.transcoder(64, 24, 10, activation=aejax.top_k_relu(k=3))
    batch, folder = aejax.Batch(X, target=target), tmp_path / "run"
    objective = aejax.objective(model, losses.squared)
    run = runs.train(objective, optax.adam(1e-2), batch, out=folder, epochs=20, key=0)
    (section,) = dictionary_sections(run, shown())
    assert "predicts targets, which are not given" in text(section.body)
    assert "explained variance 0" not in text(section.body)
    np.savez(tmp_path / "pairs.npz", x=X, target=target)
    (section,) = dictionary_sections(run, shown_examples(run, tmp_path / "pairs.npz"))
    output = np.asarray(model.decode(run.params, model.encode(run.params, jnp.asarray(X))), float)
    lost = np.square(target - output).sum() / np.square(target - target.mean(axis=0)).sum()
    assert 0.1 < 1 - lost < 1
    assert f"explained variance {1 - lost:#.4g}" in text(section.body)
    np.savez(tmp_path / "short.npz", x=X, target=target[:, 1:])
    with pytest.raises(ValueError, match=r"targets have the shape \[300, 9\], .* \[300, 10\]"):
        dictionary_sections(run, shown_examples(run, tmp_path / "short.npz"))


def test_other_models_have_no_section(tmp_path):
    run = runs.train(
        aejax.objective(aejax.dense((64, 8)), losses.squared),
        optax.adam(1e-2),
        X,
        out=tmp_path / "dense",
        epochs=1,
        key=0,
    )
    assert dictionary_sections(run, shown()) == []


def test_names_of_rows_and_harvested_folders_are_read(run, tmp_path):
    np.savez(tmp_path / "x.npz", x=X, token=np.array([f"token {i}" for i in range(len(X))]))
    (section,) = dictionary_sections(run, shown_examples(run, tmp_path / "x.npz"))
    assert re.search(r"token \d+, token \d+", section.body)
    runs.harvest(lambda params, x: x, {}, X, out=tmp_path / "harvested")
    (section,) = dictionary_sections(run, shown_examples(run, tmp_path / "harvested"))
    assert re.search(r"example \d+, example \d+", section.body)


@pytest.mark.slow
def test_the_command_writes_the_section(tmp_path):
    runs.train(
        "tests.report.test_dictionary_section:factory",
        optax.adam(1e-2),
        X,
        out=tmp_path / "run",
        epochs=1,
        key=0,
    )
    np.save(tmp_path / "x.npy", X)
    main(["report", str(tmp_path / "run"), "--data", str(tmp_path / "x.npy")])
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert '<h2 id="s0">Dictionary</h2>' in page


def factory():
    return aejax.objective(
        aejax.dictionary(64, 16, activation=aejax.top_k_relu(k=3)), losses.squared
    )
