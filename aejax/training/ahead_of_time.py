"""Ahead-of-time compilation of jitted functions, which respects `jax.disable_jit`."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax

Compiled = Callable[..., Any]
"""Result of `compile_ahead_of_time`: a `jax.stages.Compiled`, or the function itself."""


def compile_ahead_of_time(
    function: Any, *static: Any, arguments: Sequence[Any], **options: Any
) -> Compiled:
    """Compile a jitted function for arguments of given shapes.

    Args:
        function: jitted function, whose first arguments and keyword arguments are static.
        static: static positional arguments.
        arguments: remaining positional arguments, arrays or trees of arrays.
        options: static keyword arguments.

    Returns:
        The program, a function of `arguments` alone. Under `jax.disable_jit`, the uncompiled
        function.
    """
    if jax.config.jax_disable_jit:  # pyright: ignore[reportAttributeAccessIssue]
        return partial(function, *static, **options)
    return function.lower(*static, *arguments, **options).compile()


def memory_analysis(program: Compiled) -> Any:
    """XLA's estimate of the memory of a program.

    Args:
        program: result of `compile_ahead_of_time`.

    Returns:
        The `memory_analysis()` of the program; None if the platform has none, or if the function
        is not compiled.
    """
    return program.memory_analysis() if isinstance(program, jax.stages.Compiled) else None
