"""Functions that kernel strategies are compiled with: at the first call, or plain Python where numba is not there."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def compilable(function: F) -> F:
    """Let a function be called from compiled code. Its plain form is ``function.py_func``."""
    try:
        import numba
    except ModuleNotFoundError:
        return function
    return cast("F", numba.njit(function))
