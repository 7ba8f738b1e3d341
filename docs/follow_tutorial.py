"""The tutorial as a new user follows it: its blocks, to the letter, in a fresh environment.

Copies the checkout into a temporary folder, runs every shell block there as it stands and the
Python blocks as one session of the environment that the first block made, and prints how long it
took to the first picture and to the end. It needs Python 3.11 or newer and a package index.

    python docs/follow_tutorial.py
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PICTURE = "denoised.png"
BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)
NOT_FOR_A_NEW_USER = shutil.ignore_patterns(".*", "demo", "runs", "_build", "__pycache__", "tests")


def main() -> None:
    """Follow the tutorial; a block that fails ends it."""
    blocks = BLOCK.findall((CHECKOUT / "docs" / "tutorial.md").read_text(encoding="utf-8"))
    session = "".join(code for language, code in blocks if language == "python")
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "aejax"
        shutil.copytree(CHECKOUT, checkout, ignore=NOT_FOR_A_NEW_USER)
        python_on_path(checkout)
        start = time.perf_counter()
        install, *later = [code for language, code in blocks if language == "sh"]
        shell(install, checkout)
        print(f"installed after {time.perf_counter() - start:.0f} s", flush=True)
        subprocess.run(
            ["tutorial-env/bin/python", "-"], cwd=checkout, input=session, text=True, check=True
        )
        took = (checkout / PICTURE).stat().st_mtime - time.time() + time.perf_counter() - start
        print(f"first picture after {took:.0f} s", flush=True)
        for code in later:
            shell(code, checkout)
        print(f"the whole tutorial took {time.perf_counter() - start:.0f} s")


def python_on_path(checkout: Path) -> None:
    """The `python` that a new user types is the one that runs this script."""
    (checkout / "bin").mkdir()
    (checkout / "bin" / "python").symlink_to(sys.executable)


def shell(code: str, checkout: Path) -> None:
    """Run a block as it stands, and stop where a line of it fails."""
    subprocess.run(["sh", "-e", "-c", f'PATH="$PWD/bin:$PATH"\n{code}'], cwd=checkout, check=True)


if __name__ == "__main__":
    main()
