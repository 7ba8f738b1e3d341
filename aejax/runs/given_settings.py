"""Settings that a user gave, as opposed to those that the data complete."""

from aejax.runs.configuration import Options
from aejax.runs.sweep_grid import Settings, without_settings

DEFAULTS = Options()


def given_settings(
    options: Options, *, start: Options = DEFAULTS, given: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Names of the settings that were given to a run.

    Args:
        options: settings of the run, before the data complete them.
        start: settings that it started from, such as those of a run that it repeats.
        given: names of the settings that were given to that run.

    Returns:
        These names, and those of the settings that differ from `start`, as in a sweep.
    """
    before = without_settings(start, ())
    changed = [
        name for name, value in without_settings(options, ()).items() if value != before[name]
    ]
    return tuple(dict.fromkeys((*given, *changed)))


def distinctive_settings(settings: Settings, given: tuple[str, ...] | None) -> tuple[str, ...]:
    """Names of the settings that distinguish a run from a default one.

    Args:
        settings: complete settings of the run by name.
        given: names of the settings that were given to it; None for a run of an earlier version.

    Returns:
        The names of the settings that differ from a fixed default, and of those that were given in
        place of a default from the data; of a run of an earlier version, of all of these.
    """
    defaults = without_settings(DEFAULTS, ())

    def is_distinctive(name: str, value: object) -> bool:
        default = defaults[name]
        if default in (None, ()):
            return value not in (None, ()) and (given is None or name in given)
        return value != default

    return tuple(name for name, value in settings.items() if is_distinctive(name, value))
