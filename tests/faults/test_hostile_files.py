"""Readers either read a damaged file or refuse it by name, with bounded memory."""

import contextlib
import io
import json
import tracemalloc
import zipfile

import jax
import numpy as np
import optax
import pytest
from array_record.python.array_record_module import ArrayRecordWriter
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import aejax
from aejax import checkpoints, losses, training
from aejax.checkpoints import DamagedCheckpointError, OtherConfigurationError, folders
from aejax.data import guarded, load_file, open_stream
from aejax.runs.configuration import Training, dumps, loads
from aejax.runs.history import read_history
from aejax.runs.run import read_about

one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
DEEP = b"[" * 100_000
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def damages(valid: bytes) -> st.SearchStrategy[bytes]:
    """A valid file with some bytes replaced, removed or inserted; or arbitrary bytes."""

    def damaged(position: int, removed: int, inserted: bytes) -> bytes:
        position %= len(valid) + 1
        return valid[:position] + inserted + valid[position + removed :]

    some = st.builds(damaged, st.integers(0, 2**16), st.integers(0, 8), st.binary(max_size=8))
    return some | st.binary(max_size=40)


def saved(tmp_path, name, save, *arrays):
    save(tmp_path / name, *arrays)
    return (tmp_path / name).read_bytes()


@pytest.mark.parametrize("kind", ["x.npy", "x.npz", "packed.npz"])
def test_arrays_are_read_or_refused_by_name(tmp_path, kind):
    save = {"x.npy": np.save, "x.npz": np.savez, "packed.npz": np.savez_compressed}[kind]
    valid = saved(tmp_path, kind, save, np.arange(12.0).reshape(6, 2))
    assert load_file(tmp_path / kind).x_test.tolist() == [[8.0, 9.0]]

    @one_folder
    @given(content=damages(valid))
    def check(content):
        path = tmp_path / f"damaged-{kind}"
        path.write_bytes(content)
        try:
            load_file(path)
        except ValueError as error:
            assert path.name in str(error)  # noqa: PT017 -- no error is right too

    check()


@pytest.mark.parametrize("kind", ["x.npy", "x.array_record"])
def test_streams_are_read_or_refused_by_name(tmp_path, kind):
    x = np.arange(24.0).reshape(12, 2)
    path = tmp_path / kind
    np.save(path, x) if kind == "x.npy" else write_records(path, x)
    valid = path.read_bytes()
    np.testing.assert_array_equal(open_stream(str(path)).test[:], x[[4, 9]])

    @one_folder
    @given(content=damages(valid))
    def check(content):
        path.write_bytes(content)
        try:
            open_stream(str(path), guard=guarded).train[:]
        except ValueError as error:
            assert path.name in str(error)  # noqa: PT017 -- no error is right too

    check()


def write_records(path, x):
    writer = ArrayRecordWriter(str(path), "group_size:1")
    for row in x:
        file = io.BytesIO()
        np.save(file, row)
        writer.write(file.getvalue())
    writer.close()


def npy_header(shape: tuple[int, ...]) -> bytes:
    header = str({"descr": "<f8", "fortran_order": False, "shape": shape}).ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


@pytest.mark.parametrize("shape", [(2**40,), (2**20, 2**20), (2**62, 4), (2**70,)])
@pytest.mark.parametrize("name", ["claims.npy", "claims.npz"])
def test_an_array_larger_than_its_file_is_refused_unread(tmp_path, name, shape):
    path = tmp_path / name
    if path.suffix == ".npy":
        path.write_bytes(npy_header(shape) + bytes(64))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", npy_header(shape) + bytes(64))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=name):
            load_file(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@one_folder
@given(content=damages(dumps(Training()).encode()))
@example(content=DEEP)
def test_settings_are_read_or_refused(content):
    try:
        assert isinstance(loads(content.decode(errors="replace")), Training)
    except ValueError as error:
        assert "not a configuration" in str(error)  # noqa: PT017


@given(name=st.sampled_from(sorted(json.loads(dumps(Training())))), value=anything)
def test_settings_of_another_type_are_read_or_refused(name, value):
    try:
        loads(json.dumps(json.loads(dumps(Training())) | {name: value}))
    except ValueError as error:
        assert "not a configuration" in str(error)  # noqa: PT017


@one_folder
@given(content=damages(b'{"epoch": 1, "step": 3}\n{"epoch": 2, "step": 6}\n'))
@example(content=DEEP + b"\n")
def test_a_history_is_read_or_refused_by_name(tmp_path, content):
    path = tmp_path / "history.jsonl"
    path.write_bytes(content)
    try:
        read_history(path)
    except ValueError as error:
        assert "history.jsonl: line" in str(error)  # noqa: PT017


@one_folder
@given(content=damages(b'{"environment": {"jax": "1"}, "fingerprint": "0", "feature_shape": [8]}'))
@example(content=DEEP)
@example(content=b'{"environment": {}, "fingerprint": "0", "feature_shape": [Infinity]}')
def test_about_json_of_a_run_is_read_or_refused_by_name(tmp_path, content):
    (tmp_path / "about.json").write_bytes(content)
    try:
        read_about(tmp_path)
    except ValueError as error:
        assert "about.json is not what" in str(error)  # noqa: PT017


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Folder of a checkpoint, and the saved state."""
    objective = aejax.objective(aejax.dense((3, 2)), losses.squared)
    state = training.init_state(objective, optax.sgd(0.1), jax.random.key(0))
    folder = tmp_path_factory.mktemp("checkpoints")
    return checkpoints.save(folder, state, configuration={"a": 1}), state


@one_folder
@given(content=damages(b'{"validation_loss": 1.0}'), forged=st.booleans())
@example(content=DEEP, forged=True)
@example(content=b'{"configuration": [1], "arrays": 2}', forged=True)
def test_a_checkpoint_is_refused_even_if_its_digests_were_forged(checkpoint, content, forged):
    folder, state = checkpoint
    about, digests = folder / "about.json", folder / "digests.json"
    index = folder.parent.with_name(f"{folder.parent.name}.json")
    before = about.read_bytes(), digests.read_bytes(), index.read_bytes()
    about.write_bytes(content)
    if forged:
        digests.write_text(json.dumps(folders.digests(folder)))
        index.unlink()  # it would detect the forgery
    try:
        with pytest.raises((DamagedCheckpointError, OtherConfigurationError)):
            checkpoints.restore(folder.parent, state, configuration={"a": 1})
        with contextlib.suppress(DamagedCheckpointError):
            checkpoints.best_step(folder.parent)
    finally:
        about.write_bytes(before[0])
        digests.write_bytes(before[1])
        index.write_bytes(before[2])
