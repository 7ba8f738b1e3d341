import subprocess
import sys

import pytest

from aejax.data import load

HEAVY = {"tensorflow", "tensorflow_datasets", "grain", "sklearn", "matplotlib", "pandas"}


def test_importing_is_light():
    code = f"import sys, aejax.data; print(*({HEAVY} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


@pytest.mark.parametrize("name", ["mnits", "tfds:mnits"])
def test_unknown_names_suggest_similar_ones(tmp_path, name):
    with pytest.raises(ValueError, match=rf"called '{name}'; did you mean .*mnist") as caught:
        load(name, data_dir=tmp_path)
    assert "Known: digits, photos, mnist, fashion_mnist, any TFDS name" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("name", ["", "two words", "a:b:c", "emnist/no_such_config", "nested/x/y"])
def test_invalid_names_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="no data set or file is called"):
        load(name, data_dir=tmp_path)


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "images.gz", "./x", "/no/such/x"])
def test_no_such_file(name):
    with pytest.raises(FileNotFoundError, match=f"no file or folder {name}; expected .npy"):
        load(name)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "tfds:mnist"])
def test_not_prepared(tmp_path, name):
    with pytest.raises(
        FileNotFoundError,
        match=rf"'{name}' is not prepared in .*; "
        rf"run `aejax data prepare {name} \[--manual-dir DIR\]`",
    ):
        load(name, data_dir=tmp_path)


def test_a_folder_named_like_a_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").mkdir()
    with pytest.raises(FileNotFoundError, match="is not prepared"):
        load("mnist", data_dir=tmp_path / "tfds")
    with pytest.raises(FileNotFoundError, match="folder mnist lacks train-images-idx3-ubyte"):
        load("./mnist", data_dir=tmp_path / "tfds")
