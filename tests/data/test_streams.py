"""Streams of every format give the same examples as `load`, in bounded memory."""

import io
import resource
import sys

import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image

from aejax import data
from aejax.data import UnreadableExampleError, guarded, load_file, open_stream, standardise
from aejax.data.memory_mapping import memory_mapped

X = np.random.default_rng(0).integers(256, size=(23, 5, 4), dtype=np.uint8)


def as_npy(folder):
    np.save(folder / "x.npy", X)
    return folder / "x.npy"


def as_images(folder):
    (folder / "images").mkdir()
    for i, image in enumerate(X):
        Image.fromarray(image).save(folder / "images" / f"{i:03d}.png")
    return folder / "images"


def as_records(folder):
    (folder / "records").mkdir()
    for part, rows in enumerate((X[:10], X[10:])):
        writer = ArrayRecordWriter(str(folder / f"records/x-{part}.array_record"), "group_size:1")
        for row in rows:
            file = io.BytesIO()
            np.save(file, row)
            writer.write(file.getvalue())
        writer.close()
    return folder / "records"


@pytest.mark.parametrize("write", [as_npy, as_images, as_records])
def test_streamed_examples_equal_loaded_ones(tmp_path, write):
    stream, loaded = open_stream(str(write(tmp_path))), load_file(as_npy(tmp_path))
    assert (len(stream.train), len(stream.test)) == (19, 4)
    assert (stream.low, stream.high) == (0, 255)
    for lazy, array in ((stream.train, loaded.x_train), (stream.test, loaded.x_test)):
        assert (lazy.shape, lazy.dtype) == (array.shape, array.dtype)
        np.testing.assert_array_equal(lazy[:], array)
        np.testing.assert_array_equal(lazy[[3, 0, 2]], array[[3, 0, 2]])


def test_array_records_without_grain_name_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "grain", None)  # makes its import fail
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'aejax\[grain\]'"):
        open_stream(as_records(tmp_path))


def test_a_folder_with_a_split_and_its_streamed_statistics(tmp_path):
    x = np.random.default_rng(1).normal(3, 2, size=(40, 6))
    np.save(tmp_path / "x_train.npy", x[:30].astype(">f8"))
    np.save(tmp_path / "x_test.npy", x[30:])
    stream = open_stream(str(tmp_path))
    np.testing.assert_array_equal(stream.train[:], x[:30])
    np.testing.assert_array_equal(stream.test[:], x[30:])
    for found, expected in zip(standardise(stream.train), standardise(x[:30]), strict=True):
        np.testing.assert_array_equal(found, expected)


def as_shards(folder):
    (folder / "shards").mkdir()
    for name, rows in (("part_2", X[:9]), ("part_10", X[9:])):
        np.save(folder / "shards" / f"{name}.npy", rows)
    return folder / "shards"


def test_a_folder_of_shards_is_their_concatenation_in_the_order_of_their_names(tmp_path):
    folder = as_shards(tmp_path)
    stream, loaded = open_stream(folder), data.load(folder)
    for lazy, array in ((stream.train, loaded.x_train), (stream.test, loaded.x_test)):
        np.testing.assert_array_equal(lazy[:], array)
    np.testing.assert_array_equal(loaded.x_test, X[4::5])
    assert (loaded.low, loaded.high) == (stream.low, stream.high) == (0, 255)
    with pytest.raises(ValueError, match="label and ignore name columns of a table"):
        data.load(folder, label="y")
    with pytest.raises(ValueError, match="for a folder of images"):
        data.load(folder, resize=4)


def test_shards_that_do_not_fit_and_unfinished_harvests_are_refused(tmp_path):
    folder = as_shards(tmp_path)
    np.save(folder / "labels.npy", np.zeros((23, 1)))
    for read in (open_stream, data.load):
        with pytest.raises(ValueError, match=r"labels.*float64\[23, 1\] and .*part_2"):
            read(folder)
    (folder / "unfinished.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="when all shards are complete"):
        data.load(folder)


@pytest.mark.slow
def test_prepared_mnist_is_streamed_as_loaded(shared_data, tmp_path):
    source = shared_data / "mnist"
    if not source.exists():
        pytest.skip("the real MNIST is not beside the checkout")
    data.prepare("mnist", data_dir=tmp_path, manual_dir=source)
    stream, loaded = open_stream("mnist", data_dir=tmp_path), data.load("mnist", data_dir=tmp_path)
    rows = [5, 59_999, 17]
    np.testing.assert_array_equal(stream.train[rows], loaded.x_train[rows])
    assert len(stream.test) == 10_000


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "nowhere.npy", "no file or folder"),
        (lambda folder: folder, "contains no images"),
        (lambda folder: (folder / "x.txt").write_text("x") and folder / "x.txt", "expected .npy"),
        (lambda folder: (folder / "x.npy").write_text("x") and folder / "x.npy", "not a readable"),
        (lambda folder: np.save(folder / "x.npy", np.asfortranarray(X)) or folder / "x.npy", "x"),
        (lambda folder: np.save(folder / "x.npy", X[:4]) or folder / "x.npy", "at least 5"),
        (lambda folder: np.save(folder / "x.npy", X[0, 0]) or folder / "x.npy", "a stream needs"),
    ],
)
def test_unsupported_sources_are_refused(tmp_path, make, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        open_stream(str(make(tmp_path)))


def test_an_unreadable_example_is_named_or_skipped(tmp_path):
    path = as_images(tmp_path)
    (path / "007.png").write_bytes(b"\x89PNG")
    x = open_stream(str(path), guard=guarded).train
    with pytest.raises(UnreadableExampleError, match=r"example 7 of .* cannot be read") as caught:
        x[:]
    assert "--skip" in str(caught.value)
    skipped: set[int] = set()
    x = open_stream(str(path), guard=lambda x: guarded(x, skip=1, skipped=skipped)).train
    np.testing.assert_array_equal(x[[4, 6, 0]], X[[5, 5, 0]])  # row 6 of train is file 7: skipped
    assert skipped == {7}
    (path / "003.png").unlink()
    with pytest.raises(UnreadableExampleError, match="example 3 of"):
        x[[2, 3]]


def test_an_example_that_is_not_finite_is_named(tmp_path):
    x = X.astype(np.float32)
    x[11, 2, 1] = np.nan
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(UnreadableExampleError, match=r"example 11 of .*NaN or infinity"):
        open_stream(str(tmp_path / "x.npy"), guard=guarded).train[:]


def test_a_file_may_be_larger_than_memory(tmp_path):
    """A sparse file of fifty gigabytes: the pages that were read are released."""
    path, rows = tmp_path / "large.npy", 64_000_000
    header = np.lib.format.header_data_from_array_1_0(np.zeros((1, 784), np.uint8))
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header | {"shape": (rows, 784)})
        file.truncate(file.tell() + rows * 784)
    x = memory_mapped(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batches = np.random.default_rng(0).integers(rows, size=(40, 1000))
    assert not any(x[each].any() for each in batches)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024


def test_the_default_guard_names_an_example_that_is_not_finite(tmp_path):
    x = X.astype(np.float16)
    x[11, 2, 1] = np.inf
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(UnreadableExampleError, match=r"example 11 of .*NaN or infinity"):
        open_stream(tmp_path / "x.npy").train[:]


def test_fortran_order_is_refused_with_advice(tmp_path):
    np.save(tmp_path / "x.npy", np.asfortranarray(X.reshape(23, 20)))
    with pytest.raises(ValueError, match=r"Fortran order.*np\.ascontiguousarray"):
        open_stream(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", np.ascontiguousarray(np.load(tmp_path / "x.npy")))
    np.testing.assert_array_equal(open_stream(tmp_path / "x.npy").test[0], X[4].ravel())


def test_a_header_with_negative_dimensions_is_refused(tmp_path):
    path = tmp_path / "negative.npy"
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (-5, -3)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(60))
    with pytest.raises(ValueError, match=r"negative\.npy .*negative dimensions"):
        memory_mapped(path)
