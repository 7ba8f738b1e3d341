"""Refusal of settings that a kind of model does not have."""

from collections.abc import Mapping

from aejax.runs.configuration import Training


def refuse_unused(training: Training, unused: Mapping[str, str], kind: str) -> None:
    """Refuse settings that a kind of model does not have.

    Args:
        training: settings of a run.
        unused: name of each such setting -> its option.
        kind: the kind with its article, such as "a dictionary".

    Raises:
        ValueError: if one of the settings is used.
    """
    for name, option in unused.items():
        if getattr(training, name):
            raise ValueError(f"{kind} has no use for {option}: leave it out")
