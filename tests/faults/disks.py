"""Full and read-only disks: tmpfs file systems mounted at the folder of a run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AMPLE_KILOBYTES = 64 * 1024
"""Size of a disk that is large enough for any run of the tests."""

NEW_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
"""Prefix that runs a command in its own mount namespace, where it may mount without root."""


def restart_in_mount_namespace() -> None:
    """Restart this program in a new mount namespace if the system permits one."""
    if "FAULTS_NAMESPACE" in os.environ or not _succeeds(*NEW_NAMESPACE, "true"):
        return
    os.environ["FAULTS_NAMESPACE"] = "1"
    os.execvp(
        NEW_NAMESPACE[0], [*NEW_NAMESPACE, sys.executable, "-m", "tests.faults", *sys.argv[1:]]
    )


def may_mount(folder: Path) -> bool:
    """Whether this process may mount a tmpfs in the folder."""
    try:
        with disk(folder, AMPLE_KILOBYTES):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextmanager
def disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """Mount a tmpfs of the given size at a folder for the duration of the context."""
    folder.mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(folder))
    try:
        yield
    finally:
        _run("umount", str(folder))


def change(folder: Path, options: str) -> None:
    """Remount a disk with options such as `size=…`, `ro` or `rw`."""
    _run("mount", "-o", f"remount,{options}", str(folder))


def fill(folder: Path) -> Path:
    """Write a file into a folder until the disk is full; return its path."""
    path = folder / "ballast"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(2**16)):
                pass
        except OSError:
            return path
    return path


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False
