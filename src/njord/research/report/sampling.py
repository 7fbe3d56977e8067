"""Fewer points for a chart, without hiding an extreme."""

import numpy as np

from njord.research.report.data import Floats, Integers, Prices

CURVE_POINTS_MAX = 4_000
CANDLES_MAX = 3_000
# Lowest, highest, deepest below its peak, and last
POINTS_PER_BUCKET = 4


def underwater(equity: Floats) -> Floats:
    """Return how far each sample is below the highest before it, as a fraction <= 0; 0 while there was no gain yet."""
    if len(equity) == 0:
        return np.empty(0)
    peaks = np.maximum.accumulate(equity)
    result = np.zeros(len(equity))
    np.divide(equity - peaks, peaks, out=result, where=peaks > 0)
    return result


def curve_points(equity: Floats, fall: Floats, points_max: int = CURVE_POINTS_MAX) -> Integers:
    """Return which samples to draw: all, or the lowest, highest, deepest and last of equal buckets, and the first."""
    count = len(equity)
    if count <= points_max:
        return np.arange(count, dtype=np.int64)
    bucket = -(-count // (points_max // POINTS_PER_BUCKET - 1))
    chosen = {0}
    for first in range(0, count, bucket):
        part, deep = equity[first : first + bucket], fall[first : first + bucket]
        chosen |= {first + int(part.argmin()), first + int(part.argmax())}
        chosen |= {first + int(deep.argmin()), first + len(part) - 1}
    return np.array(sorted(chosen), dtype=np.int64)


def candles(prices: Prices, candles_max: int = CANDLES_MAX) -> Prices:
    """Return prices as at most ``candles_max`` candles of equally many bars each."""
    count = len(prices.start_ns)
    size = max(1, -(-count // candles_max))
    if size == 1:
        return prices
    firsts = np.arange(0, count, size)
    lasts = np.minimum(firsts + size, count) - 1
    return Prices(
        prices.instrument_id,
        prices.start_ns[firsts],
        prices.open[firsts],
        np.maximum.reduceat(prices.high, firsts),
        np.minimum.reduceat(prices.low, firsts),
        prices.close[lasts],
    )
