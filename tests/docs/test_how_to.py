"""The code of the how-to pages runs and has the described effect."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import aejax
from aejax import data, training

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"


def run(name: str) -> dict:
    """Run all Python blocks of a page in one namespace, which is returned."""
    text = (HOW_TO / f"{name}.md").read_text(encoding="utf-8")
    names = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)), names)
    return names


@pytest.fixture(scope="module")
def variational():
    return run("variational_autoencoder")


def test_the_variational_autoencoder_has_at_most_forty_lines():
    text = (HOW_TO / "variational_autoencoder.md").read_text(encoding="utf-8")
    block, *_ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(block.splitlines()) <= 40


def test_the_divergence_matches_pytorch(variational):
    mean, log_variance = np.random.default_rng(0).normal(size=(2, 7, 3)).astype("float32")
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(torch.tensor(mean), torch.tensor(np.exp(log_variance / 2))), normal(0.0, 1.0)
    ).sum(dim=1)
    code = aejax.posteriors.Gaussian(jnp.asarray(mean), jnp.asarray(log_variance))
    objective, state = variational["objective"], variational["state"]
    record = aejax.forward(objective, state.params, variational["x"][:7], 0)._replace(code=code)
    np.testing.assert_allclose(variational["divergence"](record), expected, rtol=1e-5)


def test_five_samples_give_a_better_bound_and_an_annealed_run_counts_its_steps(variational):
    last = variational["history"][-1]["loss"]
    assert variational["negative_bound"] < last - 0.1
    assert variational["annealed_state"].tracked == variational["annealed_state"].step


def test_the_evidence_bound_is_better_than_without_a_code(variational):
    mean = jnp.clip(variational["x"].mean(axis=0), 1e-6, 1 - 1e-6)
    blank = -jnp.sum(mean * jnp.log(mean) + (1 - mean) * jnp.log(1 - mean))
    last = variational["history"][-1]
    assert last["loss"] == pytest.approx(last["reconstruction"] + last["divergence"], rel=1e-5)
    assert last["divergence"] > 1
    assert last["loss"] < blank - 1


def test_samples_of_the_prior_decode_to_digits(variational):
    new, x = np.asarray(variational["new"]), np.asarray(variational["x"])
    nearest = np.square(new[:, None] - x).sum(axis=2).min(axis=1)
    shuffled = np.random.default_rng(0).permuted(new, axis=0)
    nothing = np.square(shuffled[:, None] - x).sum(axis=2).min(axis=1)
    assert nearest.mean() < 0.7 * nothing.mean()


def test_restarts_of_codewords_raise_the_usage_of_the_codebook():
    names = run("quantised_codes")
    text = (HOW_TO / "quantised_codes.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(block.splitlines()) <= 40
    before, after = names["before"], names["after"]
    assert after.used > 0.9 > before.used
    assert after.perplexity > 2 * before.perplexity
    assert after.bits < after.capacity == 7
    assert names["history"][-1]["reconstruction"] < names["history"][4]["reconstruction"]
    assert names["new"].shape == (128, 64)


def test_a_variational_autoencoder_is_evaluated():
    names = run("evaluate_variational")
    evidence = -np.mean(names["terms"].rate + names["terms"].distortion)
    assert evidence < names["mean"] < 0 < names["standard_error"]
    assert -1 < names["bias"] < 0
    aggregate = names["aggregate"]
    assert 1 < aggregate.mutual_information_lower <= np.log(1000)
    assert aggregate.mutual_information_lower < aggregate.mutual_information_upper
    assert 2 <= names["active"].sum() <= 6
    assert 0 < names["gap"] < 0.5
    assert 0 < names["disentanglement"] < 1
    axes = [len(names[name].axes) for name in ("samples", "traversals", "interpolation")]
    assert axes == [16, 42, 7]
    assert 0 < names["of_data"] < names["of_samples"]


@pytest.mark.slow
def test_a_trained_prior_has_a_higher_likelihood_than_the_standard_one():
    names = run("priors")
    gains = {name: gain for name, gain in names["gains"].items() if name != "standard normal"}
    assert len(gains) == 3
    assert gains["VampPrior"].mean > 3 * gains["VampPrior"].standard_error
    assert all(gain.mean > 0 for gain in gains.values())
    assert names["new"].shape == (16, 64)
    nearest = np.square(names["new"][:, None] - names["x"]).sum(axis=2).min(axis=1)
    shuffled = np.random.default_rng(0).permuted(np.asarray(names["new"]), axis=0)
    nothing = np.square(shuffled[:, None] - names["x"]).sum(axis=2).min(axis=1)
    assert nearest.mean() < 0.7 * nothing.mean()


def test_a_scheduled_level_equals_stages_of_fit():
    names = run("noise_levels")
    state, data, optimizer = None, names["x"], names["optimizer"]
    for stage, sigma in enumerate(names["levels"][:2], start=1):
        objective = names["denoising"](names["gaussian"](float(sigma)))
        begin = {"state": state} if state else {"key": names["key"]}
        state, _ = training.fit(objective, optimizer, data, epochs=stage, batch_size=100, **begin)
    scan = jax.jit(lambda start: jax.lax.scan(names["epoch"], start, names["levels"][:2]))
    scanned, _ = scan(names["start"])
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), scanned.params, state.params
    )


def test_data_outside_the_support_of_the_loss_are_refused():
    bernoulli, logistic, tanh = run("binary_and_real_inputs")["refusals"]
    assert bernoulli == logistic
    assert re.match(
        r"x has values outside \[0, 1\]: \d+ of \d+, first .* or use the squared", logistic
    )
    assert tanh.startswith("x has values outside [-1, 1]")


def test_a_plan_for_this_machine_has_the_memory_of_the_model():
    plan = run("plan")["plan"]
    assert plan.memory.parameters == 4 * (2 * (784 * 128 + 128 * 30) + 128 + 30 + 128 + 784)
    assert plan.fits


@pytest.mark.slow
def test_most_latents_of_the_dictionary_recover_a_known_feature():
    names = run("known_features")
    scores, statistics = names["scores"], names["statistics"]
    assert statistics.examples == 10_000
    assert 0 < scores["L0"] <= 5
    assert scores["explained variance"] > 0.8
    assert scores["MCC"] > 0.85
    assert 0.5 < scores["F1"] < 1
    assert len(names["absorption"].children) > 0


def test_latents_of_a_classifier_are_named_by_their_digits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run("named_latents")
    text = (HOW_TO / "named_latents.md").read_text(encoding="utf-8")
    _, block = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(block.splitlines()) <= 40

    def purity(labels):
        """Share of the most frequent digit among the ten top examples of each latent, by NumPy."""
        found = []
        for unit in np.asarray(names["code"]).T[np.asarray(names["code"]).any(axis=0)]:
            order = np.argsort(-unit, kind="stable")[:10]
            found.append(np.bincount(labels[order[unit[order] > 0]]).max() / 10)
        return np.mean(found)

    counts = [int(name.split("(")[1][:-7]) for name in names["names"].values() if name != "dead"]
    assert np.mean(counts) == pytest.approx(10 * purity(names["labels"]))
    assert purity(names["labels"]) > 1.5 * purity(
        np.random.default_rng(0).permutation(names["labels"])
    )
    assert names["statistics"].l0 <= 4
    assert names["statistics"].explained_variance > 0.3


def test_placements_and_memory_savings_train():
    names = run("many_devices")
    assert names["history"][-1]["loss"] < names["history"][0]["loss"]
    assert names["placement"].shares == jax.device_count()


@pytest.mark.slow
def test_a_dictionary_finds_the_planted_directions():
    names = run("sparse_dictionaries")
    assert names["cosines"].max(axis=0).mean() > 0.9
    assert names["active"].mean() == pytest.approx(2, rel=0.01)
    assert names["measurements"]["loss"][1] < names["measurements"]["loss"][0]
    assert names["history"][-1]["loss"] < names["history"][0]["loss"]


def test_a_published_dictionary_is_read_and_its_scale_is_found():
    names = run("published_dictionaries")
    assert np.count_nonzero(names["code"], axis=1).max() == names["k"]
    assert names["fit"].reconstructs
    assert names["fit"].corrected is None
    assert not names["wrong_scale"].reconstructs
    assert names["wrong_scale"].convention == "inputs times 16"
    corrected = names["interchange"].dictionary_fit(names["corrected"], names["activations"] / 16)
    assert corrected.explained_variance > 0.99


def test_a_stream_resumes_at_its_position(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run("streams")
    assert (int(names["state"].step), len(names["history"])) == (40, 8)
    assert names["moments"].examples == 1600
    np.testing.assert_allclose(names["moments"].mean, names["source"].train[:].mean(axis=0))


def test_the_comparison_of_anomaly_detectors_is_that_of_the_page():
    names = run("anomalies")
    text = (HOW_TO / "anomalies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| \**(0\.\d+)\** \| \**(0\.\d+)\** \|$", text, re.MULTILINE)
    detectors = ("AutoencoderTransformer", "PCA", "LocalOutlierFactor", "IsolationForest")
    assert len(rows) == len(detectors)
    for detector, (_, *figures) in zip(detectors, rows, strict=True):
        for problem, figure in zip(names["problems"], figures, strict=True):
            assert names["auc"][detector, problem] == pytest.approx(float(figure), abs=0.03)
    assert 100 * names["alarms"] == pytest.approx(19, abs=6)
    assert 100 * names["found"] == pytest.approx(76, abs=8)
    np.testing.assert_allclose(
        names["scores"].error, -names["autoencoder"].score_samples(names["x_test"]), rtol=1e-6
    )
    np.testing.assert_array_equal(names["scores"].is_outlier, names["outlier"])


@pytest.mark.slow
def test_the_search_prunes_trials_and_its_best_run_opens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run("tune")
    trials = names["study"].trials
    states = [trial.state.name for trial in trials]
    assert {"PRUNED", "COMPLETE"} == set(states)
    for trial in trials:
        lines = (tmp_path / f"runs/tune/{trial.number}/history.jsonl").read_text().splitlines()
        assert (len(lines) < 8) == (trial.state.name == "PRUNED")
    scale, objective = names["x"][500:].astype("float32"), names["run"].objective
    found = training.evaluate(
        objective, names["run"].params, scale, jax.random.key(0), batch_size=100
    )
    assert names["study"].best_value == pytest.approx(float(found["loss"]), rel=1e-5)


@pytest.mark.slow
def test_models_of_every_library_train(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run("own_model")
    for part in ("of_linen", "of_nnx", "of_equinox", "of_functions"):
        assert isinstance(names[part], aejax.Autoencoder)
    np.testing.assert_allclose(
        names["code"], names["of_equinox"].encode(names["run"].params, names["x"]), atol=1e-5
    )
    losses = [record["loss"] for record in names["run"].history]
    assert losses[-1] < losses[0]


def test_a_run_of_a_script_is_opened_again(tmp_path, monkeypatch):
    text = (HOW_TO / "own_script.md").read_text(encoding="utf-8")
    (module,) = re.findall(r"```python\n(# my_models.py\n.*?)```", text, re.DOTALL)
    (tmp_path / "my_models.py").write_text(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names = run("own_script")
    assert names["codes"].shape == (len(names["x"]) - 480, 4)
    x = names["x"][480:]
    unexplained = np.mean(((names["x_hat"] - x) / x.std(axis=0)) ** 2)
    assert unexplained < 0.4
    valid = data.normalise(data.standardise(names["x"][:400]), names["x"][400:480])
    opened, objective = names["runs"].open("runs/mine", names["objective"]), names["objective"]
    x_hat = aejax.reconstruct(objective, opened.params, jnp.asarray(valid, jnp.float32))
    error = np.mean(np.sum((np.asarray(x_hat) - valid) ** 2, axis=1))
    assert names["best"] == pytest.approx(error, rel=1e-4)
    assert names["history"][-1]["loss"] < 5 or len(names["history"]) == 30


@pytest.mark.slow  # tests/runs/test_sweeping.py covers the functions
def test_a_sweep_returns_a_table_and_its_best_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run("choose_code_size")
    assert len(names["table"]) == 8
    assert names["error"][8].min() < names["error"][2].min()
    assert names["run"].configuration.sizes == (64, 128, 8)


@pytest.mark.slow  # tests/cli/commands/test_compare.py covers the commands
def test_runs_are_listed_and_compared(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run("compare_runs")
    listed, compared = capsys.readouterr().out.split("PCA test error")[-2:]
    assert "corruption=masking" in listed
    assert re.search(r"runs/plain +none ", compared)
    assert (tmp_path / "comparison.html").exists()


def run_study(folder: Path, change: tuple[str, str] = ("", "")) -> int:
    """Run the study of its page with one change; returns the number of stored parts."""
    text = (HOW_TO / "own_study.md").read_text(encoding="utf-8")
    (study,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    file = folder / "study.py"
    file.write_text(study.replace(*change))
    names = {"__file__": str(file)}
    exec(file.read_text(), names)
    assert names["difference"].holds
    return len(list(folder.glob("results/*/parts/*.json")))


def test_a_study_compares_over_seeds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_study(tmp_path) == 2


@pytest.mark.slow
def test_a_study_is_computed_again_after_an_edit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_study(tmp_path) == 2
    assert run_study(tmp_path, ("# study.py", "# another comment")) == 2
    assert run_study(tmp_path, ("1e-2", "2e-2")) == 4
