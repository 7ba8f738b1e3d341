"""Copies of a commit's code for parallel processes, and append-only files of records."""

import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any, TypeVar

Item = TypeVar("Item")

ROOT = Path(__file__).parents[2]
WRITE_LOCK = Lock()


def folder_of(revision: str) -> tuple[str, Path]:
    """Abbreviated hash of a revision, and its working folder, which git ignores."""
    commit = _git("rev-parse", "--short=12", revision).decode().strip()
    folder = ROOT / ".mutation" / commit
    folder.mkdir(parents=True, exist_ok=True)
    return commit, folder


def checkout(commit: str, folder: Path) -> Path:
    """Write a commit's files to a folder, overwriting changes of an interrupted run."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def for_each(
    workers: list[Path], items: Iterable[Item], work: Callable[[Path, Item], None]
) -> None:
    """Process all items in parallel, one per worker; the first error stops all."""
    free: SimpleQueue[Path] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def one(item: Item) -> None:
        worker = free.get()
        try:
            work(worker, item)
        finally:
            free.put(worker)

    with ThreadPoolExecutor(len(workers)) as pool:
        try:
            list(pool.map(one, items))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def append(store: Path, record: Any, line: str) -> None:
    """Append a record to a file as a line of JSON, and print a message."""
    with WRITE_LOCK, store.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
        print(line, flush=True)


def _git(*arguments: str) -> bytes:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
