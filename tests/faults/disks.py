"""Disks that fill up or refuse: file systems in memory, mounted where a run's folder will be."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOM = 64 * 1024
"""Kilobytes in which every run has room."""

ALONE = ["unshare", "--user", "--map-root-user", "--mount"]
"""Mounts of a process and its children, which no other sees and which end with it."""


def alone() -> None:
    """Start this program again where it may mount, if the system lets it; else go on without."""
    if "FAULTS_ALONE" in os.environ or not _succeeds(*ALONE, "true"):
        return
    os.environ["FAULTS_ALONE"] = "1"
    os.execvp(ALONE[0], [*ALONE, sys.executable, "-m", "tests.faults", *sys.argv[1:]])


def may_mount(folder: Path) -> bool:
    """Whether a disk can be made here at all."""
    try:
        with disk(folder, ROOM):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextmanager
def disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """A disk of a size under a folder, as long as the context lasts."""
    folder.mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(folder))
    try:
        yield
    finally:
        _run("umount", str(folder))


def change(folder: Path, options: str) -> None:
    """Give a disk another size, or make it read-only (ro) or not (rw)."""
    _run("mount", "-o", f"remount,{options}", str(folder))


def fill(folder: Path) -> Path:
    """Write a file into a folder until nothing more goes."""
    path = folder / "ballast"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(2**16)):
                pass
        except OSError:
            return path
    return path


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def _succeeds(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True).returncode == 0
    except OSError:
        return False
