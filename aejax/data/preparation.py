"""Preparation of TFDS data sets: download or local archives, verification, array_record files."""

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
    """A data set known by name, and whether it is prepared, so that `load` can read it."""

    name: str
    description: str
    prepared: bool


def available(data_dir: str | PathLike[str] | None = None) -> tuple[AvailableDataset, ...]:
    """List the data sets that need no TensorFlow; `load` also accepts all other TFDS names.

    Args:
        data_dir: TFDS's data directory (default: as in `find_builder`).

    Returns:
        The `AvailableDataset`s.
    """
    embedded = [AvailableDataset(name, text, True) for name, text in EMBEDDED_DATASETS.items()]
    downloadable = [
        AvailableDataset(name, text, is_prepared(find_builder(name, data_dir)))
        for name, text in TENSORFLOW_FREE.items()
    ]
    return (*embedded, *downloadable)


def prepare(
    name: str,
    *,
    data_dir: str | PathLike[str] | None = None,
    manual_dir: str | PathLike[str] | None = None,
) -> Path:
    """Download, verify and write a TFDS data set, so that `load` can read it.

    The data set is written atomically. One that is already prepared is unchanged. TFDS shows its
    progress if stderr is a terminal.

    Args:
        name: name of the data set, as in `find_builder`.
        data_dir: TFDS's data directory (default: as in `find_builder`).
        manual_dir: folder with the original archives, for use without network. For `mnist` and
            `fashion_mnist` it must contain all four archives.

    Returns:
        The folder of the prepared data set.

    Raises:
        ValueError: for an unknown data set, one that needs no preparation, or an archive of wrong
            size or SHA-256.
        FileNotFoundError: if an archive is missing from manual_dir.
        ConnectionError: if an archive cannot be downloaded.
        ModuleNotFoundError: for a builder of TFDS, if TensorFlow is missing.
    """
    if name in EMBEDDED_DATASETS:
        raise ValueError(f"data set {name!r} comes with scikit-learn and needs no preparation")
    builder = find_builder(name, data_dir)
    if is_prepared(builder):
        return Path(builder.data_dir)
    if name not in TENSORFLOW_FREE and not has_tensorflow():
        raise ModuleNotFoundError(
            f"preparing the TFDS data set {name!r} needs TensorFlow (reading it does not); "
            "install the extra: pip install 'aejax[tfds]'"
        )
    if name in TENSORFLOW_FREE and manual_dir is not None:
        _check_archives(cast("Mnist", builder), Path(manual_dir).expanduser())
    _download_and_prepare(name, builder, manual_dir)
    return Path(builder.data_dir)


def _check_archives(builder: Mnist, manual_dir: Path) -> None:
    """Check for missing, wrong or damaged archives before TFDS writes or downloads anything."""
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
    """Run TFDS's preparation, and convert its exceptions to actionable messages."""
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
        raise ValueError(f"{builder.data_dir} has no complete data set; delete it and try again")


@contextmanager
def _brief_failures() -> Iterator[None]:
    """Fail within seconds without a network: 3 retries instead of 10, and no urllib3 warnings."""
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
