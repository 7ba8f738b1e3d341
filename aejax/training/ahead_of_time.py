"""Programs compiled ahead of their first call; under `jax.disable_jit`, plain functions instead."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax

Compiled = Callable[..., Any]
"""What `compiled` returns: a `jax.stages.Compiled`, or the function itself."""


def compile_ahead_of_time(
    function: Any, *static: Any, arguments: Sequence[Any], **options: Any
) -> Compiled:
    """The program of a jitted function for arguments of these shapes.

    Args:
        function: jitted; its first arguments and its keywords are static.
        static: the first arguments.
        arguments: those after them, arrays or trees of them.
        options: the keywords.

    Returns:
        The program, to be called with such arguments alone. Under `jax.disable_jit`, with which one
        looks into a function step by step, nothing is compiled.
    """
    if jax.config.jax_disable_jit:  # pyright: ignore[reportAttributeAccessIssue]
        return partial(function, *static, **options)
    return function.lower(*static, *arguments, **options).compile()


def memory_analysis(program: Compiled) -> Any:
    """XLA's estimate of a program's memory.

    Args:
        program: of `compiled`.

    Returns:
        `memory_analysis()`; None where the platform has none, and for what is not compiled.
    """
    return program.memory_analysis() if isinstance(program, jax.stages.Compiled) else None
