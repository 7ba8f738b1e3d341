"""`aejax explore`: HTTP routes of the page, their responses and refusals."""

import io
import socket
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from starlette.testclient import TestClient

from aejax.cli import main
from aejax.cli.explorer.application import application
from aejax.cli.explorer.explored_run import view
from aejax.cli.explorer.views import decoded, description, example, repaired, unit
from aejax.runs.run import open_run
from aejax.runs.streamed_examples import load_seen_examples, load_trained_examples
from tests.cli.conftest import check

UNITS = 12


@pytest.fixture(scope="module")
def run(finished):
    return open_run(finished)


@pytest.fixture(scope="module")
def client(run):
    examples = load_trained_examples(run)
    app = application(view(run, examples.shown(), examples.pca_examples()[0]), "token")
    return TestClient(app, base_url="http://127.0.0.1/token/", raise_server_exceptions=True)


@pytest.fixture(scope="module")
def digits():
    """Test examples: every fifth digit."""
    return load_digits().data[4::5]


def codes_of(run, digits):
    """Codes of raw digits by the run."""
    return run.objective.model.encode(run.params, jnp.asarray(digits, "float32") / 16)


def test_nothing_is_served_without_token(client):
    for path in ("/", "/description", "/other/", "/toke/description", "/tokeñ/", "//token/"):
        answer = client.get(f"http://127.0.0.1{path}")
        assert answer.status_code == 403
        assert "the address that `aejax explore` printed" in answer.text


def test_page_loads_only_its_own_files(client):
    page = client.get("")
    assert page.status_code == 200
    assert "default-src 'self'" in page.text
    assert "http" not in page.text.replace("http-equiv", "")
    for part in ("explorer.js", "latent_map.js", "feature_bars.js", "explorer.css", "report.css"):
        assert part in page.text + client.get("explorer.js").text
        assert client.get(part).status_code == 200


def test_description_has_shape_and_ranges(client, run, digits):
    found = client.get("description").json()
    assert found["shape"] == [8, 8, 1]
    assert (found["examples"], found["low"], found["high"]) == (len(digits), 0, 16)
    codes = np.asarray(codes_of(run, digits))
    np.testing.assert_allclose(found["units"], np.transpose([codes.min(0), codes.max(0)]), 1e-4)


def test_example_has_code_and_reconstruction(client, run, digits):
    found = client.get("example/7").json()
    assert found["label"] == load_digits().target[4::5][7]
    np.testing.assert_array_equal(found["x"], digits[7])
    code = codes_of(run, digits[7:8])
    np.testing.assert_allclose(found["code"], code[0], atol=1e-5)
    x_hat = 16 * jax.nn.sigmoid(run.objective.model.decode(run.params, code))[0]
    np.testing.assert_allclose(found["x_hat"], x_hat, atol=1e-3)
    assert found["error"] == pytest.approx(float(np.sum((x_hat - digits[7]) ** 2)), rel=1e-4)
    assert client.post("decoded/7", json=found["code"]).json()["x_hat"] == pytest.approx(
        found["x_hat"], abs=1e-4
    )


def test_filter_of_a_unit_is_proportional_to_its_kernel(client, run, digits):
    found = client.get("unit/5").json()
    kernel = np.asarray(run.params["encoder"]["layer_0"]["kernel"])[:, 5]
    filter_ = np.asarray(found["filter"])
    assert filter_ @ kernel > (1 - 1e-5) * np.linalg.norm(filter_) * np.linalg.norm(kernel)
    h = np.asarray(codes_of(run, digits))[:, 5]
    assert found["examples"] == list(np.argsort(-h)[:12])
    np.testing.assert_allclose(found["activations"], np.sort(h)[::-1][:12], rtol=1e-5)
    np.testing.assert_array_equal(found["x"], digits[found["examples"]])


def test_edited_example_is_reconstructed(client, run, digits):
    drawn = digits[3].copy()
    drawn[24:] = 0
    found = client.post("repaired/3", json=drawn.tolist()).json()
    assert found["damage"] == np.sum(digits[3][24:] ** 2)
    code = codes_of(run, drawn[None])
    np.testing.assert_allclose(found["code"], code[0], atol=1e-5)
    assert found == client.post("repaired/3", json=drawn.tolist()).json()


def test_map_has_the_codes_and_classes_of_the_examples(client, run, digits):
    found = client.get("map").json()
    assert found["examples"] == list(range(len(digits)))
    assert found["classes"] == load_digits().target[4::5].tolist()
    codes = np.asarray(codes_of(run, digits))
    assert found["units"] == np.argsort(-codes.var(axis=0)).tolist()
    activations = client.get("coordinates/3").json()["activations"]
    np.testing.assert_allclose(activations, codes[:, 3], atol=1e-5)


def test_map_of_many_examples_shows_some_of_them(client, run, monkeypatch):
    monkeypatch.setattr("aejax.cli.explorer.latent_map.MAX_MAP_EXAMPLES", 5)
    found = client.get("map").json()
    assert found["examples"] == [0, 90, 179, 268, 358]
    assert len(client.get("coordinates/0").json()["activations"]) == len(found["classes"]) == 5


def test_examples_are_ordered_by_their_errors(client, digits, monkeypatch):
    found = client.get("worst").json()["examples"]
    errors = [client.get(f"example/{number}").json()["error"] for number in (*found[:4], found[-1])]
    assert sorted(found) == list(range(len(digits)))
    assert errors == sorted(errors, reverse=True)
    monkeypatch.setattr("aejax.cli.explorer.latent_map.MAX_RANKED_EXAMPLES", 3)
    assert client.get("worst").json()["examples"] == found[:3]


def test_pca_is_that_of_scikit_learn(client, digits):
    train = np.delete(load_digits().data, np.s_[4::5], axis=0)
    pca = PCA(UNITS, svd_solver="full").fit(train)
    expected = pca.inverse_transform(pca.transform(digits[7:8]))[0]
    np.testing.assert_allclose(client.get("example/7").json()["pca"], expected, atol=1e-3)
    answer = client.post("repaired/3", json=digits[7].tolist()).json()
    np.testing.assert_allclose(answer["pca"], expected, atol=1e-3)


def test_there_is_no_pca_with_as_many_components_as_features(tmp_path, aejax, small):
    run = tmp_path / "run"
    assert aejax("train --sizes 6 6 --epochs 1 --quiet --data", small, "--out", run).code == 0
    found = open_run(run)
    examples = load_trained_examples(found)
    shown = view(found, examples.shown(), examples.pca_examples()[0])
    assert example(shown, 0)["pca"] is None


def test_own_image_is_encoded_and_reconstructed(client, digits):
    pixels = np.round(digits[7].reshape(8, 8) * 255 / 16).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    answer = client.post("uploaded", content=buffer.getvalue()).json()
    stored = client.get("example/7").json()
    assert answer.keys() == stored.keys()
    assert answer["label"] is None
    for name, tolerance in {"x": 0.04, "code": 0.01, "x_hat": 0.1, "pca": 0.1}.items():
        np.testing.assert_allclose(answer[name], stored[name], atol=tolerance)
    refused = client.post("uploaded", content=buffer.getvalue()[:50])
    assert (refused.status_code, refused.json().keys()) == (400, {"error"})


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "words"),
    [
        ("GET", "example/359", None, 404, "there is no example 359: they are 0 to 358"),
        ("GET", f"unit/{UNITS}", None, 404, "there is no unit 12: they are 0 to 11"),
        ("GET", f"coordinates/{UNITS}", None, 404, "there is no unit 12: they are 0 to 11"),
        ("POST", "uploaded", "no image", 400, "the file is not a PNG image"),
        ("POST", "decoded/359", "[]", 404, "there is no example 359"),
        ("POST", "decoded/0", "[0, 1]", 400, "a code has 12 numbers, got shape [2]"),
        ("POST", "decoded/0", '{"a": 1}', 400, "a code is a list of 12 numbers"),
        ("POST", "decoded/0", f"[{'NaN,' * 11} 1]", 400, "NaN or infinite"),
        ("POST", "repaired/0", "[[1], [2]]", 400, "an example has 64 numbers, got shape [2, 1]"),
        ("POST", "repaired/0", "[[1], 2]", 400, "an example is a list of 64 numbers"),
        ("POST", "repaired/0", "no JSON", 400, "Expecting value"),
        ("POST", "repaired/0", "[" * 100_000, 400, ""),
    ],
)
def test_invalid_requests_are_refused(client, method, path, content, status, words):
    answer = client.request(method, path, content=content)
    assert answer.status_code == status
    assert words in answer.json()["error"]


KINDS = {
    "normalised, far from zero": (
        "--normalise standardise --loss squared --sizes 36 5",
        lambda random: random.normal(1000, 3, (60, 6, 6)).astype(np.float32),
    ),
    "streamed": (
        "--stream --sizes 36 5",
        lambda random: random.integers(0, 256, (60, 6, 6)).astype(np.uint8),
    ),
    "streamed, standardised": (
        "--stream --normalise standardise --loss squared --sizes 36 5",
        lambda random: random.normal(-50, 4, (60, 36)),
    ),
    "convolutional": (
        "--channels 2 --sizes 36 5",
        lambda random: random.integers(0, 256, (60, 6, 6)).astype(np.uint8),
    ),
    "convolutional, spatial code": (
        "--channels 2 --sizes 36",
        lambda random: random.random((60, 6, 6)),
    ),
}


OTHERS = "streamed, standardised", "convolutional"
SLOW = pytest.mark.slow


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(kind, marks=pytest.mark.slow) if kind in OTHERS else kind for kind in KINDS
    ],
)
def shown(request, tmp_path_factory):
    """View of a small run, and its codes and reconstructions by `encode` and `reconstruct`."""
    settings, make = KINDS[request.param]
    x, folder = make(np.random.default_rng(0)), tmp_path_factory.mktemp("shown")
    np.save(folder / "x.npy", x)
    np.save(folder / "test.npy", x[4::5])
    words = f"--data {folder / 'x.npy'} --batch-size 24 --epochs 1 --quiet --out {folder / 'run'}"
    assert main(["train", *settings.split(), *words.split()]) == 0
    found = []
    for command in ("encode", "reconstruct"):
        out = folder / f"{command}.npy"
        assert main([command, f"{folder}/run", f"{folder}/test.npy", "--out", str(out)]) == 0
        found.append(np.load(out))
    run, (codes, x_hat) = open_run(folder / "run"), found
    return view(run, load_seen_examples(run)), x[4::5], codes.reshape(len(codes), -1), x_hat


def test_values_equal_those_of_encode_and_reconstruct(shown):
    """Also for a stream."""
    found, x, codes, x_hat = shown
    np.testing.assert_array_equal(found.x, x)
    np.testing.assert_allclose(found.codes, codes, rtol=1e-5, atol=1e-6)
    described = description(found)
    assert (described["low"], described["high"]) == (x.min(), x.max())
    assert len(described["units"]) == codes.shape[1]
    scale = np.ptp(x)
    for index in (0, 7):
        answer = example(found, index)
        np.testing.assert_array_equal(answer["x"], x[index].ravel())
        np.testing.assert_allclose(answer["code"], codes[index], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(answer["x_hat"], x_hat[index].ravel(), atol=1e-5 * scale)
        squares = np.sum((x_hat[index].astype(float) - x[index]) ** 2)
        assert answer["error"] == pytest.approx(squares, rel=1e-3)
        assert repaired(found, index, answer["x"])["error"] == pytest.approx(squares, rel=1e-3)
        assert decoded(found, index, answer["code"])["error"] == pytest.approx(squares, rel=1e-3)


def test_filter_is_the_derivative_in_the_units_of_the_data(shown):
    found, x, codes, _ = shown
    index = codes.shape[1] - 1
    slope = np.asarray(unit(found, index)["filter"]).reshape(x.shape[1:])
    x = x.astype(np.float64)
    step = 1e-2 * np.ptp(x) * slope / np.abs(slope).max()
    ends = [found.encode(x + side * step)[:, index].astype(float) for side in (1, -1)]
    assert np.mean(ends[0] - ends[1]) == pytest.approx(2 * np.sum(slope * step), rel=0.02)


def test_unavailable_port_is_refused(finished, aejax):
    check(aejax("explore --port 70000", finished), "port must lie in [0, 65535], got 70000")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        check(aejax(f"explore --port {port}", finished), f"port {port} is not available | --port 0")


def test_missing_libraries_are_named(finished, aejax, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "aejax.cli.explorer.serving", raising=False)
    check(aejax("explore", finished), "needs uvicorn | pip install 'aejax[explore]'")
