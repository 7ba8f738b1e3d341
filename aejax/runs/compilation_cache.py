"""Compiled programs, kept from one command to the next where the platform keeps caches."""

import jax
from platformdirs import user_cache_path

FOLDER = "jax_compilation_cache_dir"
"""JAX's setting of where they lie."""

LARGEST = 2**30
"""Bytes of programs that are kept; the least recently used go first."""

WORTH_KEEPING = 0.1
"""Seconds of compilation from which a program is kept."""


def keep_compiled() -> None:
    """Let JAX keep compiled programs, unless it has been told where (JAX_COMPILATION_CACHE_DIR).

    Where the folder cannot be made, everything is compiled anew, as without.
    """
    if getattr(jax.config, FOLDER) is not None:
        return
    folder = user_cache_path("aejax") / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    jax.config.update(FOLDER, str(folder))
    jax.config.update("jax_compilation_cache_max_size", LARGEST)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", WORTH_KEEPING)
