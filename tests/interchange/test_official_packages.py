"""Dictionaries that other packages wrote, or read: the same codes and outputs as theirs.

The packages are not dependencies: `pip install sae-lens==6.54.12 eai-sparsify dictionary-learning`
in an environment with aejax. Without them the tests are skipped.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import aejax
from aejax.interchange import read_dictionary, write_dictionary
from aejax.models import NormalisedCode
from tests.interchange.dictionary_files import (
    CASES,
    DICTIONARY_LEARNING,
    FEATURES,
    OUTPUTS,
    SAE_LENS,
    UNITS,
    K,
    drawn,
    sae_lens_configuration,
    sae_lens_tensors,
    write_sae_lens,
)

TOLERANCE = 1e-5


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(50, FEATURES)).astype(np.float32)


def ours(folder: Path, x: np.ndarray) -> tuple[Any, Any]:
    stored = read_dictionary(folder)
    code = stored.model.encode(stored.params, jnp.asarray(x))
    output = stored.model.decode(stored.params, code)
    while isinstance(code, NormalisedCode | dict):
        code = code["units"] if isinstance(code, dict) else code.code
    return code, output


def assert_equal(found: tuple[Any, Any], expected: tuple[Any, Any]) -> None:
    """Compare codes and outputs, relative to the largest value; print the largest difference."""
    differences = [
        float(np.abs(np.asarray(each) - np.asarray(reference)).max() / np.abs(reference).max())
        for each, reference in zip(found, expected, strict=True)
    ]
    print("largest differences of code and output, relative to the largest value:", differences)
    assert max(differences) < TOLERANCE
    assert np.count_nonzero(np.asarray(expected[0]))


def applied(torch_model: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Code and output of a model of SAELens or dictionary_learning."""
    import torch

    with torch.no_grad():
        inputs = torch.tensor(x)
        return torch_model.encode(inputs).numpy(), torch_model(inputs).numpy()


# SAELens


@pytest.fixture
def sae_lens() -> Any:
    return pytest.importorskip("sae_lens", reason="SAELens is not installed")


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("SAELens")])
def test_sae_lens_reads_the_same(sae_lens, tmp_path, x, name):
    CASES[name].write(tmp_path)
    assert_equal(ours(tmp_path, x), applied(sae_lens.SAE.load_from_disk(tmp_path), x))


@pytest.mark.parametrize("by", ["constant_norm_rescale", "layer_norm"])
def test_sae_lens_normalises_the_same(sae_lens, tmp_path, x, by):
    for architecture in ("topk", "gated"):
        folder = tmp_path / architecture
        configuration = sae_lens_configuration(architecture, normalize_activations=by)
        write_sae_lens(folder, configuration, sae_lens_tensors(architecture))
        assert_equal(ours(folder, x), applied(sae_lens.SAE.load_from_disk(folder), x))


def test_sae_lens_compares_units_by_decoder_norms_the_same(sae_lens, tmp_path, x):
    for architecture in ("topk", "abstopk"):
        folder = tmp_path / architecture
        settings = {"rescale_acts_by_decoder_norm": True}
        configuration = sae_lens_configuration(architecture, **settings)
        write_sae_lens(folder, configuration, sae_lens_tensors(architecture))
        assert_equal(ours(folder, x), applied(sae_lens.SAE.load_from_disk(folder), x))


@pytest.mark.parametrize("name", ["BatchTopK", "MatryoshkaBatchTopK", "TopK", "JumpReLU", "Gated"])
def test_sae_lens_saves_for_training_and_for_inference_the_same(sae_lens, tmp_path, x, name):
    import torch

    settings: dict[str, Any] = {"d_in": FEATURES, "d_sae": UNITS}
    if name.endswith("TopK"):
        settings |= {"k": K, "decoder_init_norm": None}
    if name.startswith("Matryoshka"):
        settings |= {"matryoshka_widths": [8, UNITS]}
    configuration = getattr(sae_lens, f"{name}TrainingSAEConfig")(**settings)
    model = getattr(sae_lens, f"{name}TrainingSAE")(configuration)
    tensors = drawn()
    state = {
        key: torch.tensor(1.7, dtype=torch.double)
        if key == "topk_threshold"
        else torch.tensor(tensors[key.removeprefix("log_")])
        for key in model.state_dict()
    }
    model.load_state_dict(state)
    model.save_model(tmp_path / "training")
    model.save_inference_model(tmp_path / "inference")
    expected = applied(sae_lens.SAE.load_from_disk(tmp_path / "inference"), x)
    for folder in ("training", "inference"):
        assert_equal(ours(tmp_path / folder, x), expected)


def test_sae_lens_folds_the_normalisation_of_a_checkpoint_the_same(sae_lens, tmp_path, x):
    import torch

    rng = np.random.default_rng(2)
    mean, matrix = (
        rng.normal(size=FEATURES),
        np.eye(FEATURES) + rng.normal(size=(FEATURES,) * 2) / 9,
    )
    maps = {"mean": mean, "matrix": matrix, "inverse_matrix": np.linalg.inv(matrix)}
    for architecture in ("jumprelu", "gated"):
        for centred in (True, False):
            for by in ("expected_average_only_in", "covariance_whitening"):
                folder = tmp_path / f"{architecture}-{centred}-{by}"
                settings = {"apply_b_dec_to_input": centred, "normalize_activations": by}
                configuration = sae_lens_configuration(architecture, **settings)
                write_sae_lens(folder, configuration, sae_lens_tensors(architecture))
                model = sae_lens.SAE.load_from_disk(folder)
                if by == "covariance_whitening":
                    save_file(maps, folder / "activation_whitening.safetensors")
                    model.fold_activation_whitening(*map(torch.tensor, maps.values()))
                else:
                    (folder / "activation_scaler.json").write_text('{"scaling_factor": 0.25}')
                    model.fold_activation_norm_scaling_factor(0.25)
                assert_equal(ours(folder, x), applied(model, x))


WRITTEN: dict[str, tuple[aejax.Autoencoder, dict[str, Any]]] = {
    "relu": (aejax.dictionary(FEATURES, UNITS), {}),
    "uncentred relu": (aejax.dictionary(FEATURES, UNITS, centred=False), {}),
    "top_k": (aejax.dictionary(FEATURES, UNITS, activation=aejax.top_k_relu(k=K)), {"k": K}),
    "jump_relu": (
        aejax.dictionary(FEATURES, UNITS, activation=aejax.jump_relu(threshold=0.3, bandwidth=1)),
        {},
    ),
    "gated": (aejax.dictionary(FEATURES, UNITS, activation=aejax.gated()), {}),
    "matching_pursuit": (aejax.matching_pursuit(FEATURES, UNITS, k=K), {"k": K}),
    "transcoder relu": (aejax.transcoder(FEATURES, UNITS, OUTPUTS), {}),
    "skip relu": (
        aejax.models.with_skip_connection(
            aejax.transcoder(FEATURES, UNITS, OUTPUTS), FEATURES, OUTPUTS
        ),
        {},
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_sae_lens_reads_what_aejax_writes(sae_lens, tmp_path, x, name):
    model, settings = WRITTEN[name]
    params = model.init(jax.random.key(0))
    if name != "matching_pursuit":  # whose directions have norm 1
        leaves, tree = jax.tree.flatten(params)
        keys = jax.random.split(jax.random.key(1), len(leaves))
        pairs = zip(keys, leaves, strict=True)
        noisy = [leaf + jax.random.uniform(key, leaf.shape) for key, leaf in pairs]
        params = jax.tree.unflatten(tree, noisy)
    write_dictionary(tmp_path / "sae", params, activation=name.split()[-1], **settings)
    expected = applied(sae_lens.SAE.load_from_disk(tmp_path / "sae"), x)
    assert_equal(ours(tmp_path / "sae", x), expected)


# Gemma Scope, by the reader of SAELens


def gemma_loader(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Any:
    """The readers of SAELens, which find the files in a folder instead of the hub."""
    from sae_lens.loading import pretrained_sae_loaders as loaders

    def find(*_: Any, filename: str = "", **__: Any) -> str:
        return str(folder / Path(filename or "config.json").name)

    def shapes(*_: Any) -> dict[str, list[int]]:
        tensors = load_file(folder / "params.safetensors")
        return {name: list(tensor.shape) for name, tensor in tensors.items()}

    monkeypatch.setattr(loaders, "hf_hub_download", find)
    monkeypatch.setattr(loaders, "get_safetensors_tensor_shapes", shapes)
    return loaders


@pytest.mark.parametrize("name", ["Gemma Scope", "Gemma Scope 2", "Gemma Scope 2, skip"])
def test_gemma_scope_is_read_as_by_sae_lens(sae_lens, tmp_path, monkeypatch, x, name):
    from sae_lens.registry import get_sae_class

    CASES[name].write(tmp_path)
    loaders = gemma_loader(monkeypatch, tmp_path)
    if name == "Gemma Scope":
        load, repository, folder = (
            loaders.gemma_2_sae_huggingface_loader,
            "google/gemma-scope-2b-pt-res",
            "layer_3/width_16k/average_l0_7",
        )
    else:
        skip = "skip" in name
        settings = {"architecture": "jump_relu", "model_name": "v3-1b", "affine_connection": skip}
        (tmp_path / "config.json").write_text(json.dumps(settings))
        load, repository = loaders.gemma_3_sae_huggingface_loader, "google/gemma-scope-2-1b-pt"
        folder = f"{'transcoder' if skip else 'resid_post'}/layer_3_width_16k"
    overrides = {"d_in": FEATURES, "d_sae": UNITS}
    configuration, state, _ = load(repository, folder, cfg_overrides=overrides)
    configuration = loaders.handle_config_defaulting(configuration)
    model_class, configuration_class = get_sae_class(configuration["architecture"])
    model = model_class(configuration_class.from_dict(configuration))
    model.load_state_dict(state)
    weights = next(tmp_path.glob("params.*"))
    assert_equal(ours(weights, x), applied(model, x))


# sparsify


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("sparsify")])
def test_sparsify_reads_the_same(tmp_path, x, name):
    sparsify = pytest.importorskip("sparsify", reason="eai-sparsify is not installed")
    import torch

    CASES[name].write(tmp_path / "read")
    model = sparsify.SparseCoder.load_from_disk(tmp_path / "read")
    model.save_to_disk(tmp_path / "written")
    with torch.no_grad():
        inputs = torch.tensor(x)
        selected = model.encode(inputs)
        code = torch.zeros(len(x), UNITS).scatter(1, selected.top_indices, selected.top_acts)
        expected = code.numpy(), model(inputs).sae_out.numpy()
    for folder in ("read", "written"):
        assert_equal(ours(tmp_path / folder, x), expected)


# dictionary_learning


def official_reader(name: str) -> Callable[..., Any]:
    """Class of dictionary_learning that reads a file."""
    pytest.importorskip("dictionary_learning", reason="dictionary-learning is not installed")
    from dictionary_learning import dictionary
    from dictionary_learning.trainers import batch_top_k, matryoshka_batch_top_k, top_k

    modules = (dictionary, top_k, batch_top_k, matryoshka_batch_top_k)
    (found,) = {getattr(module, name) for module in modules if hasattr(module, name)}
    return found.from_pretrained


@pytest.mark.parametrize("name", DICTIONARY_LEARNING)
def test_dictionary_learning_reads_and_writes_the_same(tmp_path, x, name):
    read = official_reader(name)
    import torch

    CASES[f"dictionary_learning {name}"].write(tmp_path)
    settings = {"normalize_decoder": False} if name == "AutoEncoder" else {}
    model = read(tmp_path / "ae.pt", **settings)
    expected = applied(model, x)
    assert_equal(ours(tmp_path, x), expected)
    state = {key: value.cpu() for key, value in model.state_dict().items()}
    torch.save(state, tmp_path / "ae.pt")  # as its trainer does
    assert_equal(ours(tmp_path, x), expected)


def test_decoder_norms_are_folded_as_by_dictionary_learning(tmp_path, x):
    read = official_reader("AutoEncoder")
    CASES["dictionary_learning AutoEncoder"].write(tmp_path)
    stored = read_dictionary(tmp_path)
    params = aejax.models.fold_decoder_norms(stored.params)
    code = stored.model.encode(params, jnp.asarray(x))
    expected = applied(read(tmp_path / "ae.pt"), x)
    assert_equal((code, stored.model.decode(params, code)), expected)


def test_every_architecture_of_sae_lens_is_known(sae_lens):
    from sae_lens.registry import SAE_CLASS_REGISTRY

    assert set(SAE_CLASS_REGISTRY) == {*SAE_LENS, "matching_pursuit", "temporal"}
