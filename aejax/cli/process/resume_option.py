"""`aejax train --resume` of a run that does not exist yet: the command starts it."""

from collections.abc import Sequence
from pathlib import Path

from aejax.runs.run import has_run

RESUME, DATA, CHECKPOINT = "--resume", "--data", "--checkpoint"


def starts_run(out: Path, words: Sequence[str]) -> bool:
    """Whether a command that resumes a run starts it, because its folder contains none.

    Args:
        out: folder of the run.
        words: words after `aejax train`.

    Returns:
        True if the folder contains no run.

    Raises:
        FileNotFoundError: if it contains none and the command names no data, so that a mistake in
            the name of the folder starts no other run; or names a checkpoint.
    """
    if has_run(out):
        return False
    given = {word.partition("=")[0] for word in words}
    if CHECKPOINT in given:
        raise FileNotFoundError(f"{out} is not a run: it has no checkpoint to resume from")
    if DATA not in given:
        raise FileNotFoundError(f"{out} is not a run: to start it, say {DATA} too")
    return True


def without_resume(words: Sequence[str]) -> list[str]:
    """Words after `aejax train` without the option --resume."""
    return [word for word in words if word != RESUME]
