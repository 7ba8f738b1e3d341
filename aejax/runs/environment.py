"""Software versions, device, XLA flags and code revision of a run."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import jax

PACKAGES = ("aejax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")

PLATFORMS_OPTION = "jax_platforms"
"""JAX's configuration option for JAX_PLATFORMS."""


def environment() -> dict[str, str]:
    """Versions, device, XLA flags and git revision, as text by name."""
    device = jax.devices()[0]
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
        "device": f"{jax.device_count()} × {device.device_kind} ({device.platform})",
        "xla flags": os.environ.get("XLA_FLAGS", ""),
        "system": f"{platform.system()} {platform.machine()}",
        "revision": _revision(),
    }


def check_platform() -> None:
    """Refuse a platform that this machine lacks, before anything is computed.

    Raises:
        ValueError: JAX finds no device of the platforms in JAX_PLATFORMS.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # an assertion fails if a GPU was skipped
        reason = next(iter(str(error).splitlines()), "there is none")
        platforms = getattr(jax.config, PLATFORMS_OPTION)
        raise ValueError(
            f"JAX_PLATFORMS={platforms} names no device of this machine: unset it, or "
            f"set it to cpu\n{reason}"
        ) from error


def _revision() -> str:
    """Git commit of the checkout that contains this file; `-dirty` marks uncommitted changes."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "not a git checkout"
    return described.stdout.strip()
