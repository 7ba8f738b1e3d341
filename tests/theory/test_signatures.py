"""Hyperparameters of `aejax.theory` are named where it is called, everywhere."""

import importlib
import inspect
import pkgutil

from aejax import theory

FUNCTIONS = {
    f"{module.name.rpartition('.')[2]}.{name}": inspect.signature(function)
    for module in pkgutil.walk_packages(theory.__path__, "aejax.theory.")
    for name, function in vars(importlib.import_module(module.name)).items()
    if inspect.isfunction(inspect.unwrap(function))
    and function.__module__ == module.name
    and not name.startswith("_")
}
ARRAYS = {"contraction.contractive_objective": {"decoder"}}
"""Which may be left out."""


def test_what_has_a_default_is_given_by_name_and_nothing_by_place_alone():
    assert len(FUNCTIONS) > 100
    for name, signature in FUNCTIONS.items():
        for parameter in signature.parameters.values():
            named = parameter.kind is parameter.KEYWORD_ONLY
            assert parameter.kind is not parameter.POSITIONAL_ONLY, name
            assert (
                named
                or parameter.default is parameter.empty
                or parameter.name in ARRAYS.get(name, ())
            ), name
