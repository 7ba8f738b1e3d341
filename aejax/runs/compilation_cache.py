"""Persistent compilation cache in the user's cache directory."""

import os

import jax
from platformdirs import user_cache_path

DIRECTORY_OPTION = "jax_compilation_cache_dir"
"""JAX's configuration option for JAX_COMPILATION_CACHE_DIR."""

MAX_CACHE_BYTES = 2**30
"""Maximum size of the cache; the least recently used programs are evicted first."""

MIN_COMPILE_SECONDS = 0.1
"""Minimum compile time of a program that is cached."""


def enable_compilation_cache() -> None:
    """Enable JAX's compilation cache, unless JAX_COMPILATION_CACHE_DIR has enabled it already.

    Nothing is changed if the directory cannot be created or written.
    """
    if getattr(jax.config, DIRECTORY_OPTION) is not None:
        return
    folder = user_cache_path("aejax") / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if not os.access(folder, os.W_OK):  # JAX would warn for every program
        return
    jax.config.update(DIRECTORY_OPTION, str(folder))
    jax.config.update("jax_compilation_cache_max_size", MAX_CACHE_BYTES)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_SECONDS)
