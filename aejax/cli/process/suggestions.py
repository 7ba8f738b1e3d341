"""Suggestions for misspelt commands, options and choices: "did you mean …?"."""

import difflib
import re
from collections.abc import Iterable

_UNRECOGNIZED = re.compile(r"Unrecognized options: ([^;]*)(; Perhaps you meant:.*)?")
_CHOICE = re.compile(r"invalid choice '(.*)' for argument .*Expected one of \((.*)\)")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the known words that are most similar to a word.

    Args:
        word: the misspelt word.
        known: words that are valid in its place.

    Returns:
        "; did you mean A or B?", or an empty text if no word is similar.

    Example:
        >>> from aejax.cli.process.suggestions import did_you_mean
        >>> did_you_mean("trian", ["train", "encode"])
        '; did you mean train?'
    """
    similar = difflib.get_close_matches(word, list(known), n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(similar)}?" if similar else ""


def with_suggestions(message: str, options: Iterable[str]) -> str:
    """Add suggestions to an error message of tyro.

    Args:
        message: the message on one line.
        options: names of the options of the command, without the leading dashes.

    Returns:
        The message. Unknown options and invalid choices are followed by similar valid ones.
    """
    if match := _CHOICE.search(message):
        choices = [each for each in re.findall("'([^']*)'", match[2]) if each != "None"]
        listed = ", ".join(map(repr, choices))
        message = message[: match.start(2)] + listed + message[match.end(2) :]
        return message + did_you_mean(match[1], choices).replace("; did", " Did")
    if match := _UNRECOGNIZED.search(message):
        return message[: match.start()] + _unknown(match[1].split(", "), list(options))
    return message


def _unknown(words: list[str], options: list[str]) -> str:
    """Message for words that tyro did not recognise; values of unknown options are left out."""
    unknown = [word.partition("=")[0] for word in words if word.startswith("-")]
    if not unknown:
        return f"unexpected argument {', '.join(map(repr, words))}"
    return "; ".join(f"unknown option {word}{_similar_options(word, options)}" for word in unknown)


def _similar_options(word: str, options: list[str]) -> str:
    name = word.lstrip("-").replace("_", "-")
    similar = did_you_mean(name.removeprefix("no-"), options)
    return similar.replace("mean ", "mean --").replace(" or ", " or --")
