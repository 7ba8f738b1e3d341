"""XLA flags that shorten compilation, for tests that run each program only once or twice.

XLA aborts the process at an unknown flag, and its releases support different flags:
`python -m tests.compiler_flags` prints the flags that the installed jaxlib accepts.
"""

import os
import subprocess
import sys
from functools import cache

FLAGS = (
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false",
    "--xla_cpu_parallel_codegen_split_count=1",
)
START = "from jaxlib import xla_client; xla_client.make_cpu_client()"


@cache
def quick_compilation() -> str:
    """Flags of `FLAGS` that the installed jaxlib accepts, as a value of XLA_FLAGS."""
    if accepted(" ".join(FLAGS)):
        return " ".join(FLAGS)
    return " ".join(filter(accepted, FLAGS))


def accepted(flags: str) -> bool:
    """Whether a process of the installed jaxlib starts with these flags."""
    command = [sys.executable, "-c", START]
    environment = os.environ | {"XLA_FLAGS": flags}
    process = subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=False)
    return process.returncode == 0


if __name__ == "__main__":
    print(quick_compilation())
