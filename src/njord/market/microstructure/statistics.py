"""What a market looks like most of the time: spread and depth weighted with time, and how signs of trades persist."""

import msgspec
import numpy as np
import numpy.typing as npt

from njord.market.microstructure.imbalance import Array, Floats

Integers = npt.NDArray[np.int64]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Distribution(msgspec.Struct, frozen=True):
    """A quantity over time: each value counts with the time it stood."""

    mean: float
    quantiles: dict[float, float]
    lowest: float
    highest: float
    watched_ns: int


def over_time(
    time_ns: Integers, value: Array, end_ns: int | None = None, quantiles: tuple[float, ...] = QUANTILES
) -> Distribution:
    """Return the distribution over time of a value that stands from each time to the next, the last one to ``end_ns``.

    ``time_ns`` rises; without ``end_ns`` the last value has no time. A NaN is time not watched: it is left out. A
    quantile q is the lowest value that the quantity was at or below for a share q of the time. Raises ValueError where
    lengths differ, times go back, a q lies outside 0..1, or nothing was watched.
    """
    if len(time_ns) != len(value):
        raise ValueError(f"value: {len(value)} for {len(time_ns)} times")
    if not all(0 <= each <= 1 for each in quantiles):
        raise ValueError(f"quantiles: must be 0..1, were {quantiles}")
    ends = np.append(time_ns, time_ns[-1:] if end_ns is None else end_ns)
    stood = np.diff(ends)
    if (stood < 0).any():
        raise ValueError("time_ns: must rise, up to end_ns")
    values = np.asarray(value, dtype=np.float64)
    counted = (stood > 0) & ~np.isnan(values)
    values, stood = values[counted], stood[counted]
    if len(values) == 0:
        raise ValueError("value: nothing was watched for any time")
    order = np.argsort(values, kind="stable")
    values, stood = values[order], stood[order]
    reached, total = np.cumsum(stood), int(stood.sum())
    places = [int(np.searchsorted(reached, each * total).clip(max=len(values) - 1)) for each in quantiles]
    return Distribution(
        mean=float(values @ stood) / total,
        quantiles={each: float(values[place]) for each, place in zip(quantiles, places, strict=True)},
        lowest=float(values[0]),
        highest=float(values[-1]),
        watched_ns=total,
    )


def spread_over_time(time_ns: Integers, bid: Array, ask: Array, end_ns: int | None = None) -> Distribution:
    """Return the distribution over time of ask - bid, in the unit of the prices. NaN marks a side that is empty."""
    return over_time(time_ns, np.asarray(ask, dtype=np.float64) - bid, end_ns)


def depth_over_time(time_ns: Integers, size: Array, end_ns: int | None = None) -> list[Distribution]:
    """Return the distribution over time of the size at each level, [quotes, levels], best first; empty ones are 0."""
    sizes = np.asarray(size, dtype=np.float64)
    if sizes.ndim != 2:
        raise ValueError(f"size: must be [quotes, levels], was {sizes.shape}")
    return [over_time(time_ns, column, end_ns) for column in sizes.T]


def sign_autocorrelation(sign: Array, lags: int) -> Floats:
    """Return the autocorrelation of the signs of trades (+1 bought, -1 sold) at lags 1 .. ``lags``.

    About the sample's mean. Without memory each has a standard error of 1 / sqrt(n). Raises ValueError unless
    1 <= lags < n, for other values than +1 and -1, and where all signs are the same.
    """
    signs = np.asarray(sign, dtype=np.float64)
    if not 1 <= lags < len(signs):
        raise ValueError(f"lags: must be 1 .. {len(signs) - 1}, was {lags}")
    if not (np.abs(signs) == 1).all():
        raise ValueError("sign: must be +1 or -1")
    centred = signs - signs.mean()
    total = float(centred @ centred)
    if total == 0:
        raise ValueError("sign: all are the same")
    return np.array([float(centred[lag:] @ centred[:-lag]) / total for lag in range(1, lags + 1)])
