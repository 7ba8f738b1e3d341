"""Runs the tutorial in a fresh environment, as a new user would, and measures the time.

Copies the checkout to a temporary folder, runs every shell block there unchanged and the Python
blocks as one session of the environment that the first block creates. Writes the seconds to the
first figure and to the end to docs/results/tutorial.json. Needs Python 3.11 or newer and a package
index.

    python docs/follow_tutorial.py
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
FIGURE = "denoised.png"
RESULTS = CHECKOUT / "docs" / "results" / "tutorial.json"
BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)
IGNORED = shutil.ignore_patterns(".*", "demo", "runs", "_build", "__pycache__", "tests")


def main() -> None:
    """Follow the tutorial and stop at the first block that fails."""
    blocks = BLOCK.findall((CHECKOUT / "docs" / "tutorial.md").read_text(encoding="utf-8"))
    machine = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load of the machine before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "aejax"
        shutil.copytree(CHECKOUT, checkout, ignore=IGNORED)
        python_on_path(checkout)
        seconds = follow(blocks, checkout)
    result = json.dumps({"seconds": seconds, "machine": machine}, indent=2)
    RESULTS.write_text(result + "\n", encoding="utf-8")
    print(result)


def follow(blocks: list[tuple[str, str]], checkout: Path) -> dict[str, float]:
    """Run the blocks (language, code); seconds from the start to each milestone."""
    session = "".join(code for language, code in blocks if language == "python")
    install, *later = [code for language, code in blocks if language == "sh"]
    start, clock = time.perf_counter(), time.time()
    shell(install, checkout)
    seconds = {"installed": time.perf_counter() - start}
    python = checkout / "tutorial-env" / "bin" / "python"
    subprocess.run([python, "-"], cwd=checkout, input=session, text=True, check=True)
    seconds["first picture"] = (checkout / FIGURE).stat().st_mtime - clock
    for code in later:
        shell(code, checkout)
    seconds["whole tutorial"] = time.perf_counter() - start
    return {name: round(taken, 1) for name, taken in seconds.items()}


def python_on_path(checkout: Path) -> None:
    """Make the command `python` start the interpreter of this script."""
    (checkout / "bin").mkdir()
    (checkout / "bin" / "python").symlink_to(sys.executable)


def shell(code: str, checkout: Path) -> None:
    """Run a block unchanged and stop at the first line that fails."""
    subprocess.run(["sh", "-e", "-c", f'PATH="$PWD/bin:$PATH"\n{code}'], cwd=checkout, check=True)


if __name__ == "__main__":
    main()
