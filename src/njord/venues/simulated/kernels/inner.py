"""How the venue's functions are compiled: as parts of one loop, never called from Python, and without memory to manage.

A part needs no way in from Python, and as nothing is allocated no references are counted: together that is a third of
the code and of the time it takes to compile.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])
_njit: Any = numba.njit  # Its stubs do not know of all its options


def inner(function: F) -> F:
    """Compile a part of the loop that is called now and then."""
    return cast("F", _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)(function))


def hot(function: F) -> F:
    """Compile what every event passes through into its callers: a call would hand over the whole world each time."""
    parts = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False, forceinline=True)
    return cast("F", parts(function))
