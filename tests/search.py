"""Random search for inputs that break a property: `python -m tests.search --minutes 60 --seed 0`.

Runs the property tests repeatedly, with consecutive seeds, until the time is over or a test fails;
hypothesis then prints the smallest failing input that it found.
"""

import argparse
import os
import subprocess
import sys
import time


def main() -> int:
    """Run the search.

    Returns:
        Exit status: 0 if no property failed.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first round")
    parser.add_argument("--factor", type=int, default=10, help="multiple of the default examples")
    parser.add_argument("tests", nargs="*", default=["tests"])
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    seed = options.seed
    while time.monotonic() < end:
        command = [sys.executable, "-m", "pytest", "-m", "search", f"--hypothesis-seed={seed}"]
        environment = os.environ | {"AEJAX_SEARCH": str(options.factor)}
        print(f"seed {seed}", flush=True)
        if subprocess.run([*command, *options.tests], env=environment).returncode:
            return 1
        seed += 1
    print(f"no property failed for seeds {options.seed} to {seed - 1}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
