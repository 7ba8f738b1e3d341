"""Hyperparameters of the functions of `aejax.theory` are keyword-only."""

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
OPTIONAL_ARRAYS = {"contraction.contractive_objective": {"decoder"}}


def test_parameters_with_a_default_are_keyword_only_and_none_is_positional_only():
    assert len(FUNCTIONS) > 100
    for name, signature in FUNCTIONS.items():
        for parameter in signature.parameters.values():
            keyword_only = parameter.kind is parameter.KEYWORD_ONLY
            assert parameter.kind is not parameter.POSITIONAL_ONLY, name
            assert (
                keyword_only
                or parameter.default is parameter.empty
                or parameter.name in OPTIONAL_ARRAYS.get(name, ())
            ), name
