"""`aejax publish`, `push` and `pull`, with a hub on the loopback interface."""

import json
import pickle
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from aejax.runs.atomic_folders import new_folder
from aejax.runs.published_run import is_published
from aejax.runs.run import open_run
from tests.cli.conftest import check
from tests.cli.fake_hub import FakeHub, serve

# The Git LFS client of huggingface_hub calls httpx2 in an old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

FILES = [
    "README.md",
    "about.json",
    "configuration.json",
    "digests.json",
    "figures/learning_curves.png",
    "history.jsonl",
    "metrics.json",
    "parameters.safetensors",
]


@pytest.fixture
def hub(monkeypatch):
    """An empty hub, which `huggingface_hub` takes for the Hugging Face Hub."""
    from huggingface_hub import constants

    with serve(FakeHub()) as hub:
        template = hub.address + constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(
            constants.ENDPOINT
        )
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        monkeypatch.setenv("HF_TOKEN", "hf_test")
        yield hub


@pytest.fixture(scope="module")
def published(finished, tmp_path_factory):
    """Folder of the published run; read-only."""
    from aejax.cli import main

    out = tmp_path_factory.mktemp("published") / "folder"
    words = ["publish", str(finished), "--license", "mit", "--out", str(out)]
    assert main([*words, "--purpose", "Shows *how*."]) == 0
    return out


def contents(folder) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_card_has_the_figures_of_the_run(published, finished):
    assert sorted(contents(published)) == FILES
    _, matter, card = (published / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    found = yaml.safe_load(matter)
    assert (found["license"], found["library_name"]) == ("mit", "aejax")
    metrics = json.loads((finished / "metrics.json").read_text())
    assert f"| this autoencoder | {metrics['test_error']:.4g} |" in card
    assert f"| PCA with 12 components | {metrics['pca_test_error']:.4g} |" in card
    losses = [
        json.loads(line)["validation"]["loss"]
        for line in (finished / "history.jsonl").read_text().splitlines()
    ]
    assert f"| lowest validation loss | {min(losses):.4g} |" in card
    assert f"| at epoch | {1 + int(np.argmin(losses))} |" in card
    assert "| penalty.sparsity | 0.1 |" in card
    assert "Shows \\*how\\*." in card
    assert "](figures/learning_curves.png)" in card
    with Image.open(published / "figures/learning_curves.png") as image:
        assert min(image.size) > 300


def test_a_pulled_run_gives_the_same_codes(aejax, hub, published, finished, tmp_path, small):
    pushed = aejax("push", published, "someone/digits")
    assert pushed.code == 0, pushed.err
    assert hub.newest("someone/digits") == contents(published)
    assert hub.private == {"someone/digits": False}
    assert hub.tokens == {"Bearer hf_test"}
    commit = [*hub.commits["someone/digits"]][-1]
    assert pushed.out == f"pushed: {hub.address}/someone/digits/commit/{commit}\n"
    pulled = aejax("pull someone/digits --out", tmp_path / "model")
    assert pulled.code == 0, pulled.err
    assert pulled.out == f"{tmp_path}/model: commit {commit}, licence mit\n"
    assert contents(tmp_path / "model") == contents(published)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "small.npy"]
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((9, 64)) * 16)
    codes = {}
    for name, run in {"own": finished, "pulled": tmp_path / "model"}.items():
        assert aejax("encode", run, tmp_path / "x.npy", "--out", tmp_path / f"{name}.npy").code == 0
        codes[name] = np.load(tmp_path / f"{name}.npy")
    np.testing.assert_array_equal(codes["pulled"], codes["own"])
    again = aejax("push --private", published, "someone/digits")
    assert again.code == 0, again.err


def test_an_older_commit_can_be_pulled(aejax, hub, published, tmp_path):
    first = hub.commit("a/b", contents(published))
    hub.commit("a/b", {"README.md": b"empty"})
    check(aejax("pull a/b --out", tmp_path / "new"), "a/b is not a run | has no configuration.json")
    assert aejax(f"pull a/b --revision {first} --out", tmp_path / "old").code == 0
    refused = aejax("pull a/b --revision other --out", tmp_path / "other")
    check(refused, "a/b has no such revision")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


class Bomb:
    def __reduce__(self):
        return (print, ("a pickle was loaded",))


HOSTILE = {
    "../../escaped.json": b"{}",
    "/tmp/escaped.json": b"{}",
    "figures/../../escaped.png": b"",
    "figures/a b.png": b"",
    "parameters.pkl": pickle.dumps(Bomb()),
    "checkpoints/1/state/data": pickle.dumps(Bomb()),
    "objective.json": b'{"factory": "os:system"}',
    "sitecustomize.py": b"print('code was run')",
    ".cache/x": b"",
}


def test_only_plain_data_of_a_hostile_repository_are_downloaded(aejax, hub, published, tmp_path):
    hub.commit("evil/model", contents(published) | HOSTILE)
    outcome = aejax("pull evil/model --out", tmp_path / "deep/model")
    assert outcome.code == 0, outcome.err
    assert f"{len(HOSTILE)} other files of the repository were not downloaded" in outcome.out
    assert contents(tmp_path) == {f"deep/model/{n}": d for n, d in contents(published).items()}
    assert "was loaded" not in outcome.out


@pytest.mark.parametrize("name", [*HOSTILE, "figures/A.png", "figures/a.png\n", "readme.md", ""])
def test_names_of_other_files_are_not_published(name):
    assert not is_published(name)


DAMAGE = {
    "another byte of the parameters": ("parameters.safetensors", lambda b: b[:-1] + b"\x01"),
    "a pickle as parameters": ("parameters.safetensors", lambda _: pickle.dumps(Bomb())),
    "half of the parameters": ("parameters.safetensors", lambda b: b[: len(b) // 2]),
    "another size": ("configuration.json", lambda b: b.replace(b"12", b"13")),
    "another error": ("metrics.json", lambda b: b.replace(b"test_error", b"test_errer")),
    "another epoch": ("history.jsonl", lambda b: b.replace(b'"epoch": 2', b'"epoch": 3')),
    "no digests": ("digests.json", None),
    "a damaged list of digests": ("digests.json", lambda b: b.replace(b"a", b"b")),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_runs_are_refused(aejax, hub, published, tmp_path, damage):
    name, change = DAMAGE[damage]
    files = contents(published)
    before = files.pop(name)
    if change is not None:
        files[name] = change(before)
        assert files[name] != before
    hub.commit("a/b", files)
    check(aejax("pull a/b --out", tmp_path / "model"), name)
    assert [*tmp_path.iterdir()] == []


def test_large_and_numerous_files_are_refused_before_the_download(
    aejax, hub, published, tmp_path, monkeypatch
):
    monkeypatch.setattr("aejax.runs.model_hub.MAX_FILE_BYTES", 100_000)
    hub.commit("a/b", contents(published) | {"README.md": bytes(100_001)})
    check(aejax("pull a/b --out", tmp_path / "model"), "README.md of a/b has 100,001 bytes")
    many = {f"figures/{i}.png": b"" for i in range(100)}
    hub.commit("a/b", contents(published) | many)
    check(aejax("pull a/b --out", tmp_path / "model"), "108 files, more than 100")


def test_errors_of_the_hub_are_one_line(aejax, hub, published, tmp_path, monkeypatch):
    out = tmp_path / "model"
    check(aejax("pull a/nothing --out", out), "there is no model a/nothing at | hf auth login")
    check(aejax("pull a/b/c --out", out), "a/b/c")
    (tmp_path / "taken").write_text("")
    check(aejax("pull a/b --out", tmp_path / "taken"), "taken exists: choose another --out")
    check(aejax("push", tmp_path, "a/b"), "is not a published run: it has no")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    check(aejax("pull a/b --out", out), "need huggingface_hub | pip install 'aejax[hub]'")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_damaged_folder_is_not_pushed(aejax, hub, published, tmp_path):
    copy = shutil.copytree(published, tmp_path / "copy")
    (copy / "metrics.json").write_text("{}")
    check(aejax("push", copy, "a/b"), "metrics.json is not what was written")
    assert hub.commits == {}


def test_unreachable_hub_is_named(aejax, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    check(aejax("pull a/b --out", tmp_path / "model"), "http://127.0.0.1:9 did not serve a/b")


def test_tables_are_published_without_directories(aejax, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.random((40, 3)), columns=["a|b", "<script>", "c_d"])
    table["kind"] = random.choice(["x", "y"], 40)
    (tmp_path / "secret").mkdir()
    table.to_csv("secret/own.csv", index=False)
    train = "train --label kind --sizes 3 2 --epochs 1 --quiet --out run --data secret/own.csv"
    assert aejax(train).code == 0
    outcome = aejax("publish run --license other --out folder --examples")
    assert outcome.code == 0, outcome.err
    for name, data in contents(tmp_path / "folder").items():
        assert b"secret" not in data, name
        assert str(tmp_path).encode() not in data, name
    card = (tmp_path / "folder/README.md").read_text(encoding="utf-8")
    assert "| columns | a\\|b, &lt;script&gt;, c\\_d |" in card
    assert "| classes | x, y |" in card
    assert "An autoencoder of own.csv" in card
    drawn = [path.name for path in (tmp_path / "folder/figures").iterdir()]
    assert {"learning_curves.png", "activations.png"} < set(drawn)
    assert all(f"figures/{name}" in card for name in drawn)
    assert open_run(tmp_path / "folder").about.schema == open_run(tmp_path / "run").about.schema
    assert aejax("encode folder secret/own.csv --out codes.csv").code == 0


def test_figures_compare_with_the_same_pca_as_a_report(finished, tmp_path, aejax, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "aejax.report.run_figures.run_figures", lambda *given: drawn.append(given) or ()
    )
    assert aejax("report", finished, "--out", tmp_path / "report.html").code == 0
    words = "publish --license mit --examples --out"
    assert aejax(words, tmp_path / "folder", finished).code == 0
    ours, theirs = ((shown.raw, x_train) for _, shown, _, x_train in drawn)
    assert len(theirs[1]) > 1000
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_cannot_be_published_is_refused(aejax, finished, published, tmp_path):
    words = "publish --license mit --out"
    check(aejax(words, published, finished), "folder exists: choose another --out")
    bad = aejax("publish --license Apache-2.0 --out", tmp_path / "out", finished)
    check(bad, "license must be an identifier such as apache-2.0 | got 'Apache-2.0'")
    check(aejax(words, tmp_path / "out", tmp_path), "is not a run")
    assert [*tmp_path.iterdir()] == []


def test_a_new_folder_appears_only_when_it_is_complete(tmp_path):
    def fail(path):
        with new_folder(path) as folder:
            (folder / "half").touch()
            raise KeyError

    with pytest.raises(KeyError):
        fail(tmp_path / "out")
    assert [*tmp_path.iterdir()] == []
    with new_folder(tmp_path / "a/out") as folder:
        (folder / "whole").touch()
        assert not (tmp_path / "a/out").exists()
    assert [path.name for path in (tmp_path / "a/out").iterdir()] == ["whole"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["out"]
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(FileExistsError, match="link exists"), new_folder(tmp_path / "link"):
        pass
