"""How the venue's functions are compiled: as parts of one loop, never called from Python, and without memory to manage."""

from typing import Any

from numba import njit

# A part needs no way in from Python, and as nothing is allocated no references are counted: a tenth of the code
inner: Any = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)

# What every event passes through is copied into the loop: a call would hand over the whole world each time
hot: Any = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False, forceinline=True)
