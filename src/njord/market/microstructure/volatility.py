"""How much a price moves: realised volatility, and the same where quotes jitter about an efficient price.

Feed mids or micro-prices. Trade prices bounce between bid and ask: noise of half a spread in every one.
"""

import math

import numpy as np
import numpy.typing as npt

from njord.market.microstructure.imbalance import Array, Floats

Integers = npt.NDArray[np.int64]

NS_PER_S = 1_000_000_000
# More than that many points of a grid is a mistake in a unit
POINTS_MAX = 100_000_000


def realised_variance(price: Array) -> float:
    """Return the sum of squared changes, in squared price (feed logarithms for relative ones).

    With noise of variance omega^2 in each of n + 1 prices it is 2 n omega^2 too high.
    """
    moves = np.diff(_prices(price, 2))
    return float(moves @ moves)


def noise_variance(price: Array) -> float:
    """Return omega^2, estimated as the realised variance over 2n: what is left of it when sampling is very fine."""
    return realised_variance(price) / (2 * (len(price) - 1))


def two_scale_variance(price: Array, scale: int | None = None) -> float:
    """Return the realised variance without that of the noise: Zhang, Mykland and Ait-Sahalia (2005), JASA 100(472).

    The mean over ``scale`` sparse grids, less what noise adds to it, told from the full grid. Divided by the share of
    the variance that this leaves: their correction for small samples, and one for the edges, which sparse grids see
    less of. So it is unbiased for a constant volatility. Without a ``scale`` it is ``best_scale``. It may be
    negative where noise is all there is. Raises ValueError unless 2 <= scale <= n / 2 for n changes.
    """
    prices = _prices(price, 5)
    count = len(prices) - 1
    chosen = best_scale(prices) if scale is None else scale
    if not 2 <= chosen <= count // 2:
        raise ValueError(f"scale: must be 2 .. {count // 2}, half the number of changes, was {chosen}")
    sparse = prices[chosen:] - prices[:-chosen]
    # Changes on one sparse grid over those on the full one
    share = (count - chosen + 1) / chosen / count
    cleaned = float(sparse @ sparse) / chosen - share * realised_variance(prices)
    return cleaned / (share * (chosen - 1))


def best_scale(price: Array) -> int:
    """Return how many sparse grids make the two-scale estimate most precise: their c n^(2/3), c^3 = 12 omega^4 / IV^2.

    The integrated variance IV is that of a first estimate on sqrt(n) grids. From 2, where there is hardly any noise, to
    n / 2 for n changes, where there is little else.
    """
    count = len(price) - 1
    first = two_scale_variance(price, max(2, math.isqrt(count)))
    if first <= 0:
        return count // 2
    # The noise is at most this; without any, the scale comes out at 1.4
    best = math.cbrt(12 * (noise_variance(price) * count / first) ** 2)
    return max(2, min(count // 2, round(best)))


def sampled_prices(time_ns: Integers, price: Array, interval_ns: int) -> Floats:
    """Return the last price at or before each point of a grid that starts with the first price.

    ``time_ns`` rises. Raises ValueError for an interval that is not > 0, unequal lengths and times that go back.
    """
    if interval_ns <= 0:
        raise ValueError(f"interval_ns: must be > 0, was {interval_ns}")
    if len(time_ns) != len(price) or len(price) == 0:
        raise ValueError(f"price: {len(price)} for {len(time_ns)} times, and at least one is needed")
    if (np.diff(time_ns) < 0).any():
        raise ValueError("time_ns: must rise")
    if (time_ns[-1] - time_ns[0]) // interval_ns > POINTS_MAX:
        raise ValueError(f"interval_ns: {interval_ns} makes more than {POINTS_MAX} points")
    grid = np.arange(time_ns[0], time_ns[-1] + 1, interval_ns)
    found: Floats = np.asarray(price, dtype=np.float64)[np.searchsorted(time_ns, grid, side="right") - 1]
    return found


def volatility(time_ns: Integers, price: Array, interval_ns: int) -> float:
    """Return the volatility in price per square root of a second, from changes over a decision interval.

    Sample as often as you decide: finer counts jitter that you do not trade on, coarser wastes data. Raises ValueError
    as ``sampled_prices`` does, and for data shorter than one interval.
    """
    prices = sampled_prices(time_ns, price, interval_ns)
    return math.sqrt(realised_variance(prices) / ((len(prices) - 1) * interval_ns / NS_PER_S))


def two_scale_volatility(time_ns: Integers, price: Array, interval_ns: int, scale: int | None = None) -> float:
    """Return the two-scale volatility in price per square root of a second, for intervals too fine for jitter.

    The interval must not be finer than quotes come: where a quote is sampled twice its noise is not independent, and
    too little is taken off. 0 where noise is all there is. Raises ValueError as ``sampled_prices`` and
    ``two_scale_variance`` do.
    """
    prices = sampled_prices(time_ns, price, interval_ns)
    elapsed_s = (len(prices) - 1) * interval_ns / NS_PER_S
    return math.sqrt(max(0.0, two_scale_variance(prices, scale)) / elapsed_s)


def _prices(price: Array, count_min: int) -> Floats:
    found = np.asarray(price, dtype=np.float64)
    if len(found) < count_min:
        raise ValueError(f"price: at least {count_min} are needed, there are {len(found)}")
    if not np.isfinite(found).all():
        raise ValueError("price: must be finite numbers")
    return found
