"""Report and explorer of variational runs, of images and of a table with a categorical column."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

from aejax import runs
from aejax.cli import main
from aejax.cli.explorer.application import application
from aejax.cli.explorer.views import view
from aejax.report import variational_section
from aejax.report.variational_section import variational_sections
from aejax.runs.code_posteriors import posterior_of_run
from aejax.runs.presentation import shown_with_train

ROWS, UNITS = 100, 3
TRAINING = f"--code {UNITS} --epochs 3 --quiet --loggers csv --variational.posterior"


def trained(data, out, settings):
    words = f"train --data {data} {TRAINING} {settings} --no-pca --out {out}"
    assert main(words.split()) == 0
    run = runs.open(out)
    return run, *shown_with_train(run, None)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Run of images of 6 x 5 pixels, its test examples, and train examples."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    x = (rng.random((ROWS, 2)) @ rng.random((2, 30)) / 2).reshape(ROWS, 6, 5)
    np.save(folder / "x.npy", x)
    settings = "diagonal --normalise unit-range --loss bernoulli --learning-rate 0.03"
    return trained(folder / "x.npy", folder / "run", settings)


@pytest.fixture(scope="module")
def body(images):
    """HTML of the section of the run of images."""
    run, examples, _ = images
    ((title, body),) = variational_sections(run, examples)
    assert title == "Variational autoencoder"
    return body


def numbers(body):
    """Values of a section by name."""
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", body)
    return {name: float(re.match("−?[0-9.]+", text)[0].replace("−", "-")) for name, text in found}


def test_the_measures_are_those_of_pytorch_and_of_the_code(images, body):
    run, examples, _ = images
    mean, log_variance = (
        torch.tensor(np.asarray(part))
        for part in run.objective.model.encode(run.params, jnp.asarray(examples.batch.x))
    )
    posterior = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    prior = torch.distributions.Normal(0.0, 1.0)
    divergence = torch.distributions.kl_divergence(posterior, prior).sum(dim=1)
    found = numbers(body)
    assert found["KL divergence"] == pytest.approx(float(divergence.mean()), abs=0.01)
    assert found["active units"] == int((mean.var(dim=0, correction=0) > 0.01).sum())
    torch.manual_seed(0)
    bounds = []
    for _ in range(200):
        z = posterior.sample()
        logits = np.asarray(run.objective.model.decode(run.params, jnp.asarray(z.numpy())))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            torch.tensor(logits), torch.tensor(np.asarray(examples.batch.x)), reduction="none"
        )
        bounds.append(-loss.sum(dim=1) - divergence)
    expected = float(torch.stack(bounds).mean())
    assert found["evidence lower bound"] == pytest.approx(expected, abs=0.1)
    assert found["log p(x), 50 samples"] > found["evidence lower bound"]


def test_images_are_drawn_from_the_prior_along_paths_and_by_unit(body):
    for title in ("Samples of the prior", "Interpolations", "Traversals of the prior"):
        assert f"<h3>{title}</h3>" in body
    assert body.count("<img") == 3


def test_a_unit_varies_by_three_deviations_from_the_mean_of_an_example():
    point = np.random.default_rng(0).normal(size=(4, UNITS))
    measured = variational_section._Measured(point, np.array([2, 0, 1]), {})
    units, grid = variational_section._traversals(measured)
    assert units.tolist() == [2, 0, 1]
    for unit, rows in zip(units, grid, strict=True):
        np.testing.assert_allclose(rows[:, unit], np.linspace(-3, 3, 8), atol=1e-6)
        others = np.delete(np.arange(UNITS), unit)
        np.testing.assert_allclose(rows[:, others], np.tile(point[0, others], (8, 1)), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("posterior", ["diagonal", "von-mises-fisher"])
def test_a_table_has_sampled_rows_in_its_units_and_categories(posterior, tmp_path):
    rng = np.random.default_rng(0)
    size = rng.normal(size=ROWS)
    rows = "\n".join(f"{500 + 20 * a},{'small' if a < 0 else 'large'},{-a}" for a in size)
    (tmp_path / "table.csv").write_text(f"weight,kind,slope\n{rows}\n")
    settings = f"{posterior} --loss by-column"
    run, examples, _ = trained(tmp_path / "table.csv", tmp_path / "run", settings)
    ((_, body),) = variational_sections(run, examples)
    parts = body.split("<h3>")[1:]
    assert [part.partition("</h3>")[0].split()[0] for part in parts] == [
        "Samples",
        "Interpolation",
        *(["Traversals"] if posterior == "diagonal" else []),
    ]
    cells = re.findall(r"<tr>(<td.*?)</tr>", parts[0])
    assert len(cells) == variational_section.PRIOR_ROWS
    for row in cells:
        weight, kind, _ = re.findall(r"<td.*?>(.*?)</td>", row)
        assert 400 < float(weight) < 600
        assert kind in ("small", "large")
    assert main(["report", str(tmp_path / "run")]) == 0
    assert "Variational autoencoder" in (tmp_path / "run/report.html").read_text()


def test_the_explorer_starts_at_the_mean_spans_the_prior_and_samples_it(images):
    run, examples, x_train = images
    app = application(view(run, examples, x_train), "token")
    client = TestClient(app, base_url="http://127.0.0.1/token/")
    mean = np.asarray(run.objective.model.encode(run.params, jnp.asarray(examples.batch.x)).mean)
    found = client.get("example/4").json()
    np.testing.assert_allclose(found["code"], mean[4], atol=1e-5)
    described = client.get("description").json()
    assert described["prior"]
    expected = [np.minimum(mean.min(axis=0), -3), np.maximum(mean.max(axis=0), 3)]
    np.testing.assert_allclose(described["units"], np.transpose(expected), rtol=1e-4)
    drawn = np.array([client.get(f"prior/{seed}").json()["code"] for seed in range(200)])
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.3)
    np.testing.assert_allclose(drawn.std(axis=0), 1, atol=0.2)
    x_hat = client.post("decoded/4", json=drawn[0].tolist()).json()["x_hat"]
    np.testing.assert_allclose(
        x_hat, runs.inference.decoder(run)(drawn[:1].astype("float32")).ravel(), rtol=1e-4
    )
    assert client.get(f"prior/{2**32}").status_code == 404
    assert "filter" in client.get("unit/0").json()


def test_a_model_with_a_prior_of_its_own_is_not_described_by_the_standard_one(images):
    run, examples, _ = images
    own = run._replace(params=run.params | {"prior": {}})
    assert posterior_of_run(own) is None
    assert variational_sections(own, examples) == []
