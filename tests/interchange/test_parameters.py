"""Parameter files: exact round trips, independent readers, refusal of invalid files."""

import json
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import aejax
from aejax.interchange import load_parameters, save_parameters

SUFFIXES = ["safetensors", "npz"]


@pytest.fixture
def params():
    return aejax.dense((6, 4, 2)).init(jax.random.key(0))


def assert_equal(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_parameters_and_description_are_restored_exactly(tmp_path, params, suffix):
    path = tmp_path / f"params.{suffix}"
    save_parameters(path, params, description={"note": "ρ̂ of 0.1", "step": 3})
    found, about = load_parameters(path)
    assert_equal(found, params)
    assert (about["note"], about["step"]) == ("ρ̂ of 0.1", 3)
    assert about["arrays"]["encoder.layer_0.kernel"] == "float32[6, 4]"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]  # no partial file


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", ["float16", "float64", "int32", "uint8", "bool"])
def test_every_dtype_and_shape_is_preserved(tmp_path, suffix, dtype):
    params = {"a": {"scalar": np.ones((), dtype)}, "b": np.ones((3, 2), dtype).T}
    save_parameters(tmp_path / f"p.{suffix}", params)
    found, _ = load_parameters(tmp_path / f"p.{suffix}")
    assert_equal(found, params)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype(dtype)}


def test_files_can_be_read_without_aejax(tmp_path, params):
    save_parameters(tmp_path / "p.safetensors", params)
    save_parameters(tmp_path / "p.npz", params)
    tensors = load_file(tmp_path / "p.safetensors")
    with np.load(tmp_path / "p.npz") as archive:  # refuses pickles by default
        assert {*tensors, "aejax"} == {*archive.files}
        assert json.loads(str(archive["aejax"]))["format"] == "aejax parameters 1"
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(tensor, archive[name])
    np.testing.assert_array_equal(
        tensors["decoder.layer_1.bias"], params["decoder"]["layer_1"]["bias"]
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_unreadable_files_are_refused_by_name(tmp_path, params, suffix):
    path = tmp_path / f"p.{suffix}"
    with pytest.raises(FileNotFoundError, match=path.name):
        load_parameters(path)
    save_parameters(path, params)
    complete = path.read_bytes()
    for broken in (b"", b"not an archive", complete[:-40], complete[:100]):
        path.write_bytes(broken)
        with pytest.raises(
            ValueError, match=rf"{path.name} is no readable \.{suffix} file of aejax"
        ):
            load_parameters(path)


def test_files_of_other_programs_are_refused_by_name(tmp_path, params):
    weights = {"weight": np.ones(3, np.float32)}
    np.savez(tmp_path / "foreign.npz", **weights)
    save_file(weights, tmp_path / "foreign.safetensors")
    save_file(weights, tmp_path / "named.safetensors", metadata={"aejax": '{"format": "other"}'})
    save_parameters(tmp_path / "p.safetensors", params)
    _, about = load_parameters(tmp_path / "p.safetensors")
    save_file(weights, tmp_path / "altered.safetensors", metadata={"aejax": json.dumps(about)})
    for name, words in {
        "foreign.npz": "no readable",
        "foreign.safetensors": "no readable",
        "named.safetensors": "not have the format 'aejax parameters 1'",
        "altered.safetensors": "not contain the arrays of its description",
    }.items():
        with pytest.raises(ValueError, match=f"{name} .*{words}"):
            load_parameters(tmp_path / name)


def test_a_pickle_is_never_loaded(tmp_path):
    np.savez(tmp_path / "evil.npz", aejax=np.array([print], dtype=object))
    with pytest.raises(ValueError, match=r"evil\.npz .*allow_pickle=False"):
        load_parameters(tmp_path / "evil.npz")


@pytest.mark.parametrize(
    ("name", "params", "description", "words"),
    [
        ("p.pkl", {"a": np.ones(2)}, {}, r"must end in \.safetensors or \.npz"),
        ("p.npz", {}, {}, "one array or more"),
        ("p.npz", {"aejax": np.ones(2)}, {}, "none called 'aejax'"),
        ("p.npz", {"a.b": np.ones(2)}, {}, "names without dots"),
        ("p.npz", {"a": [np.ones(2)]}, {}, "must be nested dicts"),
        ("p.npz", {"a": jnp.ones(2, jnp.bfloat16)}, {}, "a is bfloat16; cast it to float32"),
        ("p.npz", {"a": np.ones(2)}, {"loss": np.ones(2)}, "description is not JSON"),
        ("p.npz", {"a": np.ones(2)}, {"loss": float("nan")}, "description is not JSON"),
        ("p.npz", {"a": np.ones(2)}, {"digest": "0"}, "reserved key 'digest'"),
        ("p.npz", {"a": np.array([1, np.nan])}, {}, "a has NaN or infinity: 1 of 2 values"),
    ],
)
def test_invalid_params_and_descriptions_are_refused(tmp_path, name, params, description, words):
    with pytest.raises(ValueError, match=words):
        save_parameters(tmp_path / name, params, description=description)
    assert not list(tmp_path.iterdir())


def write_without_digest(path, arrays, **changes):
    """Write a valid file without a digest, as earlier versions did."""
    described = {name: f"{array.dtype}{list(array.shape)}" for name, array in arrays.items()}
    about = {"format": "aejax parameters 1", "arrays": dict(sorted(described.items()))}
    text = json.dumps(about | changes)
    if path.suffix == ".npz":
        np.savez(path, aejax=np.asarray(text), **arrays)
    else:
        save_file(arrays, path, metadata={"aejax": text})


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_of_earlier_versions_without_digest_are_read(tmp_path, suffix):
    path = tmp_path / f"p.{suffix}"
    write_without_digest(path, {"a.kernel": np.ones((2, 3)), "a.bias": np.zeros(3)}, note="old")
    params, about = load_parameters(path)
    assert params["a"]["kernel"].shape == (2, 3)
    assert about["note"] == "old"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"encoder": 1, "encoder.layer_0.kernel": 1}, "encoder.layer_0.kernel conflicts"),
        ({"a.kernel": 1, "a.kernel.x": 1}, "a.kernel.x conflicts"),
        ({"a.kernel.x": 1, "a": 1}, "conflicts"),
        ({"a..kernel": 1}, "has an empty part"),
        ({"a.kernel": np.nan}, "a.kernel has NaN or infinity: 2 of 2 values"),
        ({"a.kernel": -np.inf, "b": 1}, "a.kernel has NaN or infinity"),
    ],
)
def test_conflicting_names_and_non_finite_arrays_are_refused(tmp_path, suffix, arrays, words):
    path = tmp_path / f"p.{suffix}"
    write_without_digest(path, {name: np.full(2, value) for name, value in arrays.items()})
    with pytest.raises(ValueError, match=f"p.{suffix} is not a file .*{words}"):
        load_parameters(path)


def test_two_arrays_of_one_name_are_refused(tmp_path, params):
    path = tmp_path / "p.npz"
    save_parameters(path, params)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("encoder.layer_0.bias.npy", archive.read("encoder.layer_0.bias.npy"))
    with pytest.raises(ValueError, match=r"p\.npz .*two of its arrays have the same name"):
        load_parameters(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_flipped_bits_are_detected_or_change_nothing(tmp_path, params, suffix):
    path = tmp_path / f"p.{suffix}"
    save_parameters(path, params, description={"step": 3})
    whole, chance = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for place in chance.integers(len(whole), size=150):
        content = bytearray(whole)
        content[place] ^= 1 << int(chance.integers(8))
        path.write_bytes(content)
        try:
            found, about = load_parameters(path)
        except ValueError as error:
            assert path.name in str(error)  # noqa: PT017 -- no error is right too
            refused += 1
        else:
            assert_equal(found, params)
            assert about["step"] == 3
    assert refused > 75


def test_a_path_may_be_a_string(tmp_path, params):
    for suffix in SUFFIXES:
        save_parameters(f"{tmp_path}/p.{suffix}", params)
        assert_equal(load_parameters(f"{tmp_path}/p.{suffix}")[0], params)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_scalars_and_big_endian_arrays_are_restored(tmp_path, suffix):
    """`numpy.ascontiguousarray` would convert a scalar to shape [1]."""
    params = {"scale": np.float32(2), "rate": 0.5, "kernel": np.arange(3, dtype=">f4")}
    save_parameters(tmp_path / f"x{suffix}", params)
    found, _ = load_parameters(tmp_path / f"x{suffix}")
    assert found["scale"].shape == found["rate"].shape == ()
    assert found["kernel"].dtype.isnative
    for name, value in params.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("name", ["file", "allow_pickle", "aejax"])
def test_reserved_array_names_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=f"none called '{name}'"):
        save_parameters(tmp_path / "x.npz", {name: np.ones(2)})
