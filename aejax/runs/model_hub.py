"""Published runs in repositories of the Hugging Face Hub: upload and checked download."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from aejax.runs.atomic_folders import new_folder
from aejax.runs.published_run import (
    REQUIRED,
    check_published_run,
    is_published,
    published_files,
)
from aejax.runs.run import parameters_file

MAX_FILE_BYTES = 2**26
"""Maximum size of a downloaded file other than the parameters."""

MAX_FILES = 100
"""Maximum number of downloaded files."""


class Pulled(NamedTuple):
    """Result of a download.

    commit:  commit of the repository.
    license: licence in its model card, or None.
    ignored: number of files that were not downloaded, because a run does not consist of them.
    """

    commit: str
    license: str | None
    ignored: int


def push(folder: Path, repository: str, *, private: bool) -> str:
    """Upload a published run as one commit; the repository is created if it is missing.

    Args:
        folder: folder that `aejax publish` wrote. Other files in it are not uploaded.
        repository: "owner/name".
        private: whether a new repository is private.

    Returns:
        Address of the commit.

    Raises:
        ImportError: `huggingface_hub` is not installed.
        ValueError: a file of the run is damaged, or the name is invalid.
        OSError: a file is missing, or the Hub refuses or cannot be reached.
    """
    check_published_run(folder)
    names = published_files(folder)
    with _explained_errors(repository):
        from huggingface_hub import CommitOperationAdd, HfApi

        api = HfApi()
        api.create_repo(repository, private=private, exist_ok=True)
        operations = [CommitOperationAdd(name, folder / name) for name in names]
        commit = api.create_commit(
            repository, operations, commit_message="Upload a run with aejax push"
        )
    return commit.commit_url


def pull(repository: str, out: Path, *, revision: str | None = None) -> Pulled:
    """Download a published run and verify it.

    Only files that a published run consists of are downloaded, all of them plain data: a pickle or
    a script in the repository is ignored. The digests show damage, not the intention of the owner.

    Args:
        repository: "owner/name".
        out: destination folder, which must not exist; it appears when everything is verified.
        revision: branch, tag or commit (default: the newest commit).

    Returns:
        The `Pulled` record.

    Raises:
        ImportError: `huggingface_hub` is not installed.
        ValueError: the repository contains no published run, or a damaged one.
        OSError: `out` exists, or the Hub refuses or cannot be reached.
    """
    with new_folder(out) as folder:
        with _explained_errors(repository):
            from huggingface_hub import HfApi

            api = HfApi()
            info = api.model_info(repository, revision=revision, files_metadata=True)
            sizes = {each.rfilename: each.size or 0 for each in info.siblings or ()}
            names = _chosen_files(repository, sizes)
            for name in names:
                api.hf_hub_download(repository, name, revision=info.sha, local_dir=folder)
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # of huggingface_hub
        check_published_run(folder)
    license_name = info.card_data.get("license") if info.card_data else None
    return Pulled(str(info.sha), license_name, len(sizes) - len(names))


def _chosen_files(repository: str, sizes: dict[str, int]) -> list[str]:
    """Names of the files to download; ValueError if they are not those of a published run."""
    names = [name for name in sizes if is_published(name)]
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise ValueError(
            f"{repository} is not a run that `aejax push` uploaded: it has no {missing[0]}"
        )
    if len(names) > MAX_FILES:
        raise ValueError(f"{repository} has {len(names)} files, more than {MAX_FILES}")
    for name in names:
        if sizes[name] > MAX_FILE_BYTES and name != parameters_file(Path()).name:
            raise ValueError(f"{name} of {repository} has {sizes[name]:,} bytes: too many")
    return names


@contextmanager
def _explained_errors(repository: str) -> Iterator[None]:
    """Turn the errors of `huggingface_hub` into one line."""
    try:
        from huggingface_hub import errors
    except ModuleNotFoundError as error:
        raise ImportError(
            "aejax push and aejax pull need huggingface_hub, which is not installed: "
            "pip install 'aejax[hub]'"
        ) from error
    from huggingface_hub import constants

    try:
        yield
    except errors.RevisionNotFoundError as error:
        raise ValueError(f"{repository} has no such revision") from error
    except errors.RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"there is no model {repository} at {constants.ENDPOINT}, or it is private: log in "
            "with `hf auth login`"
        ) from error
    # HTTPError is that of the HTTP library, a RuntimeError a file that could not be uploaded.
    except (
        errors.HfHubHTTPError,
        errors.HTTPError,  # pyright: ignore[reportPrivateImportUsage]
        ConnectionError,
        RuntimeError,
    ) as error:
        reason = " ".join(str(error).split())
        raise OSError(f"{constants.ENDPOINT} did not serve {repository}: {reason}") from error
