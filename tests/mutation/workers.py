"""Copies of one commit's code, each used by one process at a time, and the files of results."""

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
WRITING = Lock()


def folder_of(revision: str) -> tuple[str, Path]:
    """A commit's name, and a folder for it that git ignores."""
    commit = _git("rev-parse", "--short=12", revision).decode().strip()
    folder = ROOT / ".mutation" / commit
    folder.mkdir(parents=True, exist_ok=True)
    return commit, folder


def checkout(commit: str, folder: Path) -> Path:
    """A commit's files in a folder, over what a stopped run left changed there."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def for_each(
    workers: list[Path], items: Iterable[Item], work: Callable[[Path, Item], None]
) -> None:
    """Work on all items, as many at once as there are workers; the first error ends it."""
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
    """Add a record to a file, as a line of JSON, and print a line."""
    with WRITING, store.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
        print(line, flush=True)


def _git(*arguments: str) -> bytes:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
