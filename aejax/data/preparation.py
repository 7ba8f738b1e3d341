"""Preparing TFDS data sets: downloaded or from a folder, verified, written as array_record."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from aejax.data.catalogue import (
    EMBEDDED_DATASETS,
    TENSORFLOW_FREE,
    find_builder,
    has_tensorflow,
    is_prepared,
)

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

    from aejax.data.mnist import Mnist


class AvailableDataset(NamedTuple):
    """A data set known by name: what it is, and whether `load` can read it now."""

    name: str
    description: str
    prepared: bool


def available(data_dir: str | PathLike[str] | None = None) -> tuple[AvailableDataset, ...]:
    """List the data sets that need no TensorFlow; any other TFDS name works besides.

    Args:
        data_dir: TFDS's data directory; None for TFDS's convention.

    Returns:
        Name, description and state of each.
    """
    embedded = [AvailableDataset(name, text, True) for name, text in EMBEDDED_DATASETS.items()]
    ours = [
        AvailableDataset(name, text, is_prepared(find_builder(name, data_dir)))
        for name, text in TENSORFLOW_FREE.items()
    ]
    return (*embedded, *ours)


def prepare(
    name: str,
    *,
    data_dir: str | PathLike[str] | None = None,
    manual_dir: str | PathLike[str] | None = None,
) -> Path:
    """Download, verify and write a TFDS data set, so that `load` can read it.

    All or nothing: a data set is in its place complete, or not there. One that is there already is
    left as it is. TFDS shows its progress on stderr where that is a terminal.

    Args:
        name: as for `find_builder`.
        data_dir: TFDS's data directory; None for TFDS's convention.
        manual_dir: a folder with the original archives, for use without network. For `mnist` and
            `fashion_mnist` it must hold all four.

    Returns:
        The folder of the prepared data set.

    Raises:
        ValueError: no such data set, one that needs no preparation, an archive whose size or
            SHA-256 is wrong.
        FileNotFoundError: an archive missing from manual_dir.
        ConnectionError: an archive that cannot be downloaded.
        ModuleNotFoundError: a data set of TFDS's own, without TensorFlow.
    """
    if name in EMBEDDED_DATASETS:
        raise ValueError(f"data set {name!r} comes with scikit-learn and needs no preparation")
    builder = find_builder(name, data_dir)
    if is_prepared(builder):
        return Path(builder.data_dir)
    if name not in TENSORFLOW_FREE and not has_tensorflow():
        raise ModuleNotFoundError(
            f"preparing TFDS's own data set {name!r} needs TensorFlow, reading it does not; "
            "install the extra: pip install 'aejax[tfds]'"
        )
    if name in TENSORFLOW_FREE and manual_dir is not None:
        _check_archives(cast("Mnist", builder), Path(manual_dir).expanduser())
    _download_and_prepare(name, builder, manual_dir)
    return Path(builder.data_dir)


def _check_archives(builder: Mnist, manual_dir: Path) -> None:
    """Refuse missing, wrong or damaged archives before TFDS writes, or turns to the network."""
    from tensorflow_datasets.core.download.checksums import compute_url_info

    known = builder.url_infos or {}
    expected = [known[url] for url in builder.archive_urls().values()]
    missing = [info.filename for info in expected if not (manual_dir / info.filename).is_file()]
    if missing:
        raise FileNotFoundError(f"folder {manual_dir} lacks {', '.join(missing)}")
    for info in expected:
        found = compute_url_info(manual_dir / info.filename)
        if found != info:
            raise ValueError(
                f"{manual_dir / info.filename} is not the original archive: "
                f"{int(found.size)} bytes, SHA-256 {found.checksum}\n"
                f"Expected {int(info.size)} bytes, SHA-256 {info.checksum}; get a fresh copy."
            )


def _download_and_prepare(
    name: str, builder: tfds.core.DatasetBuilder, manual_dir: str | PathLike[str] | None
) -> None:
    """Let TFDS prepare, and say in our words what went wrong."""
    import requests
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError
    from tensorflow_datasets.core.download.util import DownloadError

    config = tfds.download.DownloadConfig(
        manual_dir=None if manual_dir is None else Path(manual_dir).expanduser(),
        try_download_gcs=False,
    )
    progress = sys.stderr if sys.stderr.isatty() else io.StringIO()
    try:
        with redirect_stdout(progress), redirect_stderr(progress), _brief_failures():
            builder.download_and_prepare(file_format="array_record", download_config=config)
    except NonMatchingChecksumError as error:
        raise ValueError(f"data set {name!r}: {' '.join(str(error).splitlines()[:3])}") from error
    except (requests.RequestException, DownloadError) as error:
        url = getattr(getattr(error, "request", None), "url", None)
        reason = f"no answer from {url}" if url else str(error)
        raise ConnectionError(
            f"cannot download data set {name!r}: {reason}\nWithout network, put the original "
            f"archives in a folder and run `aejax data prepare {name} --manual-dir DIR`."
        ) from error
    if not is_prepared(builder):
        raise ValueError(f"{builder.data_dir} holds no complete data set; delete it and try again")


@contextmanager
def _brief_failures() -> Iterator[None]:
    """Give up on a dead network in seconds, with no page of warnings.

    TFDS's ten retries take over three minutes, and each is a warning of urllib3's.
    """
    from tensorflow_datasets.core.download import downloader

    urllib3 = logging.getLogger("urllib3")
    level, retries = urllib3.level, downloader.MAX_RETRIES
    urllib3.setLevel(logging.ERROR)
    downloader.MAX_RETRIES = 3
    try:
        yield
    finally:
        downloader.MAX_RETRIES = retries
        urllib3.setLevel(level)
