"""Benchmarks: they run with small settings, and the report shows what they recorded."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
import sklearn

from aejax.runs.recipes import RECIPES
from benchmarks import (
    accelerator,
    attempts,
    checkpoints,
    command,
    command_start,
    compile_time,
    convolution,
    defaults,
    input_pipeline,
    interleaved,
    kernels,
    memory,
    optimizers,
    pca,
    population,
    recipes,
    table,
    throughput,
)


def test_variants_take_turns_and_ratios_are_taken_within_rounds():
    calls = []

    def variant(name, seconds):
        def call():
            calls.append(name)
            time.sleep(seconds)

        return call

    found = interleaved.interleaved(
        {"slow": variant("slow", 0.03), "quick": variant("quick", 0.01)}, rounds=3
    )
    assert calls == ["slow", "quick"] * 4
    assert found["slow"]["ratio"] == [1, 1, 1]
    assert 2 < found["quick"]["ratio"][0] < 3.1
    assert 0.01 <= found["quick"]["least"] <= found["quick"]["median"] <= found["quick"]["greatest"]


def test_the_report_shows_every_recorded_variant(tmp_path, monkeypatch):
    monkeypatch.setattr(interleaved, "RESULTS", tmp_path)
    found = {"small": interleaved.interleaved({"one": dict, "other": dict}, rounds=2)}
    found["small"]["one"] |= {"share": 0.5}
    found["small"]["other"] |= {"share": 0.25}
    interleaved.record("pca", {}, found, peers=["scikit-learn"])
    (file,) = tmp_path.glob("*/pca.json")
    record = file.read_text()
    assert file.parent.name == interleaved.machine_name(json.loads(record)["environment"])
    (tmp_path / "another-machine").mkdir()
    (tmp_path / "another-machine" / "pca.json").write_text(record.replace(" 0.25", " 0.75"))
    report = table.report(tmp_path)
    assert report.count("\n## ") == 1
    rows = [line for line in report.splitlines() if line.startswith("| small | other |")]
    assert {row.split(" | ")[-2] for row in rows} == {"0.25", "0.75"}
    assert f"scikit-learn {sklearn.__version__}" in report


def test_a_machine_is_named_after_its_accelerator_or_cpu():
    host = {"processor": "Intel(R) Xeon(R) Processor", "cores": 2, "device": "8 × cpu (cpu)"}
    assert interleaved.machine_name(host) == "intel-xeon-processor-2-cores"
    device = host | {"device": "1 × NVIDIA H100 80GB HBM3 (gpu)"}
    assert interleaved.machine_name(device) == "1-nvidia-h100-80gb-hbm3"


def test_the_committed_report_matches_the_committed_results():
    assert table.README.read_text(encoding="utf-8") == table.report()


@pytest.mark.slow
def test_throughput_times_every_variant_of_a_deep_autoencoder():
    (timed,) = throughput.measure(throughput.QUICK).values()
    trained = ["PyTorch", "PyTorch, bfloat16", "aejax", "aejax, mixed precision"]
    assert list(timed) == [*trained, "PyTorch's products alone", "XLA's products alone"]
    for each in timed.values():
        assert each["rows a second"] == pytest.approx(
            256 / each["median"], rel=1e-3, abs=0.5
        )  # recorded as an integer
        assert 0 <= each["share"] <= 1


@pytest.mark.slow
def test_convolution_times_im2col_and_xlas_convolutions():
    (timed,) = convolution.measure(convolution.QUICK).values()
    assert list(timed) == ["PyTorch", "aejax", "aejax by XLA's convolutions"]
    assert all(np.isfinite(each["ratio"]).all() for each in timed.values())


@pytest.mark.slow
def test_population_times_every_variant_of_one_model_and_of_many():
    alone, together = population.measure(population.QUICK).values()
    assert list(alone) == ["PyTorch", "aejax, a loop of steps", "aejax, one scan"]
    assert list(together) == [
        "PyTorch, one after another",
        "PyTorch, torch.func.vmap",
        "aejax, fit_population",
    ]
    assert all(each["least"] > 0 for each in [*alone.values(), *together.values()])


def test_every_pca_variant_agrees_and_reports_its_errors():
    (timed,) = pca.measure(pca.QUICK).values()
    assert all(each["radians"] < 1e-4 for each in timed.values())
    assert timed["aejax, closed form"]["eigenvalues"] < 2e-7  # float32 precision of the attributes


def test_checkpoints_are_timed_in_the_background_and_blocking():
    found = checkpoints.measure(checkpoints.QUICK)
    assert list(found) == [
        "the loss alone",
        "the norm too",
        "checkpoints too, meanwhile",
        "checkpoints too, waited for",
    ]
    assert found["the loss alone"]["overhead"] == 0
    assert found["checkpoints too, waited for"]["overhead"] > 0


@pytest.mark.slow
def test_the_command_is_compared_with_a_script():
    found = command.measure(command.QUICK)
    assert list(found) == ["a script of scans", "aejax train"]
    alone, trained = (each["median"] for each in found.values())
    assert found["aejax train"]["overhead"] == pytest.approx(trained / alone - 1, abs=1e-3)
    assert 0.5 < trained / alone < 5  # starting Python and JAX dominates both


@pytest.mark.slow
def test_the_list_of_commands_starts_before_jax_is_imported():
    (found,) = command_start.measure(command_start.QUICK).values()
    assert list(found)[:2] == ["import jax", "aejax --help"]
    spent = {name: each["processor seconds"] for name, each in found.items()}
    assert spent["aejax --help"] < spent["import jax"] < spent["aejax encode"]


@pytest.mark.slow
def test_the_accelerator_benchmark_runs_on_a_cpu():
    found = accelerator.measure(accelerator.QUICK)
    assert list(found) == [
        f"16-8, batch 32, {precision}" for precision in ("float32", "tf32", "bfloat16")
    ]
    for timed in found.values():
        assert list(timed) == ["PyTorch, compiled", "aejax"]
        assert all(each["share"] > 0 for each in timed.values())


@pytest.mark.slow
def test_kernels_are_listed_by_descending_share():
    found = kernels.measure(kernels.QUICK)
    assert list(found) == ["16-8, batch 32, float32", "convolutional, 8 × 8"]
    for each in found.values():
        shares = [kernel["share"] for kernel in each["kernels"]]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1.01
        assert any("dot" in kernel["name"] for kernel in each["kernels"])


@pytest.mark.slow
def test_attempts_are_compared_with_the_current_code():
    dense, convolutional = attempts.measure(attempts.QUICK).values()
    assert {*attempts.OPTIONS} < {*dense}
    for variants in (dense, convolutional):
        assert next(iter(variants)) == "as it is"
        assert len(variants) >= 4  # the current code and three attempts


@pytest.mark.slow
def test_a_first_step_is_timed_with_and_without_a_compilation_cache():
    found = compile_time.measure(compile_time.QUICK)
    assert list(found) == ["aejax, nothing kept", "aejax, programs kept"]
    assert all(each["least"] > 0 for each in found.values())


@pytest.mark.slow
def test_recipes_report_seconds_per_epoch_and_count_operations():
    (timed,) = recipes.measure(recipes.QUICK).values()
    (each,) = timed.values()
    assert each["seconds an epoch"] == pytest.approx(each["median"] * 60_000 / 512, rel=0.01)
    assert each["share"] > 0
    products = 784 * 1000 + 1000 * 500 + 500 * 250 + 250 * 30
    first = 784 * 1000  # whose input has no gradient
    assert recipes.operations(RECIPES["thirty-numbers"].training) == 6 * 2 * products - 2 * first
    refined = replace(RECIPES["thirty-numbers"].training, refinement_steps=4)
    assert recipes.operations(refined) == 6 * 10 * products - 2 * first


def test_muon_is_timed_beside_optaxs():
    (timed,) = optimizers.measure(optimizers.QUICK).values()
    assert list(timed) == ["optax.contrib.muon", "aejax, float32", "aejax, bfloat16", "Adam"]
    assert timed["optax.contrib.muon"]["ratio"] == [1, 1, 1]
    assert all(each["least"] > 0 for each in timed.values())


def test_an_epoch_is_timed_in_memory_and_on_a_file():
    (timed,) = input_pipeline.measure(input_pipeline.QUICK).values()
    assert list(timed) == ["in memory", "memory-mapped", "reading alone"]
    assert timed["in memory"]["ratio"] == [1, 1, 1]
    reading, streamed = timed["reading alone"], timed["memory-mapped"]
    share = reading["seconds a step"] / streamed["seconds a step"]
    assert streamed["reading's share"] == pytest.approx(share, rel=0.01)
    assert reading["seconds a step"] == pytest.approx(reading["median"] / 4, rel=0.01)


@pytest.mark.slow
def test_peak_memory_does_not_grow_with_the_data():
    found = memory.measure(memory.QUICK)
    assert list(found) == ["0.01 GB", "1 GB"]
    assert 0.9 < found["1 GB"]["ratio"] < 1.1


def test_the_default_run_beats_pca_and_the_plain_start_on_wine(tmp_path, monkeypatch):
    monkeypatch.setattr(defaults, "RESULTS", tmp_path / "defaults.json")
    monkeypatch.setattr(defaults, "PAGE", tmp_path / "defaults.md")
    defaults.main(defaults.QUICK)
    (found,) = json.loads(defaults.RESULTS.read_text()).values()
    assert found["default"]["code"] == 3
    assert found["default"]["error"] < 0.95 * found["pca"]
    assert found["default"]["error"] < found["without"]["error"]
    page = defaults.PAGE.read_text()
    assert "| wine | 143 | 13 | 3 |" in page
    assert "as good as PCA, within 5 %, on 1 of 1 data sets; it is better on 1." in page
    monkeypatch.setattr(defaults, "measure", None)  # what is measured is kept
    defaults.main(defaults.QUICK)
    assert defaults.PAGE.read_text() == page
    lost = {"wine": found | {"pca": found["default"]["error"] / 1.06}}
    assert "it loses on wine" in defaults.page(lost)


def test_the_committed_page_of_defaults_matches_its_results():
    found = json.loads(defaults.RESULTS.read_text(encoding="utf-8"))
    assert list(found) == list(defaults.NAMES)
    assert defaults.PAGE.read_text(encoding="utf-8") == defaults.page(found)
