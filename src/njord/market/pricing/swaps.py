"""Interest-rate swaps on one curve: a fixed coupon against the overnight rate, compounded. Per 100 of notional.

The floating leg that starts now is worth 100 less the discounted notional (Hull, Options, Futures and Other
Derivatives, ch. 7). The receiver of the fixed rate is long: a rise of rates is a loss, as with a bond.
"""

import numpy as np
import numpy.typing as npt

from njord.market.pricing import bonds
from njord.market.pricing.curve import BUCKETS, ZeroCurve

Floats = npt.NDArray[np.float64]


def par_rate(curve: ZeroCurve, maturity: float, frequency: int = 2) -> float:
    """Return the fixed rate, a fraction a year, at which a swap that starts now is worth nothing."""
    return curve.par_rate(maturity, frequency)


def present_value(
    curve: ZeroCurve, maturity: float, fixed_rate: float, frequency: int = 2, floating_growth: float = 1.0
) -> float:
    """Return what receiving ``fixed_rate`` is worth.

    ``floating_growth`` is what 1 has become at the overnight rate since the last payment; 1.0 right after one.
    """
    return bonds.dirty_price(curve, maturity, fixed_rate, frequency) - 100.0 * floating_growth


def dv01(curve: ZeroCurve, maturity: float, fixed_rate: float, frequency: int = 2) -> float:
    """Return the receiver's loss for a parallel rise of 1 bp. The floating leg at a reset does not move."""
    return bonds.curve_sensitivities(curve, maturity, fixed_rate, frequency)[0]


def key_rate_dv01(
    curve: ZeroCurve, maturity: float, fixed_rate: float, frequency: int = 2, buckets: tuple[float, ...] = BUCKETS
) -> Floats:
    """Return the receiver's loss for a rise of each bucket by 1 bp."""
    return bonds.key_rate_dv01(curve, maturity, fixed_rate, frequency, buckets)
