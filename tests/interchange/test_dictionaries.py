"""Dictionaries of other packages: read from files by their formats, and refused if invalid."""

import io
import json
import zipfile
from functools import partial

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
    FEATURES,
    UNITS,
    K,
    drawn,
    forward,
    old_sae_lens_case,
    sae_lens_configuration,
    sae_lens_tensors,
    sparsify_case,
    write_sae_lens,
)


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(size=(30, FEATURES)).astype(np.float32)


def applied(stored, x):
    """Code and output of a dictionary that was read."""
    code = stored.model.encode(stored.params, jnp.asarray(x))
    output = stored.model.decode(stored.params, code)
    while isinstance(code, NormalisedCode | dict):
        code = code["units"] if isinstance(code, dict) else code.code
    return code, output


def assert_close(found, expected):
    for each, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(each, reference, atol=2e-5)


@pytest.mark.parametrize("name", CASES)
def test_codes_and_outputs_are_those_of_the_format(tmp_path, x, name):
    CASES[name].write(tmp_path)
    stored = read_dictionary(tmp_path)
    code, output = applied(stored, x)
    expected = CASES[name].forward(x)
    assert_close((code, output), expected)
    assert 0 < np.count_nonzero(code) < code.size
    assert np.array_equal(np.asarray(code) != 0, expected[0] != 0)
    params = dict(stored.params)
    if stored.activation == "batch_top_k":  # it has no threshold at the start of training
        params["encoder"] = {name: params["encoder"][name] for name in ("kernel", "bias")}
    initial = stored.model.init(jax.random.key(0))
    assert jax.tree.map(jnp.shape, initial) == jax.tree.map(jnp.shape, params)


def test_a_fine_tuned_factor_of_old_files_scales_the_directions(tmp_path, x):
    case = old_sae_lens_case(k=K, factor=1.5)
    case.write(tmp_path)
    assert_close(applied(read_dictionary(tmp_path), x), case.forward(x))


def test_files_during_training_are_those_for_inference(tmp_path, x):
    """Decoder norms and the threshold of BatchTopK are folded."""
    tensors = sae_lens_tensors("topk") | {"topk_threshold": np.array(2.5)}
    norms = np.linalg.norm(tensors["W_dec"], axis=1)
    for architecture in ("batchtopk", "matryoshka_batchtopk"):
        settings = {"k": 3.5, "rescale_acts_by_decoder_norm": True, "lr": 1e-3}
        write_sae_lens(
            tmp_path / architecture, sae_lens_configuration(architecture, **settings), tensors
        )
        found = applied(read_dictionary(tmp_path / architecture), x)
        exact = {name: value.astype(float) for name, value in tensors.items()}
        scaled = ((x - exact["b_dec"]) @ exact["W_enc"] + exact["b_enc"]) * norms
        code = np.maximum(scaled, 0) * (scaled > 2.5)
        assert_close(found, (code, code / norms @ exact["W_dec"] + exact["b_dec"]))


def test_log_thresholds_of_old_files_are_exponentiated(tmp_path, x):
    tensors = sae_lens_tensors("jumprelu")
    write_sae_lens(tmp_path / "linear", sae_lens_configuration("jumprelu"), tensors)
    tensors["log_threshold"] = np.log(tensors.pop("threshold"))
    write_sae_lens(tmp_path / "log", sae_lens_configuration("jumprelu"), tensors)
    found = [applied(read_dictionary(tmp_path / name), x) for name in ("log", "linear")]
    assert_close(*found)


@pytest.mark.parametrize("by", ["constant_norm_rescale", "layer_norm"])
def test_examples_are_normalised_one_by_one(tmp_path, x, by):
    tensors = sae_lens_tensors("topk")
    configuration = sae_lens_configuration("topk", normalize_activations=by)
    write_sae_lens(tmp_path, configuration, tensors)
    code, output = forward("top_k", tensors, centred=True)(normalised := scaled(x, by)[0])
    assert normalised.std() == pytest.approx(1, rel=0.1)
    _, scale, shift = scaled(x, by)
    assert_close(applied(read_dictionary(tmp_path), x), (code, output * scale + shift))


def scaled(x, by):
    """Normalised examples, and the scale and shift of the outputs, in float64."""
    x = x.astype(float)
    if by == "constant_norm_rescale":
        scale = np.linalg.norm(x, axis=1, keepdims=True) / np.sqrt(x.shape[1])
        return x / scale, scale, 0
    mean, deviation = x.mean(axis=1, keepdims=True), x.std(axis=1, ddof=1, keepdims=True)
    return (x - mean) / (deviation + 1e-5), deviation, mean


def test_the_scale_of_a_checkpoint_is_folded(tmp_path, x):
    tensors = sae_lens_tensors("jumprelu")
    settings = {"normalize_activations": "expected_average_only_in"}
    write_sae_lens(tmp_path, sae_lens_configuration("jumprelu", **settings), tensors)
    assert read_dictionary(tmp_path).normalisation == "expected_average_only_in"
    (tmp_path / "activation_scaler.json").write_text('{"scaling_factor": 0.25}')
    stored = read_dictionary(tmp_path)
    assert stored.normalisation == "none"
    code, output = forward("jump_relu", tensors, centred=True)(0.25 * x)
    assert_close(applied(stored, x), (code, 4 * output))


@pytest.mark.parametrize("centred", [True, False])
def test_the_whitening_of_a_checkpoint_is_folded(tmp_path, x, centred):
    rng = np.random.default_rng(2)
    mean, matrix = rng.normal(size=FEATURES), rng.normal(size=(FEATURES, FEATURES))
    inverse = np.linalg.inv(matrix)
    tensors = sae_lens_tensors("gated")
    settings = {
        "normalize_activations": "covariance_whitening",
        "apply_b_dec_to_input": centred,
    }
    write_sae_lens(tmp_path, sae_lens_configuration("gated", **settings), tensors)
    maps = {"mean": mean, "matrix": matrix, "inverse_matrix": inverse}
    save_file(maps, tmp_path / "activation_whitening.safetensors")
    code, output = forward("gated", tensors, centred=centred)((x - mean) @ matrix)
    found = applied(read_dictionary(tmp_path), x)
    for each, reference in zip(found, (code, output @ inverse + mean), strict=True):
        np.testing.assert_allclose(each, reference, rtol=1e-4, atol=1e-3)


def test_the_description_is_kept(tmp_path):
    CASES["SAELens topk"].write(tmp_path)
    stored = read_dictionary(tmp_path)
    assert (stored.layout, stored.activation, stored.k) == ("SAELens", "top_k", K)
    assert stored.configuration["metadata"]["hook_name"] == "blocks.0.hook_resid_post"
    assert "StoredDictionary(" in repr(stored)
    assert len(repr(stored)) < 2000


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_dtypes_are_those_of_the_file_or_asked_for(tmp_path, x64, dtype):
    tensors = {
        name: value.astype(jnp.dtype(dtype)) for name, value in sae_lens_tensors("topk").items()
    }
    write_sae_lens(tmp_path, sae_lens_configuration("topk", dtype=f"torch.{dtype}"), tensors)
    for asked, expected in ((None, dtype), ("float32", "float32")):
        params = read_dictionary(tmp_path, dtype=asked).params
        assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {expected}


def test_the_file_or_its_folder_can_be_given(tmp_path, x):
    CASES["SAELens topk"].write(tmp_path)
    by_file = read_dictionary(tmp_path / "sae_weights.safetensors")
    assert_close(applied(by_file, x), applied(read_dictionary(tmp_path), x))
    with pytest.raises(FileNotFoundError, match="must be, or contain, one of the files"):
        read_dictionary(tmp_path / "missing")
    sparsify_case().write(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"it has sae_weights\.safetensors, sae\."):
        read_dictionary(tmp_path)


WRITTEN = {
    "relu": (aejax.dictionary(FEATURES, UNITS), {"activation": "relu"}),
    "uncentred": (aejax.dictionary(FEATURES, UNITS, centred=False), {"activation": "relu"}),
    "top_k": (
        aejax.dictionary(FEATURES, UNITS, activation=aejax.top_k_relu(k=K)),
        {"activation": "top_k", "k": K},
    ),
    "jump_relu": (
        aejax.dictionary(FEATURES, UNITS, activation=aejax.jump_relu(threshold=0.3, bandwidth=0.1)),
        {"activation": "jump_relu"},
    ),
    "gated": (
        aejax.dictionary(FEATURES, UNITS, activation=aejax.gated()),
        {"activation": "gated"},
    ),
    "matching pursuit": (
        aejax.matching_pursuit(FEATURES, UNITS, k=K),
        {"activation": "matching_pursuit", "k": K},
    ),
    "transcoder": (aejax.transcoder(FEATURES, UNITS, 3), {"activation": "relu"}),
    "skip": (
        aejax.models.with_skip_connection(aejax.transcoder(FEATURES, UNITS, 3), FEATURES, 3),
        {"activation": "relu"},
    ),
}


def trained(model):
    """Parameters without zeros."""
    params = model.init(jax.random.key(0))
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noise = [0.1 * jax.random.uniform(k, leaf.shape) for k, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(tree, [a + b for a, b in zip(leaves, noise, strict=True)])


@pytest.mark.parametrize("name", WRITTEN)
def test_a_written_dictionary_is_read_bit_identically(tmp_path, x, name):
    model, settings = WRITTEN[name]
    params = trained(model)
    if settings["activation"] == "matching_pursuit":
        with pytest.raises(ValueError, match="must have norm 1, got norms from"):
            write_dictionary(tmp_path / "sae", params, **settings)
        params = model.init(jax.random.key(0))
    write_dictionary(tmp_path / "sae", params, metadata={"hook_name": "here"}, **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["sae"]
    stored = read_dictionary(tmp_path / "sae")
    jax.tree.map(np.testing.assert_array_equal, stored.params, params)
    assert stored.configuration["metadata"]["hook_name"] == "here"
    code = model.encode(params, jnp.asarray(x))
    np.testing.assert_allclose(applied(stored, x)[1], model.decode(params, code), atol=1e-6)


def test_a_calibrated_batch_top_k_is_written_as_jump_relu(tmp_path, x):
    model = aejax.dictionary(FEATURES, UNITS, activation=aejax.batch_top_k(k=K))
    params = aejax.training.calibrate_threshold(trained(model), jnp.asarray(x), l0=K)
    write_dictionary(tmp_path / "sae", params, activation="jump_relu")
    code = model.encode(params, jnp.asarray(x))
    found, _ = applied(read_dictionary(tmp_path / "sae"), x)
    np.testing.assert_array_equal(found, code)
    assert np.count_nonzero(found) == K * len(x)


def test_writing_refuses_what_sae_lens_has_not_and_leaves_nothing(tmp_path, monkeypatch):
    write = partial(write_dictionary, tmp_path / "sae")
    params = trained(WRITTEN["relu"][0])
    with pytest.raises(ValueError, match="'top_k' does not fit k = None"):
        write(params, activation="top_k")
    with pytest.raises(ValueError, match="'relu' does not fit k = 4"):
        write(params, activation="relu", k=4)
    with pytest.raises(ValueError, match="'jump_relu' needs kernel, bias, threshold"):
        write(params, activation="jump_relu")
    with pytest.raises(ValueError, match="no dictionary with 'group_max'"):
        write(params, activation="group_max", k=4)
    with pytest.raises(ValueError, match="no transcoder with 'top_k'"):
        write(trained(WRITTEN["transcoder"][0]), activation="top_k", k=4)
    with pytest.raises(ValueError, match="transcoder is not subtracted"):
        write(params, activation="relu", transcoder=True)
    with pytest.raises(ValueError, match="the metadata is not JSON"):
        write(params, activation="relu", metadata={"hook": object()})
    infinite = params | {"centre": {"bias": jnp.full(FEATURES, jnp.inf)}}
    with pytest.raises(ValueError, match="b_dec has NaN or infinity"):
        write(infinite, activation="relu")
    mixed = params | {"centre": {"bias": jnp.zeros(FEATURES, jnp.bfloat16)}}
    with pytest.raises(ValueError, match="one floating dtype, got bfloat16, float32"):
        write(mixed, activation="relu")
    negative = trained(WRITTEN["jump_relu"][0])
    negative["encoder"]["threshold"] = -negative["encoder"]["threshold"]
    with pytest.raises(ValueError, match="a threshold is negative"):
        write(negative, activation="jump_relu")
    assert list(tmp_path.iterdir()) == []
    write(params, activation="relu")
    with pytest.raises(FileExistsError, match="choose another folder"):
        write(params, activation="relu")

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_dictionary(tmp_path / "other", params, activation="relu")
    assert [path.name for path in tmp_path.iterdir()] == ["sae"]


INVALID_CONFIGURATIONS = {
    "architecture": ("temporal", "architecture must be one of standard, topk"),
    "d_in": (FEATURES + 1, r"must have the shape \[20, 7\], got \[20, 6\]"),
    "d_sae": (True, "d_sae must be a positive integer, got True"),
    "k": (UNITS + 1, "k must be from 1 to 20"),
    "dtype": ("int8", "dtype must be one of float16"),
    "apply_b_dec_to_input": (1, "apply_b_dec_to_input must be true or false, got 1"),
    "normalize_activations": ("batch_norm", "normalize_activations must be one of none"),
    "sae_lens_version": ("six", "sae_lens_version must be a version"),
}


@pytest.mark.parametrize("name", INVALID_CONFIGURATIONS)
def test_an_invalid_configuration_is_refused_by_its_entry(tmp_path, name):
    value, message = INVALID_CONFIGURATIONS[name]
    configuration = sae_lens_configuration("topk") | {name: value}
    write_sae_lens(tmp_path, configuration, sae_lens_tensors("topk"))
    with pytest.raises(ValueError, match=message):
        read_dictionary(tmp_path)


def test_other_invalid_configurations_are_refused(tmp_path):
    tensors = sae_lens_tensors("topk")
    for configuration, message in (
        ({"d_in": FEATURES, "d_sae": UNITS, "activation_fn": "tanh-relu"}, "must be relu or topk"),
        (sae_lens_configuration("topk", k=None), "k must be a positive integer, got None"),
    ):
        write_sae_lens(tmp_path, configuration, tensors)
        with pytest.raises(ValueError, match=message):
            read_dictionary(tmp_path)
    (tmp_path / "cfg.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"cfg\.json is not a configuration: it is no"):
        read_dictionary(tmp_path)
    settings = {"normalize_activations": "layer_norm"}
    write_sae_lens(
        tmp_path,
        sae_lens_configuration("transcoder", **settings),
        sae_lens_tensors("transcoder"),
    )
    with pytest.raises(ValueError, match="a transcoder cannot be normalised one by one"):
        read_dictionary(tmp_path)


def test_a_missing_or_unknown_tensor_is_refused_by_name(tmp_path):
    tensors = sae_lens_tensors("jumprelu")
    configuration = sae_lens_configuration("jumprelu")
    for changed, message in (
        ({name: tensors[name] for name in tensors if name != "b_enc"}, "lacks b_enc;"),
        (tensors | {"extra": tensors["b_enc"]}, "has the unknown extra;"),
        (tensors | {"b_enc": tensors["b_enc"].astype(np.int32)}, "b_enc must be floating, got in"),
        (tensors | {"b_enc": tensors["b_enc"] * np.nan}, "b_enc has NaN or infinity"),
        (sae_lens_tensors("standard"), "lacks threshold"),
        (tensors | {"scaling_factor": 2 * tensors["b_enc"]}, "finetuning_scaling_factor of its"),
    ):
        write_sae_lens(tmp_path, configuration, changed)
        with pytest.raises(ValueError, match=message):
            read_dictionary(tmp_path)


def test_nothing_is_allocated_for_a_lying_header(tmp_path):
    """A header may claim any size: only the file's length is believed."""
    CASES["SAELens topk"].write(tmp_path)
    path = tmp_path / "sae_weights.safetensors"
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["W_enc"]["shape"] = [1 << 30, 1 << 20]
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    with pytest.raises(ValueError, match="is not a complete safetensors file"):
        read_dictionary(tmp_path)
    path.write_bytes(data[:-4])
    with pytest.raises(ValueError, match="is not a complete safetensors file"):
        read_dictionary(tmp_path)


def test_invalid_archives_of_gemma_scope_are_refused(tmp_path):
    path = tmp_path / "params.npz"
    names = ["W_enc", "W_dec", "b_enc", "b_dec", "threshold"]
    tensors = {name: drawn()[name] for name in names}
    np.savez_compressed(path, **tensors)
    assert read_dictionary(path).layout == "Gemma Scope"
    objects = np.array([{}, []], dtype=object)
    for changed, message in (
        (tensors | {"W_enc": tensors["b_enc"]}, r"W_enc must be a matrix, got the shape \[20\]"),
        (tensors | {"W_dec": tensors["W_enc"]}, r"W_dec must have the shape \[20, 20\], got \[6"),
        (tensors | {"more": tensors["b_enc"]}, "has the unknown more"),
        (tensors | {"b_enc": objects}, "contains Python objects"),
        (tensors | {"scaling_factor": 2 * tensors["b_enc"]}, "scaling_factor other than 1"),
    ):
        np.savez(path, **changed)
        with pytest.raises(ValueError, match=message):
            read_dictionary(path)
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="is not a NumPy archive"):
        read_dictionary(path)
    np.savez(path, **tensors)
    (tmp_path / "config.json").write_text('{"architecture": "topk"}')
    with pytest.raises(ValueError, match="architecture must be jump_relu, got 'topk'"):
        read_dictionary(path)


def test_damaged_archives_of_gemma_scope_are_refused(tmp_path):
    """Altered bytes, encryption, an unknown compression, and a header that is no expression."""
    path = tmp_path / "params.npz"
    names = ["W_enc", "W_dec", "b_enc", "b_dec", "threshold"]
    tensors = {name: drawn()[name] for name in names}
    rng = np.random.default_rng(0)
    for save in (np.savez, np.savez_compressed):
        save(path, **tensors)
        data, refused = path.read_bytes(), 0
        for position in rng.permutation(len(data))[:40]:
            path.write_bytes(data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :])
            try:
                found = read_dictionary(path).params["encoder"]["kernel"]
                np.testing.assert_array_equal(found, tensors["W_enc"])
            except ValueError:
                refused += 1
        assert refused > 20
    central, local = data.find(b"PK\x01\x02"), data.find(b"PK\x03\x04")
    for offset, value, message in ((6, 1, "encrypted"), (8, 99, "compression method")):
        changed = bytearray(data)
        changed[local + offset] = changed[central + offset + 2] = value
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=message):
            read_dictionary(path)
    file = io.BytesIO()
    np.save(file, np.ones((3, 4)))
    for changed in (b"{{'descr'", b"\n 'descr'", b"{}:1,'des"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("W_enc.npy", file.getvalue().replace(b"{'descr'", changed))
        with pytest.raises(ValueError, match=r"W_enc\.npy is not an array"):
            read_dictionary(path)


def test_layers_in_low_precision_are_added_in_float64(tmp_path):
    """A sum of 26 layers in bfloat16 would have an error of some percent."""
    names = ["W_enc", "W_dec", "b_enc", "b_dec", "threshold"]
    tensors = {name: drawn()[name].astype(jnp.bfloat16) for name in names}
    rng = np.random.default_rng(0)
    tensors["W_dec"] = rng.normal(size=(UNITS, 26, FEATURES)).astype(jnp.bfloat16)
    save_file(tensors, tmp_path / "params.safetensors")
    kernel = read_dictionary(tmp_path, dtype="float32").params["decoder"]["kernel"]
    expected = tensors["W_dec"].astype(np.float64).sum(axis=1)
    np.testing.assert_allclose(kernel, expected, rtol=1e-6, atol=1e-6)


def test_decoder_norms_are_folded_where_units_are_compared_only(tmp_path, x):
    for architecture in ("standard", "gated"):
        settings = {"rescale_acts_by_decoder_norm": True}
        configuration = sae_lens_configuration(architecture, **settings)
        write_sae_lens(tmp_path, configuration, sae_lens_tensors(architecture))
        expected = CASES[f"SAELens {architecture}"].forward(x)
        assert_close(applied(read_dictionary(tmp_path), x), expected)
    settings = {"rescale_acts_by_decoder_norm": "no"}
    write_sae_lens(tmp_path, sae_lens_configuration("topk", **settings), sae_lens_tensors("topk"))
    with pytest.raises(ValueError, match="must be a bool, got 'no'"):
        read_dictionary(tmp_path)


def test_an_array_with_a_lying_header_is_refused(tmp_path):
    path = tmp_path / "params.npz"
    file = io.BytesIO()
    np.save(file, np.ones((3, 4)))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("W_enc.npy", file.getvalue().replace(b"(3, 4), ", b"(3, 9), "))
    with pytest.raises(ValueError, match=r"a header for float64\[3, 9\], 216 bytes, but 96 bytes"):
        read_dictionary(path)


def test_written_tensors_have_the_names_of_sae_lens(tmp_path):
    model, settings = WRITTEN["jump_relu"]
    write_dictionary(tmp_path / "sae", trained(model), **settings)
    tensors = load_file(tmp_path / "sae" / "sae_weights.safetensors")
    assert {name: array.shape for name, array in tensors.items()} == {
        "W_enc": (FEATURES, UNITS),
        "W_dec": (UNITS, FEATURES),
        "b_enc": (UNITS,),
        "b_dec": (FEATURES,),
        "threshold": (UNITS,),
    }
