"""Small files in the formats that aejax reads, and small archives in place of MNIST."""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    """IDX file, written from the specification and independently of the code under test."""
    header = bytes([0, 0, IDX_CODES[array.dtype.str[1:]], array.ndim])
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture(scope="session")
def write_idx() -> Callable[[Path, np.ndarray], Path]:
    """Writer of IDX files, compressed if the name ends in .gz."""

    def write(path: Path, array: np.ndarray) -> Path:
        content = idx_bytes(array)
        path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
        return path

    return write


@pytest.fixture
def small_mnist(tmp_path, write_idx, monkeypatch) -> dict[str, np.ndarray]:
    """Four small archives in tmp_path/archives, whose checksums replace those of MNIST."""
    from tensorflow_datasets.core.download.checksums import UrlInfo
    from tensorflow_datasets.core.utils import Size

    from aejax.data.files import MNIST_FILES
    from aejax.data.mnist import Mnist

    generator = np.random.default_rng(0)
    arrays, known = {}, dict(Mnist.url_infos)
    (tmp_path / "archives").mkdir()
    for split, count in (("train", 30), ("test", 11)):
        arrays[f"x_{split}"] = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"labels_{split}"] = generator.integers(0, 10, count, dtype=np.uint8)
    for name, url in Mnist.archive_urls().items():
        path = write_idx(tmp_path / "archives" / f"{MNIST_FILES[name]}.gz", arrays[name])
        content = path.read_bytes()
        known[url] = UrlInfo(Size(len(content)), hashlib.sha256(content).hexdigest(), path.name)
    monkeypatch.setattr(Mnist, "url_infos", known)
    return arrays
