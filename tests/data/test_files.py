import io
import warnings
import zipfile

import numpy as np
import pytest

from aejax.data import fingerprint, load, load_array, load_file, open_stream

X = np.random.default_rng(0).normal(size=(10, 2, 3))
LABELS = np.arange(10, dtype=np.uint8)


def is_memory_mapped(x):
    return isinstance(x, np.memmap) or isinstance(x.base, np.memmap)


def test_npy_is_memory_mapped_and_split_by_fifths(tmp_path):
    np.save(tmp_path / "x.npy", X)
    dataset = load(tmp_path / "x.npy")
    assert dataset.name == "x.npy"
    assert is_memory_mapped(dataset.x_test)
    assert is_memory_mapped(load_array(tmp_path / "x.npy"))
    np.testing.assert_array_equal(load_array(tmp_path / "x.npy"), X)
    np.testing.assert_array_equal(dataset.x_test, X[[4, 9]])
    np.testing.assert_array_equal(dataset.x_train, np.delete(X, [4, 9], axis=0))
    assert (dataset.labels_train, dataset.low, dataset.high) == (None, None, None)


def test_uint8_has_bounds_and_big_endian_becomes_native(tmp_path):
    np.save(tmp_path / "pixels.npy", (X * 9).astype(np.uint8))
    pixels = load(tmp_path / "pixels.npy")
    assert (pixels.low, pixels.high) == (0, 255)
    np.save(tmp_path / "big.npy", X.astype(">f4"))
    assert load_array(tmp_path / "big.npy").dtype == np.float32
    np.testing.assert_array_equal(load_array(tmp_path / "big.npy"), X.astype(np.float32))


@pytest.mark.parametrize("labels_name", ["labels", "y"])
def test_npz_with_a_split(tmp_path, labels_name):
    arrays = {f"{labels_name}_train": LABELS[:6], f"{labels_name}_test": LABELS[6:]}
    np.savez_compressed(tmp_path / "file.npz", x_train=X[:6], x_test=X[6:], **arrays)
    dataset = load(tmp_path / "file.npz")
    np.testing.assert_array_equal(dataset.x_train, X[:6])
    np.testing.assert_array_equal(dataset.x_test, X[6:])
    np.testing.assert_array_equal(dataset.labels_train, LABELS[:6])
    np.testing.assert_array_equal(dataset.labels_test, LABELS[6:])
    assert dataset.labels_test.dtype == np.int64


@pytest.mark.parametrize("name", ["x", "anything"])
def test_npz_without_a_split(tmp_path, name):
    np.savez(tmp_path / "file.npz", **{name: X})
    np.testing.assert_array_equal(load(tmp_path / "file.npz").x_test, X[[4, 9]])
    assert load(tmp_path / "file.npz").labels_test is None
    np.savez(tmp_path / "labelled.npz", x=X, labels=LABELS)
    np.testing.assert_array_equal(load(tmp_path / "labelled.npz").labels_test, [4, 9])


def test_one_array_of_an_npz(tmp_path):
    np.savez(tmp_path / "one.npz", images=X)
    np.savez(tmp_path / "named.npz", x=X, labels=LABELS)
    np.savez(tmp_path / "two.npz", images=X, faces=X)
    np.testing.assert_array_equal(load_array(tmp_path / "one.npz"), X)
    np.testing.assert_array_equal(load_array(tmp_path / "named.npz"), X)
    with pytest.raises(
        ValueError, match="contains faces, images; expected one array, or one named x"
    ):
        load_array(tmp_path / "two.npz")
    with pytest.raises(ValueError, match="contains faces, images; expected x_train and x_test"):
        load_file(tmp_path / "two.npz")


def test_folder_of_npy_stays_memory_mapped(tmp_path):
    for name, array in {"x_train": X[:6], "x_test": X[6:], "labels_train": LABELS[:6]}.items():
        np.save(tmp_path / f"{name}.npy", array)
    dataset = load(tmp_path)
    assert is_memory_mapped(dataset.x_train)
    assert is_memory_mapped(dataset.x_test)
    np.testing.assert_array_equal(dataset.x_train, X[:6])
    np.testing.assert_array_equal(dataset.labels_train, LABELS[:6])
    assert dataset.labels_test is None


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_folder_of_the_four_idx_files(tmp_path, write_idx, small_mnist, suffix):
    for name, stem in {
        "x_train": "train-images-idx3-ubyte",
        "labels_train": "train-labels-idx1-ubyte",
        "x_test": "t10k-images-idx3-ubyte",
        "labels_test": "t10k-labels-idx1-ubyte",
    }.items():
        write_idx(tmp_path / f"{stem}{suffix}", small_mnist[name])
    dataset = load(tmp_path)
    for name, expected in small_mnist.items():
        np.testing.assert_array_equal(getattr(dataset, name), expected)
    (tmp_path / f"t10k-images-idx3-ubyte{suffix}").unlink()
    with pytest.raises(FileNotFoundError, match="lacks t10k-images-idx3-ubyte"):
        load(tmp_path)


def test_single_idx_file(tmp_path, write_idx):
    path = write_idx(tmp_path / "images-idx3-ubyte.gz", X.astype(np.float32))
    np.testing.assert_array_equal(load_array(path), X.astype(np.float32))
    assert load(path).x_test.shape == (2, 2, 3)


def test_equal_arrays_have_equal_fingerprints(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, labels=LABELS)
    np.savez_compressed(tmp_path / "b.npz", x=X, labels=LABELS.astype(np.int64))
    assert fingerprint(load(tmp_path / "a.npz")) == fingerprint(load(tmp_path / "b.npz"))


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x93NUMPY\1\0\xff\xff", b"PK\3\4oops"])
def test_unreadable_numpy_files(tmp_path, suffix, content):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"broken\{suffix} is not a readable \{suffix} file"):
        load(path)


def test_an_empty_npy(tmp_path):
    np.save(tmp_path / "x.npy", X[:0])
    with pytest.raises(ValueError, match=r"x.npy is empty, shape \(0, 2, 3\)"):
        load_array(tmp_path / "x.npy")
    with pytest.raises(ValueError, match="0 examples without a test split"):
        load(tmp_path / "x.npy")


def test_an_npy_file_named_npz(tmp_path):
    with (tmp_path / "x.npz").open("wb") as file:
        np.save(file, X)
    with pytest.raises(ValueError, match="is not a readable"):
        load(tmp_path / "x.npz")


def test_truncated_npy(tmp_path):
    np.save(tmp_path / "x.npy", X)
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-8])
    with pytest.raises(ValueError, match="is not a readable"):
        load(tmp_path / "x.npy")


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_pickles_are_never_loaded(tmp_path, suffix):
    objects = np.array([{"a": 1}] * 6, dtype=object)
    save = np.save if suffix == ".npy" else np.savez
    save(tmp_path / f"pickled{suffix}", objects, allow_pickle=True)
    with pytest.raises(ValueError, match=r"Object arrays cannot be loaded|Python objects"):
        load(tmp_path / f"pickled{suffix}")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.float64(3), "contains a scalar"),
        (np.arange(10.0), r"x_train has shape \(8,\), 1 axes"),
        (np.zeros((4, 2)), "4 examples without a test split"),
        (np.zeros((5, 0)), r"x_train is empty, shape \(4, 0\)"),
        (np.full((5, 2), "a"), "expected real numbers"),
        (np.where(np.arange(20) == 7, np.nan, 1.0).reshape(10, 2), r"index \(3, 1\)"),
    ],
)
def test_unusable_arrays(tmp_path, array, message):
    np.savez(tmp_path / "x.npz", array)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.txt", b"1 2\n", r"is not a \.npy, \.npz or IDX file; save the table as .csv, with"),
        ("x.png", b"\x89PNG", "a data set is a folder of images"),
        ("x.array_record", b"\1\2", "stream the folder of images or records: --stream"),
        ("x.mat", b"MATLAB 5.0", r"is not a \.npy, \.npz or IDX file$"),
    ],
)
def test_errors_for_unsupported_formats_give_advice(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    for read in (load, load_array, open_stream):
        with pytest.raises(ValueError, match=rf"{name} (is not a|cannot be streamed).*"):
            read(tmp_path / name)
    with pytest.raises(ValueError, match=words):
        load(tmp_path / name)


def test_load_array_refuses_a_folder(tmp_path):
    with pytest.raises(ValueError, match="is a folder; expected one"):
        load_array(tmp_path)


@pytest.mark.parametrize("names", [["x.npy", "x.npy"], ["x.npy", "x"]])
def test_an_archive_with_repeated_names_is_refused(tmp_path, names):
    file = io.BytesIO()
    np.save(file, X)
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        warnings.simplefilter("ignore")  # of zipfile, about the repeated name
        for name in names:
            archive.writestr(name, file.getvalue())
    for read in (load, load_array):
        with pytest.raises(ValueError, match=r"x\.npz .* contains several arrays named x"):
            read(tmp_path / "x.npz")


def test_paths_may_be_strings_and_start_with_a_tilde(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", X)
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (tmp_path / "x.npy", str(tmp_path / "x.npy"), "~/x.npy"):
        np.testing.assert_array_equal(load_array(path), X)
        np.testing.assert_array_equal(load_file(path).x_test, X[[4, 9]])
        np.testing.assert_array_equal(open_stream(path).test[:], X[[4, 9]])


def test_labels_of_an_npz_without_a_split_may_be_called_y(tmp_path):
    np.savez(tmp_path / "x.npz", x=X, y=LABELS)
    dataset = load(tmp_path / "x.npz")
    np.testing.assert_array_equal(dataset.labels_train, np.delete(LABELS, [4, 9]))
    np.testing.assert_array_equal(dataset.labels_test, [4, 9])


@pytest.mark.parametrize(
    ("examples", "labels"),
    [
        (("x",), ("labels", "y")),
        (("x",), ("y_train",)),
        (("x_train", "x_test"), ("y",)),
        (("x_train", "x_test"), ("labels_train", "y_train")),
    ],
)
def test_labels_that_would_be_ignored_are_refused(tmp_path, examples, labels):
    arrays = dict.fromkeys(examples, X) | dict.fromkeys(labels, LABELS)
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(ValueError, match="expected labels of x as labels or y, and those of"):
        load(tmp_path / "x.npz")
