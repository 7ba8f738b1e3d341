"""Files of `torch.save`: tensors as PyTorch reads them, and refusal of everything else."""

import contextlib
import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

from aejax.interchange.torch_archives import MAX_PICKLE_BYTES, torch_file


def saved(path, content):
    torch.save(content, path)
    return path


def values(path):
    return {name: tensor.read() for name, tensor in torch_file(path).items()}


def test_tensors_are_those_that_pytorch_wrote(tmp_path):
    """Dtypes, scalars, views with strides and offsets, shared storages, parameters, metadata."""
    base = torch.arange(24.0).reshape(4, 6)
    layer = torch.nn.Linear(3, 2)
    tensors = {
        "whole": base,
        "transposed": base.T,
        "part": base[1:3, ::2],
        "scalar": torch.tensor(-1.5),
        "count": torch.tensor(7, dtype=torch.int),
        "long": torch.tensor([8, 12]),
        "double": torch.rand(3, dtype=torch.double),
        "half": torch.rand(3).half(),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.rand(2, 2)),
        **layer.state_dict(),
    }
    found = values(saved(tmp_path / "ae.pt", tensors))
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        expected = tensor.detach().numpy()
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == expected.dtype
    state = values(saved(tmp_path / "layer.pt", layer.state_dict()))  # an OrderedDict with metadata
    np.testing.assert_array_equal(state["weight"], layer.weight.detach().numpy())
    low = torch.rand(5).bfloat16()
    (found_low,) = values(saved(tmp_path / "low.pt", {"low": low})).values()
    np.testing.assert_array_equal(found_low.astype(np.float32), low.float().numpy())


class Malicious:
    """Object whose pickle runs a command."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_no_function_of_a_pickle_is_called(tmp_path):
    folder = tmp_path / "made"
    for content in (
        {"weight": Malicious(folder)},
        Malicious(folder),
        OrderedDict(weight=torch.ones(2), more=Malicious(folder)),
    ):
        path = saved(tmp_path / "ae.pt", content)
        with pytest.raises(ValueError, match=r"more than a dict of tensors: .*mkdir"):
            torch_file(path)
    assert not folder.exists()
    torch.load(path, weights_only=False)  # the file is malicious indeed
    assert folder.exists()


@pytest.mark.parametrize(
    "content",
    [
        torch.ones(3),
        {"weight": torch.ones(3), "step": 3},
        {"state": {"weight": torch.ones(3)}},
        {1: torch.ones(3)},
        [torch.ones(3)],
        {"flags": torch.ones(3, dtype=torch.bool)},
        {"complex": torch.ones(3, dtype=torch.complex64)},
        {"sparse": torch.ones(3).to_sparse()},
        {"repeated": torch.ones(1).expand(1000, 1000)},
        {"text": "weights"},
    ],
    ids=lambda content: (
        next(iter(content), "") if isinstance(content, dict) else type(content).__name__
    ),
)
def test_anything_except_a_dict_of_tensors_is_refused(tmp_path, content):
    path = saved(tmp_path / "ae.pt", content)
    with pytest.raises(ValueError, match=r"ae\.pt"):
        torch_file(path)


def rewritten(path, change):
    """Rewrite the members of an archive: change(name, data) -> data, or None to remove it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            new = change(name, data)
            if new is not None:
                archive.writestr(name, new)


def test_tensors_outside_their_storage_are_refused(tmp_path):
    path = tmp_path / "ae.pt"
    for shape in ((2, 3), (6,)):
        saved(path, {"weight": torch.ones(shape)})
        rewritten(path, lambda name, data: data[:-4] if "/data/" in name else data)
        with pytest.raises(ValueError, match="storage of 6 × 4 bytes, the file has 20 bytes"):
            torch_file(path)
    saved(path, {"weight": torch.ones(6)})
    rewritten(path, lambda name, data: None if "/data/" in name else data)
    with pytest.raises(ValueError, match="the file has 0 bytes of it"):
        torch_file(path)
    saved(path, {"weight": torch.ones(7)[:5]})
    # BININT1 of the size 5 becomes 8: more than the storage has
    rewritten(path, lambda name, data: data.replace(b"K\x05\x85", b"K\x08\x85"))
    with pytest.raises(ValueError, match="weight is partly outside its storage"):
        torch_file(path)


def test_other_archives_are_refused_with_the_conversion(tmp_path):
    path = tmp_path / "ae.pt"
    torch.save({"weight": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"not a zip archive of PyTorch; convert it.*weights_only"):
        torch_file(path)
    saved(path, {"weight": torch.ones(2)})
    rewritten(path, lambda name, data: None if name.endswith("data.pkl") else data)
    with pytest.raises(ValueError, match=r"has no data\.pkl"):
        torch_file(path)
    saved(path, {"weight": torch.ones(2)})
    rewritten(path, lambda name, data: b"big" if name.endswith("byteorder") else data)
    with pytest.raises(ValueError, match="is not little-endian"):
        torch_file(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ae/data.pkl", pickle.dumps({}))
    with pytest.raises(ValueError, match="is compressed"):
        torch_file(path)
    with pytest.raises(FileNotFoundError):
        torch_file(tmp_path / "missing.pt")


STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
DEEP, SHARED = b")" + 150_000 * b"\x85", b")" + 60 * b"q\x00h\x00\x86"
HOSTILE = {
    "deep key": b"}" + DEEP + b"Ns.",
    "deep storage": b"}X\x01\x00\x00\x00a" + STORAGE + DEEP + b"X\x03\x00\x00\x00cpuK\x06tQs.",
    "deep tensor": b"ctorch._utils\n_rebuild_tensor_v2\n(" + DEEP + b"K\x00))tR.",
    "shared key": b"}" + SHARED + b"Ns.",
    "shared storage": b"}X\x01\x00\x00\x00a" + STORAGE + SHARED + b"X\x03\x00\x00\x00cpuK\x06tQs.",
    "cycle": b"}q\x00X\x01\x00\x00\x00ah\x00s.",
}
"""Pickles whose values are nested deeply, contain a part 2^60 times, or contain themselves."""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_neither_crashes_nor_hangs(tmp_path, name):
    data = b"\x80\x02" + HOSTILE[name]
    assert len(data) <= MAX_PICKLE_BYTES
    with zipfile.ZipFile(path := tmp_path / "ae.pt", "w") as archive:
        archive.writestr("ae/data.pkl", data)
    with pytest.raises(ValueError, match=r"ae\.pt"):
        torch_file(path)


def test_altered_bytes_of_the_archive_are_refused_or_harmless(tmp_path):
    """Checksums of the archive reveal altered values; other exceptions would not be expected."""
    path = saved(tmp_path / "ae.pt", {"weight": torch.arange(6.0)})
    data, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for position in rng.permutation(len(data))[:150]:
        path.write_bytes(data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :])
        try:
            (found,) = values(path).values()
            np.testing.assert_array_equal(found, np.arange(6))
        except ValueError:
            refused += 1
    assert refused > 30


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_other_instructions_are_refused_or_harmless(tmp_path, protocol):
    """Pickles of Python's own protocols contain objects, classes and long data."""
    path = tmp_path / "ae.pt"
    for content in ({1, 2}, bytearray(3), {"a": b"bytes"}, 1 << 70, {"a": OSError}):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("ae/data.pkl", pickle.dumps(content, protocol))
        with pytest.raises(ValueError, match=r"ae\.pt"):
            torch_file(path)


@pytest.mark.filterwarnings("ignore:invalid escape:DeprecationWarning")  # of names in a pickle
def test_a_truncated_or_altered_pickle_is_refused(tmp_path):
    """Every prefix and every altered byte gives tensors of the file or a ValueError."""
    path = saved(tmp_path / "ae.pt", {"weight": torch.arange(6.0).reshape(2, 3)})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (name,) = (name for name in members if name.endswith("data.pkl"))
    data, rng = members[name], np.random.default_rng(0)
    altered = [data[:length] for length in range(0, len(data), 7)]
    for _ in range(300):
        position, byte = rng.integers(len(data)), bytes([rng.integers(256)])
        altered.append(data[:position] + byte + data[position + 1 :])
    accepted = 0
    for each in altered:
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in (members | {name: each}).items():
                archive.writestr(member, content)
        with contextlib.suppress(ValueError):
            assert all(tensor.size <= 6 for tensor in values(path).values())
            accepted += 1
    assert accepted < len(altered) / 2
