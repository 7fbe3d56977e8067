"""An implied-volatility surface without static arbitrage: SSVI (Gatheral and Jacquier 2014, Arbitrage-free SVI
volatility surfaces, section 4).

Total variance at log-moneyness k = ln(K / F): w = theta/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)), where
theta is the at-the-money total variance of the expiry and phi(theta) = eta / sqrt(theta (1 + theta)).
No butterfly where eta (1 + |rho|) <= 2; no calendar spread where theta does not fall with the expiry.
"""

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
FloatLike = float | Floats


class Smile(msgspec.Struct, frozen=True):
    """The shape of a surface: ``skew`` is rho, ``wings`` eta. Raises ValueError where butterflies would be free."""

    skew: float
    wings: float

    def __post_init__(self) -> None:
        if not -1 < self.skew < 1:
            raise ValueError(f"skew {self.skew} must be within -1 and 1")
        if not 0 < self.wings * (1 + abs(self.skew)) <= 2:
            raise ValueError(f"wings {self.wings} x (1 + |skew|) must be above 0 and at most 2")


def total_variance(log_moneyness: FloatLike, at_the_money: FloatLike, skew: FloatLike, wings: FloatLike) -> Floats:
    """Return implied variance times years at ln(strike / forward), from that at the money."""
    theta = np.asarray(at_the_money)
    tilt = wings / np.sqrt(theta * (1 + theta)) * log_moneyness
    found: Floats = theta / 2 * (1 + skew * tilt + np.sqrt((tilt + skew) ** 2 + 1 - np.square(skew)))
    return found


def volatility(
    strike: FloatLike, forward: FloatLike, years: FloatLike, at_the_money: FloatLike, skew: FloatLike, wings: FloatLike
) -> Floats:
    """Return implied volatility a year. ``at_the_money`` is total variance: volatility squared times years."""
    found: Floats = np.sqrt(total_variance(np.log(np.asarray(strike) / forward), at_the_money, skew, wings) / years)
    return found


def expected_variance(
    spot_variance: FloatLike, long_variance: FloatLike, reversion: FloatLike, years: FloatLike
) -> Floats:
    """Return the mean total variance to an expiry when variance returns to its long mean: Heston (1993).

    Rises with the expiry, so a surface made of it has no calendar arbitrage.
    """
    decay = -np.expm1(-np.asarray(reversion) * years) / reversion
    found: Floats = long_variance * np.asarray(years) + (np.asarray(spot_variance) - long_variance) * decay
    return found
