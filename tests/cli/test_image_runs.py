"""Runs of folders of images: classes, sizes and names are kept by every command."""

import base64
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aejax.cli import main
from aejax.cli.explorer import explored_run, views
from aejax.data import load
from aejax.runs.presentation import shown_examples, shown_with_train
from aejax.runs.run import open_run
from aejax.runs.streamed_examples import load_seen_examples, load_trained_examples
from tests.cli.conftest import check, history_of

CONVERTED = "--image-mode RGB --resize 9 --crop 8x6"
SETTINGS = f"train {CONVERTED} --sizes 144 6 --epochs 2 --batch-size 8 --quiet --data"
RNG = np.random.default_rng(0)


def svg_texts(page: str) -> str:
    """SVG figures of a page."""
    found = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page)
    return "".join(base64.b64decode(text).decode() for text in found)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Images of several sizes, modes and formats in two classes; in memory and as a stream."""
    folder = tmp_path_factory.mktemp("photographs")
    for i in range(24):
        image = Image.fromarray(RNG.integers(0, 256, (12 + i % 3, 10 + i % 5, 3), np.uint8))
        image = image.convert(("RGB", "L", "RGBA")[i % 3])
        suffix = "png" if image.mode == "RGBA" else ("jpg", "png", "gif")[i % 3]
        path = folder / "in" / ("cat" if i < 12 else "dog") / f"{i:02}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    (folder / "in" / ".DS_Store").write_bytes(b"\0")
    for name, stream in (("memory", ""), ("stream", "--stream")):
        words = [*SETTINGS.split(), str(folder / "in"), *stream.split()]
        assert main([*words, "--out", str(folder / name)]) == 0
    return folder


def test_a_stream_trains_as_the_folder_in_memory(photographs):
    memory, stream = (open_run(photographs / name) for name in ("memory", "stream"))
    assert memory.about.feature_shape == stream.about.feature_shape == (8, 6, 3)
    assert len(history_of(photographs / "memory")) == len(history_of(photographs / "stream")) == 2
    loaded = load(photographs / "in", image_mode="RGB", resize=9, crop=(8, 6))
    for name in ("memory", "stream"):
        shown = load_seen_examples(open_run(photographs / name))
        np.testing.assert_array_equal(shown.raw, loaded.x_test)
        assert shown.class_names.tolist() == ["cat"] * 2 + ["dog"] * 2
        assert views.example(explored_run.view(memory, shown), 3)["label"] == "dog"


def test_a_report_of_new_images_has_their_classes(photographs):
    run = open_run(photographs / "memory")
    shown = shown_examples(run, photographs / "in" / "dog")
    assert shown.class_names is None
    shown, x_train = shown_with_train(run, photographs / "in")
    assert shown.class_names.tolist() == ["cat"] * 12 + ["dog"] * 12
    assert x_train is None
    _, x_train = shown_with_train(run, None)
    np.testing.assert_array_equal(x_train, load_trained_examples(run).pca_examples()[0])


def test_conversions_and_classes_are_said(photographs, tmp_path, aejax):
    said = aejax(SETTINGS, photographs / "in", "--no-pca --out", tmp_path / "run").err
    expected = "converted to RGB, resized to a shorter side of 9, cropped to the centre 8x6"
    assert said.startswith(f"aejax: images of 8 x 6 x 3, {expected}, classes cat, dog\n")
    out = tmp_path / "codes.npz"
    said = aejax("encode", photographs / "memory", photographs / "in", "--out", out).err
    assert said == f"aejax: 24 images {expected}, as for training\n"
    with np.load(out) as found:
        assert found["x"].shape == (24, 6)
        assert found["class"].tolist() == ["cat"] * 12 + ["dog"] * 12


@pytest.mark.parametrize(("command", "first"), [("encode", "code_0"), ("score", "error")])
def test_rows_have_the_name_and_the_class_of_an_image(photographs, tmp_path, aejax, command, first):
    run, out = photographs / "memory", tmp_path / "x.csv"
    assert aejax(command, run, photographs / "in", "--out", out).code == 0
    table = pd.read_csv(out)
    assert list(table)[:3] == ["file", "class", first]
    assert table["file"].tolist() == [
        str(path.relative_to(photographs / "in"))
        for path in sorted((photographs / "in").glob("*/*"))
    ]
    one = photographs / "in" / "dog" / "19.png"  # a test image: its rank has no tie
    assert aejax(command, run, one, "--out", out).code == 0
    row = (
        table[table["file"] == "dog/19.png"].drop(columns=["file", "class"]).reset_index(drop=True)
    )
    found = pd.read_csv(out)
    assert found.pop("file").tolist() == ["19.png"]
    pd.testing.assert_frame_equal(found, row, rtol=1e-5)


def test_reconstructions_are_images_in_the_same_folders(photographs, tmp_path, aejax):
    run, out = photographs / "stream", tmp_path / "out"
    assert aejax("reconstruct", run, photographs / "in", "--out", out).code == 0
    assert aejax("reconstruct", run, photographs / "in", "--out", tmp_path / "x.npy").code == 0
    expected = np.rint(np.load(tmp_path / "x.npy").clip(0, 255))
    written = load(out)
    np.testing.assert_array_equal(written.x_test, expected[4::5])
    np.testing.assert_array_equal(written.x_train, np.delete(expected, np.s_[4::5], axis=0))
    assert written.classes == ("cat", "dog")
    one = photographs / "in" / "cat" / "00.jpg"
    assert aejax("reconstruct", run, one, "--out", tmp_path / "one.png").code == 0
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "one.png")), expected[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "out", "x.npy"]


def test_images_of_one_name_do_not_replace_each_other(photographs, tmp_path, aejax):
    for suffix in ("jpg", "png"):
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / f"a.{suffix}")
    out = tmp_path / "out"
    assert aejax("reconstruct", photographs / "memory", tmp_path, "--out", out).code == 0
    assert sorted(path.name for path in out.iterdir()) == ["a.jpg.png", "a.png.png"]


@pytest.mark.parametrize(
    ("data", "out", "words"),
    [
        ("in", "in", "in exists and is not an empty folder"),
        ("in", "x.png", "out must be a new folder, or end in .npy, .npz, .csv, got"),
        ("in/cat/00.jpg", "x.jpg", "out must end in .png, or end in .npy, .npz, .csv, got"),
        ("in/cat/00.jpg", "x.tif", "images of dtype uint8 are written as .png, got"),
    ],
)
def test_destinations_that_cannot_be_written_are_refused(photographs, aejax, data, out, words):
    before = sorted(photographs.rglob("*"))
    run = photographs / "memory"
    check(aejax("reconstruct", run, photographs / data, "--out", photographs / out), words)
    assert sorted(photographs.rglob("*")) == before


def test_new_images_are_converted_as_the_training_images_or_refused(photographs, tmp_path, aejax):
    Image.fromarray(np.zeros((5, 400), np.uint8)).save(tmp_path / "a.png")
    out = tmp_path / "codes.npy"
    assert aejax("encode", photographs / "memory", tmp_path / "a.png", "--out", out).code == 0
    x = RNG.integers(0, 256, (4, 9, 9, 3), np.uint8)
    np.save(tmp_path / "x.npy", x)
    outcome = aejax("encode", photographs / "memory", tmp_path / "x.npy", "--out", out)
    check(outcome, "the run was trained on examples of shape [8, 6, 3], got [9, 9, 3]")
    with (tmp_path / "a.png").open("r+b") as file:
        file.truncate(40)
    check(
        aejax("encode", photographs / "memory", tmp_path / "a.png", "--out", out),
        "a.png cannot be read as an image",
    )


@pytest.mark.slow
def test_a_report_names_the_classes(photographs, tmp_path, aejax):
    out = tmp_path / "report.html"
    assert aejax("report", photographs / "memory", "--out", out).code == 0
    assert {"cat", "dog"} <= set(re.findall(r">(\w+)<", svg_texts(out.read_text())))


def test_images_of_another_range_of_values_are_refused(tmp_path, aejax):
    rng = np.random.default_rng(1)
    (tmp_path / "grey").mkdir()
    for i in range(10):
        Image.fromarray(rng.integers(0, 256, (4, 4), np.uint8)).save(tmp_path / f"grey/{i}.png")
    sixteen = rng.integers(0, 65536, (4, 4), np.uint16)
    Image.fromarray(sixteen).save(tmp_path / "sixteen.png")
    Image.fromarray(sixteen > 100).save(tmp_path / "bits.png")
    words = "train --code 2 --normalise unit-range --epochs 1 --quiet --data"
    assert aejax(words, tmp_path / "grey", "--out", tmp_path / "run").code == 0
    for name, top in (("sixteen", "65535"), ("bits", "1")):
        outcome = aejax("encode", tmp_path / "run", tmp_path / f"{name}.png")
        assert outcome.code == 2
        assert f"values from 0 to {top}, but the run was trained on values from 0 to 255" in (
            outcome.err
        )
    out = tmp_path / "codes.npy"
    assert aejax("encode", tmp_path / "run", tmp_path / "grey/3.png", "--out", out).code == 0
