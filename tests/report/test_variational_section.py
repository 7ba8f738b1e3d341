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
from aejax.cli.explorer.explored_run import view
from aejax.data import denormalise
from aejax.report import variational_section
from aejax.report.prior_components import component_tables
from aejax.report.variational_section import variational_sections
from aejax.runs.code_posteriors import PriorMoments, posterior_of_run
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
    mean, deviation = np.array([0.0, 5.0, -1.0]), np.array([1.0, 2.0, 0.5])
    moments = PriorMoments(mean, deviation)
    measured = variational_section._Measured(point, np.array([2, 0, 1]), {}, moments)
    units, grid = variational_section._traversals(measured, moments)
    assert units.tolist() == [2, 0, 1]
    for unit, rows in zip(units, grid, strict=True):
        expected = mean[unit] + deviation[unit] * np.linspace(-3, 3, 8)
        np.testing.assert_allclose(rows[:, unit], expected, atol=1e-5)
        others = np.delete(np.arange(UNITS), unit)
        np.testing.assert_allclose(rows[:, others], np.tile(point[0, others], (8, 1)), rtol=1e-5)


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


MEAN, DEVIATION = np.array([4.0, -1.0, 0.0]), np.array([20.0, 0.5, 1.0])
"""Normal prior of one component, under which the first unit does not vary enough to be active."""


@pytest.fixture(scope="module")
def trained_prior(images):
    """The run of images with a mixture as its prior, whose second component has no weight."""
    run, examples, x_train = images
    mixture = {
        "logits": jnp.array([0.0, -60.0]),
        "mean": jnp.array([MEAN, MEAN + 100], jnp.float32),
        "log_variance": jnp.log(jnp.array([DEVIATION**2] * 2, jnp.float32)),
    }
    return run._replace(params=run.params | {"prior": mixture}), examples, x_train


def test_the_measures_of_a_trained_prior_are_those_of_pytorch(trained_prior, body):
    run, examples, _ = trained_prior
    ((_, found),) = variational_sections(run, examples)
    mean, log_variance = (
        torch.tensor(np.asarray(part))
        for part in run.objective.model.encode(run.params, jnp.asarray(examples.batch.x))
    )
    posterior = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    prior = torch.distributions.Normal(torch.tensor(MEAN), torch.tensor(DEVIATION))
    divergence = torch.distributions.kl_divergence(posterior, prior).sum(dim=1)
    measured, standard = numbers(found), numbers(body)
    assert measured["KL divergence"] == pytest.approx(float(divergence.mean()), rel=0.02)
    difference = measured["KL divergence"] - standard["KL divergence"]
    assert measured["evidence lower bound"] == pytest.approx(
        standard["evidence lower bound"] - difference, abs=0.5
    )
    scaled = mean.numpy() / DEVIATION
    assert measured["active units"] == np.sum(scaled.var(axis=0) > 0.01) < UNITS
    assert "<dd>2, effectively 1.0</dd>" in found


@pytest.mark.parametrize(
    ("prior", "title"),
    [
        ({"pseudo_inputs": jnp.eye(4, 30)}, "Pseudo-inputs of the prior"),
        (None, "Components of the prior"),
    ],
)
def test_the_components_of_a_trained_prior_are_shown(trained_prior, prior, title):
    run, examples, _ = trained_prior
    if prior is not None:
        run = run._replace(params=run.params | {"prior": prior})
    ((_, found),) = variational_sections(run, examples)
    assert f"<h3>{title}</h3>" in found
    assert found.count("<img") == 4
    cells = re.findall(r"<tr>(<td.*?)</tr>", component_tables(run))
    cell = re.findall(r"<td.*?>(.*?)</td>", cells[1])
    if prior is not None:  # raw values of the second pseudo-input
        scale = run.normalisation.scale * np.ones((6, 5))
        expected = np.eye(4, 30)[1] * scale.ravel() + np.ravel(run.normalisation.shift)
        assert len(cells) == 4
    else:
        far = run.objective.model.decode(run.params, jnp.asarray(MEAN + 100, jnp.float32)[None])
        x_hat = np.asarray(run.objective.loss.mean(far)).reshape(1, 6, 5)
        expected = np.ravel(denormalise(run.normalisation, x_hat))
        assert cell.pop(0).startswith("8.76")  # exp(−60) = 8.76e-27
        assert len(cells) == 2
    np.testing.assert_allclose(list(map(float, cell)), expected[: len(cell)], rtol=1e-3, atol=1e-6)


def test_the_explorer_samples_a_trained_prior_and_spans_it(trained_prior):
    found = view(*trained_prior)
    drawn = np.array([found.sample(seed) for seed in range(200)])
    np.testing.assert_allclose(drawn.mean(axis=0), MEAN, atol=4 * DEVIATION.max() / 200**0.5)
    np.testing.assert_allclose(drawn.std(axis=0), DEVIATION, rtol=0.2)
    low, high = found.span
    np.testing.assert_allclose(low, MEAN - 3 * DEVIATION, atol=0.1 * DEVIATION.max())
    np.testing.assert_allclose(high, MEAN + 3 * DEVIATION, atol=0.1 * DEVIATION.max())
