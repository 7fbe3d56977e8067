"""Estimates that follow the market: A and k of one side, and volatility, with weights that halve.

Each is a ratio of two sums whose terms are worth half after a half-life, so that it is unbiased from the first
observation on, with no starting value to forget. Arrivals forget by orders, not by seconds: after a step an estimate by
orders is a mean of waits, 7/8 new after three half-lives, within 1/15 of a halved A, where one by seconds is 1/8 off;
and its precision, 1 / sqrt(2.885 half-lives), does not depend on how busy the market is.

``kernels`` has the same as scalar functions.
"""

import math

from njord.strategies.market_making.parameters import EXPONENT_MAX, finite, not_negative, positive


def keep(step: float, half_life: float) -> float:
    """Return 2^(-step / half_life): what is kept of an estimate's weight after a step of time, or of one order."""
    return float(math.exp2(-step / half_life))


class Arrivals:
    """A and k of the market orders of one side, from how far they reached and how long they took to come.

    The estimators of ``calibration.fit_orders``, weighted. ``tick`` is the grid of the depths, 0 for none.
    """

    def __init__(self, half_life_orders: float, tick: float = 0.0) -> None:
        positive("half_life_orders", half_life_orders)
        not_negative("tick", tick)
        self.tick = tick
        self._keep = keep(1.0, half_life_orders)
        self._orders = self._waited_s = self._excess = self._touch = 0.0

    def update(self, wait_s: float, depth: float, touch: float) -> None:
        """Take in one market order: seconds since the last, how far from the mid it reached, and the best quote was.

        A depth short of the touch counts as the touch. Raises ValueError for a negative wait and for what is no number.
        """
        not_negative("wait_s", wait_s)
        finite("depth", depth)
        finite("touch", touch)
        self._orders = self._keep * self._orders + 1.0
        self._waited_s = self._keep * self._waited_s + wait_s
        self._excess = self._keep * self._excess + max(0.0, depth - touch)
        self._touch = self._keep * self._touch + touch

    def estimate(self, open_s: float = 0.0) -> tuple[float, float]:
        """Return A (orders per second that would reach the mid) and k (1/price); NaN as long as they are unknown.

        ``open_s``: seconds since the last order. They count once they exceed the mean wait: silence lowers A.
        """
        if self._excess <= 0 or self._waited_s <= 0:
            return math.nan, math.nan
        excess = self._excess / self._orders
        decay = math.log1p(self.tick / excess) / self.tick if self.tick > 0 else 1 / excess
        rate = self._orders / self._waited_s
        if open_s > 1 / rate:
            rate = (self._orders + 1) / (self._waited_s + open_s)
        return rate * math.exp(min(EXPONENT_MAX, decay * self._touch / self._orders)), decay


class Volatility:
    """Volatility per square root of a second, from changes of a mid or micro-price over any lengths of time."""

    def __init__(self, half_life_s: float) -> None:
        positive("half_life_s", half_life_s)
        self._half_life_s = half_life_s
        self._squares = self._watched_s = 0.0

    def update(self, change: float, elapsed_s: float) -> None:
        """Take in one change, in price, and the seconds it took. Raises ValueError for a time that is not > 0."""
        finite("change", change)
        positive("elapsed_s", elapsed_s)
        kept = keep(elapsed_s, self._half_life_s)
        self._squares = kept * self._squares + change * change
        self._watched_s = kept * self._watched_s + elapsed_s

    def sigma(self) -> float:
        """Return the estimate, in price per square root of a second; NaN before the first update."""
        return math.sqrt(self._squares / self._watched_s) if self._watched_s > 0 else math.nan
