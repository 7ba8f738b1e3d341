"""`python -m aejax`, the same as the command `aejax`."""

from aejax.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
