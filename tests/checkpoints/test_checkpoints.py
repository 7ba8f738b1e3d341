"""Checkpoints: bit-identical restoring, atomic writes, and detection of damage."""

import errno
import hashlib
import json
import os
import random
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aejax import checkpoints
from aejax.checkpoints import DamagedCheckpointError, OtherConfigurationError
from aejax.data import Normalisation
from aejax.training import TrainState

OPTIMIZER = optax.adam(optax.cosine_decay_schedule(1e-3, 100))
CONFIGURATION = {"sizes": (4, 2), "seed": 0, "penalty.l2": 0.5}
NORMALISATION = Normalisation(np.array([0.1, 1 / 3]), np.array([1e-300, np.pi]))


def state_of(step: int, *, features: int = 4, dtype=jnp.float32) -> TrainState:
    """Training state with optimiser moments and counters."""
    key_kernel, key = jax.random.split(jax.random.key(step))
    params = {"encoder": {"kernel": jax.random.normal(key_kernel, (features, 2), dtype)}}
    _, optimizer_state = OPTIMIZER.update(params, OPTIMIZER.init(params))
    return TrainState(params, optimizer_state, jnp.int32(step), jnp.int32(step // 10), key)


def save(directory: Path, step: int, **settings) -> Path:
    settings = {"configuration": CONFIGURATION, "normalisation": NORMALISATION} | settings
    return checkpoints.save(directory, state_of(step), **settings)


def restore(directory: Path, **settings) -> tuple[TrainState, Normalisation]:
    like = settings.pop("like", state_of(0))
    return checkpoints.restore(directory, like, normalisation=NORMALISATION, **settings)


def bits(tree) -> list[tuple]:
    """Dtype, shape and bytes of every leaf, including the implementation of keys."""
    leaves = []
    for leaf in jax.tree.leaves(tree):
        kind = str(leaf.dtype)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        leaves.append((kind, leaf.shape, np.asarray(leaf).tobytes()))
    return leaves


def test_restored_states_are_bit_identical(tmp_path):
    path = save(tmp_path, 30)
    state, normalisation = restore(tmp_path, configuration=CONFIGURATION)
    assert path == tmp_path / "30"
    assert jax.tree.structure(state) == jax.tree.structure(state_of(30))
    assert bits(state) == bits(state_of(30))
    assert bits(normalisation) == bits(NORMALISATION)
    assert normalisation.shift.dtype == np.float64


def test_the_newest_and_the_best_are_kept(tmp_path):
    losses = {10: 3.0, 20: 1.0, 30: 2.0, 40: 5.0, 50: None, 60: 4.0}
    for step, loss in losses.items():
        save(tmp_path, step, validation_loss=loss, keep=2)
    assert checkpoints.steps(tmp_path) == [20, 50, 60]
    assert checkpoints.best_step(tmp_path) == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["20", "50", "60"]


@pytest.mark.parametrize("loss", [None, float("nan"), float("-inf")])
def test_non_finite_losses_are_never_the_best(tmp_path, loss):
    save(tmp_path, 10, validation_loss=loss)
    assert checkpoints.best_step(tmp_path) is None
    save(tmp_path, 20, validation_loss=7.0)
    assert checkpoints.best_step(tmp_path) == 20


def test_the_newest_is_restored_by_default(tmp_path):
    for step in (9, 10):  # in text order, 9 is last
        save(tmp_path, step)
    assert int(restore(tmp_path)[0].step) == 10
    assert bits(restore(tmp_path, step=9)[0]) == bits(state_of(9))


def test_saving_an_earlier_step_deletes_later_ones(tmp_path):
    for step in (10, 20, 30):
        save(tmp_path, step)
    save(tmp_path, 15, keep=1)
    assert checkpoints.steps(tmp_path) == [15]


def test_a_partial_folder_is_ignored_and_replaced(tmp_path):
    save(tmp_path, 10)
    for name in ("20.partial", "10.dropped.partial"):
        (tmp_path / name / "state").mkdir(parents=True)
        (tmp_path / name / "about.json").write_text("{")
    assert checkpoints.steps(tmp_path) == [10]
    assert int(restore(tmp_path)[0].step) == 10
    save(tmp_path, 20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["10", "20"]


def test_saving_a_step_again_replaces_a_damaged_checkpoint(tmp_path):
    (save(tmp_path, 10) / "about.json").unlink()
    save(tmp_path, 10)
    assert bits(restore(tmp_path)[0]) == bits(state_of(10))


def fail(*_, **__):
    raise OSError("the disk is full")


@pytest.mark.parametrize("place", ["orbax", "digests", "rename"])
def test_a_failed_save_leaves_no_checkpoint(tmp_path, monkeypatch, place):
    save(tmp_path, 10)
    with monkeypatch.context() as patch:
        if place == "orbax":
            patch.setattr("orbax.checkpoint.PyTreeCheckpointer.save", fail)
        elif place == "digests":
            patch.setattr("aejax.checkpoints.saving.digests", fail)
        else:
            patch.setattr(os, "rename", fail)
        with pytest.raises(OSError, match="the disk is full"):
            save(tmp_path, 20, keep=1)
    assert checkpoints.steps(tmp_path) == [10]
    assert bits(restore(tmp_path)[0]) == bits(state_of(10))


def test_a_failed_deletion_leaves_no_damaged_checkpoint(tmp_path, monkeypatch):
    save(tmp_path, 10)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", fail)
        with pytest.raises(OSError, match="the disk is full"):
            save(tmp_path, 20, keep=1)
    assert checkpoints.newest_intact_step(tmp_path) == 20
    assert [checkpoints.find_damage(tmp_path / str(s)) for s in checkpoints.steps(tmp_path)] == [
        None
    ]


def test_keep_below_one_is_refused(tmp_path):
    with pytest.raises(ValueError, match="keep must be at least 1 checkpoint, got 0"):
        save(tmp_path, 10, keep=0)


def test_missing_truncated_and_altered_files_are_reported_by_name(tmp_path):
    save(tmp_path, 10)
    damaged = save(tmp_path, 20)
    files = [path for path in sorted(damaged.rglob("*")) if path.is_file()]
    assert {"about.json", "digests.json"} < {path.name for path in files}
    assert any("state/d/" in path.as_posix() for path in files)
    for path in files:
        content = path.read_bytes()
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        for damage in (None, content[:middle], flipped):
            path.unlink()
            if damage is not None:
                path.write_bytes(damage)
            with pytest.raises(DamagedCheckpointError) as caught:
                restore(tmp_path)
            assert f"{damaged} is damaged" in str(caught.value)
            # An altered digest is reported as damage of the file that it belongs to.
            accuses_another = path.name == "digests.json" and damage == flipped
            assert accuses_another or path.name in str(caught.value)
            assert "the newest intact one is step 10 (--checkpoint 10)" in str(caught.value)
            path.write_bytes(content)
    assert bits(restore(tmp_path)[0]) == bits(state_of(20))


def test_the_message_states_if_no_checkpoint_is_intact(tmp_path):
    for step in (10, 20):
        (save(tmp_path, step) / "digests.json").write_text("{}")
    with pytest.raises(DamagedCheckpointError, match="no other checkpoint is intact"):
        restore(tmp_path)
    assert checkpoints.newest_intact_step(tmp_path) is None


def test_another_configuration_is_refused_with_all_differences(tmp_path):
    save(tmp_path, 10)
    given = {"sizes": (4, 3), "seed": 0, "clip": 1.0}
    with pytest.raises(OtherConfigurationError) as caught:
        restore(tmp_path, configuration=given)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / '10'} was saved with another configuration: ")
    assert "sizes was [4, 2], now [4, 3]" in message
    assert "clip was None, now 1.0" in message
    assert "penalty.l2 was 0.5, now None" in message
    assert "seed" not in message


@pytest.mark.parametrize(
    ("like", "difference"),
    [
        (state_of(0, features=5), "kernel was 'float32[4, 2]', now 'float32[5, 2]'"),
        (state_of(0, dtype=jnp.float16), "kernel was 'float32[4, 2]', now 'float16[4, 2]'"),
        (state_of(0)._replace(key=jax.random.key(0, impl="rbg")), "key was 'key<fry>[]'"),
        (state_of(0)._replace(params={}), "kernel was 'float32[4, 2]', now None"),
    ],
)
def test_arrays_of_another_structure_shape_or_dtype_are_refused(tmp_path, like, difference):
    save(tmp_path, 10)
    with pytest.raises(OtherConfigurationError, match="holds other arrays") as caught:
        restore(tmp_path, like=like)
    assert difference in str(caught.value)


def test_missing_checkpoints_are_reported_with_the_existing_steps(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint in"):
        restore(tmp_path / "nowhere")
    save(tmp_path, 10)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint of step 5 in .*; there are \[10\]"):
        restore(tmp_path, step=5)


def test_about_json_is_readable(tmp_path):
    about = json.loads((save(tmp_path, 20, validation_loss=1.5) / "about.json").read_text())
    assert (about["step"], about["epoch"], about["validation_loss"]) == (20, 2, 1.5)
    assert about["configuration"] == {"sizes": [4, 2], "seed": 0, "penalty.l2": 0.5}


def test_insufficient_disk_space_is_detected_before_writing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    save(tmp_path, 10)
    monkeypatch.setattr(os, "posix_fallocate", full)
    monkeypatch.setattr("orbax.checkpoint.PyTreeCheckpointer.save", fail)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, 20)
    assert checkpoints.steps(tmp_path) == [10]


def test_orbax_errors_of_a_full_disk_become_os_errors(tmp_path, monkeypatch):
    def full(*_, **__):
        raise ValueError("RESOURCE_EXHAUSTED: Failed to write 184 bytes: No space left on device")

    monkeypatch.setattr("orbax.checkpoint.PyTreeCheckpointer.save", full)
    with pytest.raises(OSError, match="No space left") as caught:
        save(tmp_path, 20)
    assert caught.value.errno == errno.ENOSPC


def test_background_saving_copies_the_state(tmp_path, monkeypatch):
    """The buffers of the state are donated immediately, as `fit` does."""
    go_on = threading.Event()
    write = checkpoints.saving.save

    def late(*arguments, **settings):
        assert go_on.wait(60)
        return write(*arguments, **settings)

    monkeypatch.setattr(checkpoints.saving, "save", late)
    step = jax.jit(
        lambda state: jax.tree.map(lambda leaf: leaf, state)._replace(step=state.step * 0),
        donate_argnums=0,
    )
    with checkpoints.in_background() as save_soon:
        state = jax.tree.map(jnp.copy, state_of(30))
        save_soon(tmp_path, state, configuration=CONFIGURATION, normalisation=NORMALISATION)
        jax.block_until_ready(step(state))
        assert checkpoints.steps(tmp_path) == []
        go_on.set()
    assert bits(restore(tmp_path)[0]) == bits(state_of(30))


def test_failed_background_writes_are_reported(tmp_path, monkeypatch):
    monkeypatch.setattr("orbax.checkpoint.PyTreeCheckpointer.save", fail)

    def train():
        with checkpoints.in_background() as save_soon:
            save_soon(tmp_path, state_of(10), configuration={})
            with pytest.raises(OSError, match="the disk is full"):
                save_soon(tmp_path, state_of(20), configuration={})
            save_soon(tmp_path, state_of(30), configuration={})
            raise KeyboardInterrupt  # must not hide the failure

    with pytest.raises(OSError, match="the disk is full"):
        train()
    assert checkpoints.steps(tmp_path) == []


WIDE = {"d": ("float64", 1 / 3), "q": ("int64", 2**40 + 1), "u": ("uint64", 2**60 + 1),
        "z": ("complex128", 1 / 3 + 1j / 7)}  # fmt: skip


@pytest.mark.parametrize("in_background", [False, True])
def test_64_bit_arrays_are_restored_while_x64_is_disabled(tmp_path, in_background):
    with jax.enable_x64(True):
        params = {name: jnp.full(3, value, dtype) for name, (dtype, value) in WIDE.items()}
    state = state_of(10)._replace(params=params)
    if in_background:
        with checkpoints.in_background() as save_soon:
            save_soon(tmp_path, state, configuration={})
    else:
        checkpoints.save(tmp_path, state, configuration={})
    found, _ = checkpoints.restore(tmp_path, state)
    assert bits(found) == bits(state)
    for name, (dtype, value) in WIDE.items():
        np.testing.assert_array_equal(found.params[name], np.full(3, value, dtype), strict=True)
    cut = state._replace(params=jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), params))
    with pytest.raises(OtherConfigurationError, match=r"d was 'float64\[3\]', now 'float32\[3\]'"):
        checkpoints.restore(tmp_path, cut)


def test_a_path_may_be_a_string(tmp_path):
    folder = str(tmp_path)
    with checkpoints.in_background() as save_soon:
        save_soon(folder, state_of(10), configuration={}, validation_loss=1.0)
    assert checkpoints.save(folder, state_of(20), configuration={}) == tmp_path / "20"
    assert checkpoints.steps(folder) == [10, 20]
    assert checkpoints.best_step(folder) == 10
    assert checkpoints.newest_intact_step(folder) == 20
    assert checkpoints.find_damage(f"{folder}/20") is None
    assert bits(checkpoints.restore(folder, state_of(0))[0]) == bits(state_of(20))


def no_blocks(*_):
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


@pytest.mark.parametrize("platform", ["without the function", "on a file system without it"])
def test_free_space_is_compared_if_allocation_is_unsupported(tmp_path, monkeypatch, platform):
    if platform == "without the function":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    else:
        monkeypatch.setattr(os, "posix_fallocate", no_blocks, raising=False)
    save(tmp_path, 10)
    assert bits(restore(tmp_path)[0]) == bits(state_of(10))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match="No space left") as caught:
        save(tmp_path, 20)
    assert caught.value.errno == errno.ENOSPC
    assert checkpoints.steps(tmp_path) == [10]


LOSSES = {10: 3.0, 20: 1.0, 30: 2.0}


@pytest.fixture
def three(tmp_path):
    """Folder of three checkpoints, the second of which is the best."""
    for step, loss in LOSSES.items():
        save(tmp_path / "run", step, validation_loss=loss)
    return tmp_path / "run"


def index_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def test_the_index_lists_the_kept_checkpoints_with_digests(three):
    document = json.loads(index_of(three).read_text())
    digest = document.pop("digest")
    content = "\n" + json.dumps(document, sort_keys=True)
    assert digest == hashlib.sha256(content.encode()).hexdigest()
    for step, loss in LOSSES.items():
        files = (three / str(step) / "digests.json").read_bytes()
        expected = {
            "digest": hashlib.sha256(files).hexdigest(),
            "epoch": step // 10,
            "validation_loss": loss,
        }
        assert document["checkpoints"].pop(str(step)) == expected
    assert document == {"checkpoints": {}}


@pytest.mark.parametrize("damage", ["one digit", "cut", "missing", "deleted"])
def test_a_damaged_best_checkpoint_is_not_silently_replaced(three, damage):
    about = three / "20" / "about.json"
    text = about.read_text()
    if damage == "deleted":
        shutil.rmtree(about.parent)
    elif damage == "missing":
        about.unlink()
    else:
        other = text.replace('"validation_loss": 1.0', '"validation_loss": 9.0')
        about.write_text(text[:20] if damage == "cut" else other)
    assert checkpoints.best_step(three) == 20
    with pytest.raises(DamagedCheckpointError, match=r"20 is damaged: .*--checkpoint 30"):
        restore(three, step=checkpoints.best_step(three))
    with pytest.raises(DamagedCheckpointError, match="20, the best checkpoint, is damaged"):
        checkpoints.check_best(three)
    checkpoints.check_best(three, last=10)
    assert int(restore(three)[0].step) == 30


def test_a_missing_newest_checkpoint_is_not_silently_replaced(three):
    shutil.rmtree(three / "30")
    with pytest.raises(DamagedCheckpointError, match=r"30 is damaged: it is missing; .* step 20"):
        restore(three)
    assert int(restore(three, step=20)[0].step) == 20


@pytest.mark.parametrize("indexed", [True, False])
def test_swapped_checkpoints_are_refused(three, indexed):
    os.rename(three / "10", three / "x")
    os.rename(three / "20", three / "10")
    os.rename(three / "x", three / "20")
    if not indexed:
        index_of(three).unlink()
        with pytest.raises(DamagedCheckpointError, match=r"10 is damaged: .* that of step 20"):
            checkpoints.best_step(three)
    with pytest.raises(DamagedCheckpointError, match="10 is damaged"):
        restore(three, step=10)
    assert int(restore(three)[0].step) == 30


def test_a_checkpoint_of_another_run_is_refused(three, tmp_path):
    other = save(tmp_path / "other", 20, validation_loss=7.0)
    shutil.rmtree(three / "20")
    shutil.copytree(other, three / "20")
    with pytest.raises(
        DamagedCheckpointError,
        match=r"20 is damaged: digests\.json is not the one that run\.json lists",
    ):
        restore(three, step=20)


def test_a_damaged_index_is_refused_and_may_be_deleted(three):
    path = index_of(three)
    whole, chance = path.read_bytes(), random.Random(0)
    for cut in (0, 50, len(whole) - 3):
        path.write_bytes(whole[:cut])
        with pytest.raises(DamagedCheckpointError, match=r"run\.json is damaged: .* delete it"):
            restore(three)
    for _ in range(200):
        content = bytearray(whole)
        content[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        try:
            assert checkpoints.best_step(three) == 20
        except DamagedCheckpointError as error:
            assert "run.json is damaged" in str(error)  # noqa: PT017 -- no error is also correct
    path.unlink()
    assert checkpoints.best_step(three) == 20
    assert int(restore(three)[0].step) == 30


@pytest.mark.parametrize("call", range(3))
def test_a_kill_before_writing_the_index_leaves_a_resumable_state(three, monkeypatch, call):
    """Step 25 is saved by a run resumed from step 20, so that step 30 must be deleted."""
    calls = []

    def killed(old, new):
        calls.append(new)
        if len(calls) > call:
            raise KeyboardInterrupt
        rename(old, new)

    rename = os.replace
    monkeypatch.setattr(os, "replace", killed)
    try:
        save(three, 25, validation_loss=0.5)
    except KeyboardInterrupt:
        found = [10, 20, 30] if call == 0 else [10, 20, 25]
        assert checkpoints.steps(three) == found
        assert checkpoints.best_step(three) == (20 if call == 0 else 25)
    monkeypatch.undo()
    for step in checkpoints.steps(three):
        assert bits(restore(three, step=step)[0]) == bits(state_of(step))
    save(three, 25, validation_loss=0.5)
    assert checkpoints.steps(three) == sorted(checkpoints.read_index(three)) == [10, 20, 25]


def test_checkpoints_of_earlier_versions_without_index_get_one(three):
    index_of(three).unlink()
    save(three, 40, validation_loss=4.0, keep=2)
    assert checkpoints.steps(three) == sorted(checkpoints.read_index(three)) == [20, 30, 40]
    assert checkpoints.best_step(three) == 20
