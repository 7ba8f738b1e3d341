import os
import subprocess
import sys

import numpy as np
import pytest

from aejax.data import available, load, prepare
from aejax.data.mnist import FashionMnist, Mnist

WITHOUT_TENSORFLOW = """
import pathlib, sys
from importlib.machinery import PathFinder

class NoTensorFlow(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "tensorflow" else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = NoTensorFlow
from tensorflow_datasets.core.download.checksums import compute_url_info
from aejax.data import load, prepare
from aejax.data.mnist import Mnist
archives = pathlib.Path(sys.argv[1]) / "archives"
urls = Mnist.archive_urls().values()
Mnist.url_infos = {url: compute_url_info(archives / url.rpartition("/")[2]) for url in urls}
prepare("mnist", data_dir=sys.argv[1], manual_dir=archives)
dataset = load("mnist", data_dir=sys.argv[1])
assert not any(name.partition(".")[0] == "tensorflow" for name in sys.modules)
print(dataset.x_train.sum(), dataset.labels_test.sum())
"""


def everything_under(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_prepare_and_load(tmp_path, small_mnist, capfd):
    states = {entry.name: entry.prepared for entry in available(tmp_path)}
    assert states == {"digits": True, "photos": True, "mnist": False, "fashion_mnist": False}
    folder = prepare("mnist", data_dir=tmp_path, manual_dir=tmp_path / "archives")
    assert folder == tmp_path / "aejax_mnist" / "1.0.0"
    assert {entry.name for entry in available(tmp_path) if entry.prepared} == {
        "digits",
        "photos",
        "mnist",
    }
    dataset = load("mnist", data_dir=tmp_path)
    for name, expected in small_mnist.items():
        np.testing.assert_array_equal(getattr(dataset, name), expected)
    assert dataset.x_train.dtype == np.uint8
    assert (dataset.name, dataset.low, dataset.high) == ("mnist", 0, 255)
    assert capfd.readouterr() == ("", "")


def test_a_prepared_data_set_is_unchanged(tmp_path, small_mnist):
    folder = prepare("mnist", data_dir=tmp_path, manual_dir=tmp_path / "archives")
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert prepare("mnist", data_dir=tmp_path, manual_dir=tmp_path / "nowhere") == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_without_tensorflow(tmp_path, small_mnist):
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    expected = small_mnist["x_train"].sum(), small_mnist["labels_test"].sum()
    assert run.stdout.split() == [str(number) for number in expected]


def damage(archives):
    content = bytearray((archives / "train-images-idx3-ubyte.gz").read_bytes())
    content[len(content) // 2] ^= 1
    (archives / "train-images-idx3-ubyte.gz").write_bytes(content)


def truncate(archives):
    os.truncate(archives / "train-images-idx3-ubyte.gz", 100)


@pytest.mark.parametrize("harm", [damage, truncate])
def test_a_damaged_archive_is_refused_before_writing(tmp_path, small_mnist, harm):
    harm(tmp_path / "archives")
    before = everything_under(tmp_path)
    with pytest.raises(
        ValueError,
        match=r"train-images-idx3-ubyte.gz is not the original archive: \d+ bytes, SHA-256 \w{64}\n"
        r"Expected \d+ bytes, SHA-256 \w{64}; get a fresh copy",
    ):
        prepare("mnist", data_dir=tmp_path, manual_dir=tmp_path / "archives")
    assert everything_under(tmp_path) == before


def test_archives_of_another_data_set_are_refused(tmp_path, small_mnist):
    with pytest.raises(ValueError, match="is not the original archive"):
        prepare("fashion_mnist", data_dir=tmp_path, manual_dir=tmp_path / "archives")


def test_missing_archives_are_named(tmp_path, small_mnist):
    for stem in ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (tmp_path / "archives" / f"{stem}.gz").unlink()
    before = everything_under(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"lacks train-images-idx3-ubyte\.gz, t10k-labels-idx1-ubyte\.gz"
    ):
        prepare("mnist", data_dir=tmp_path, manual_dir=tmp_path / "archives")
    assert everything_under(tmp_path) == before


def test_an_interrupted_preparation_leaves_no_data_set(tmp_path, small_mnist, monkeypatch):
    generate = Mnist._generate_examples

    def fail(*arguments):
        yield next(iter(generate(*arguments)))
        raise OSError("the disk is full")

    monkeypatch.setattr(Mnist, "_generate_examples", fail)
    with pytest.raises(OSError, match="the disk is full"):
        prepare("mnist", data_dir=tmp_path, manual_dir=tmp_path / "archives")
    assert not (tmp_path / "aejax_mnist" / "1.0.0").exists()
    with pytest.raises(FileNotFoundError, match="is not prepared"):
        load("mnist", data_dir=tmp_path)


def test_a_folder_without_a_complete_data_set_is_refused(tmp_path, small_mnist):
    (tmp_path / "aejax_mnist" / "1.0.0").mkdir(parents=True)
    with pytest.raises(ValueError, match="has no complete data set; delete it and try again"):
        prepare("mnist", data_dir=tmp_path, manual_dir=tmp_path / "archives")


@pytest.mark.parametrize("harm", [lambda path: os.truncate(path, 60), os.unlink])
def test_damaged_records_are_refused(tmp_path, small_mnist, harm):
    folder = prepare("mnist", data_dir=tmp_path, manual_dir=tmp_path / "archives")
    harm(next(folder.glob("*train.array_record*")))
    with pytest.raises(ValueError, match=r"cannot read split 'train' in .*\nDelete that folder"):
        load("mnist", data_dir=tmp_path)


def test_the_error_without_a_network_gives_advice(tmp_path, monkeypatch):
    # Nothing listens on port 1 of this machine.
    monkeypatch.setattr(FashionMnist, "ARCHIVES_URL", "http://127.0.0.1:1/")
    with pytest.raises(ConnectionError) as caught:
        prepare("fashion_mnist", data_dir=tmp_path)
    assert str(caught.value) == (
        "cannot download data set 'fashion_mnist': no answer from "
        "http://127.0.0.1:1/train-images-idx3-ubyte.gz\nWithout network, put the original "
        "archives in a folder and run `aejax data prepare fashion_mnist --manual-dir DIR`."
    )


@pytest.mark.parametrize("name", ["digits", "photos"])
def test_embedded_data_needs_no_preparation(name):
    with pytest.raises(ValueError, match="comes with scikit-learn and needs no preparation"):
        prepare(name)


def test_unknown_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no data set or file is called 'fashoin_mnist'; did you"):
        prepare("fashoin_mnist", data_dir=tmp_path)


@pytest.mark.parametrize("name", ["cifar10", "tfds:mnist"])
def test_preparing_a_tfds_builder_needs_tensorflow(tmp_path, monkeypatch, name):
    monkeypatch.setattr("aejax.data.preparation.has_tensorflow", lambda: False)
    with pytest.raises(ModuleNotFoundError, match=r"needs TensorFlow.*pip install 'aejax\[tfds\]'"):
        prepare(name, data_dir=tmp_path)


def test_downloads_over_http_are_verified(tmp_path, small_mnist, monkeypatch):
    """Over a local server: good archives are prepared, a damaged one is refused."""
    import functools
    import http.server
    import threading

    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "archives")
    )
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        known = [Mnist.url_infos[url] for url in Mnist.archive_urls().values()]
        monkeypatch.setattr(Mnist, "ARCHIVES_URL", f"http://127.0.0.1:{server.server_port}/")
        served = dict(zip(Mnist.archive_urls().values(), known, strict=True))
        monkeypatch.setattr(Mnist, "url_infos", served)
        prepare("mnist", data_dir=tmp_path / "good")
        damage(tmp_path / "archives")
        with pytest.raises(ValueError, match=r"train-images-idx3-ubyte.gz, .* wrong checksum"):
            prepare("mnist", data_dir=tmp_path / "bad")
        (tmp_path / "archives" / "train-images-idx3-ubyte.gz").unlink()
        with pytest.raises(ConnectionError, match=r"HTTP code: 404(.|\n)*--manual-dir DIR"):
            prepare("mnist", data_dir=tmp_path / "gone")
        server.shutdown()
    dataset = load("mnist", data_dir=tmp_path / "good")
    np.testing.assert_array_equal(dataset.x_test, small_mnist["x_test"])
    assert not (tmp_path / "bad" / "aejax_mnist" / "1.0.0").exists()
