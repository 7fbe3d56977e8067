"""Value at risk before and after an order in one compiled call: arrays and numbers in, two numbers out. Needs numba."""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]


@njit()
def weighed(columns: Floats, exposures: Floats, sums: Floats) -> None:
    """Make ``sums`` the sum of all rows times their exposures, in the order of the rows. Reference:
    ``scenarios.weighed``.
    """
    sums[:] = 0.0
    for i in range(len(exposures)):
        held = exposures[i]
        for j in range(len(sums)):
            sums[j] += columns[i, j] * held


@njit()
def ranked(
    columns: Floats, exposures: Floats, sums: Floats, weigh: bool, row: int, change: float, worst: Floats
) -> tuple[float, float]:
    """Return the P&L that only ``len(worst) - 1`` scenarios fall below, as it is and with an exposure changed.

    ``weigh``: make ``sums``, the P&L of each scenario, anew from the exposures, in the order of the rows. Else the
    first of the two is not asked for, and 0. ``worst`` is room to work in. Reference: ``scenarios.ranked``.
    """
    before = 0.0
    if weigh:
        weighed(columns, exposures, sums)
        before = _last_of_worst(sums, columns[row], 0.0, worst)
    return before, _last_of_worst(sums, columns[row], change, worst)


@njit()
def _last_of_worst(sums: Floats, column: Floats, change: float, worst: Floats) -> float:
    # Those that are worst so far are kept in order; few scenarios are among them
    last = len(worst) - 1
    worst[:] = math.inf
    for j in range(len(sums)):
        value = sums[j] + change * column[j]
        if value < worst[last]:
            at = last
            while at > 0 and worst[at - 1] > value:
                worst[at] = worst[at - 1]
                at -= 1
            worst[at] = value
    return float(worst[last])
