"""Bars: made from trades by time, count or volume, and made longer from shorter ones. Vectorised, exact in ticks.

Each function names the plain function it must agree with; ``tests/market/test_bars.py`` holds them to it. A bar of a
time interval exists only if something traded in it: nothing is invented for silent intervals.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Bars = dict[str, Array]
PlainBar = tuple[int, int, int, int, int, float]  # In the order of BAR_COLUMNS
BAR_COLUMNS = ("start_ns", "open_ticks", "high_ticks", "low_ticks", "close_ticks", "volume")


def time_bars(times_ns: Array, price_ticks: Array, quantities: Array, interval_ns: int) -> Bars:
    """Return bars of trades in time order; a bar starts at a whole multiple of the interval since 1970.

    Reference: time_bars_plain.
    """
    assert interval_ns > 0, interval_ns
    return _grouped(times_ns - times_ns % interval_ns, price_ticks, quantities)


def tick_bars(times_ns: Array, price_ticks: Array, quantities: Array, trades_per_bar: int) -> Bars:
    """Return bars of so many trades each, by the time of their first; a last incomplete bar is left out."""
    assert trades_per_bar > 0, trades_per_bar
    whole = len(times_ns) // trades_per_bar * trades_per_bar
    groups = np.arange(whole) // trades_per_bar
    bars = _grouped(groups, price_ticks[:whole], quantities[:whole])
    return bars | {"start_ns": times_ns[:whole:trades_per_bar]}


def volume_bars(times_ns: Array, price_ticks: Array, quantity_lots: Array, lots_per_bar: int) -> Bars:
    """Return bars that end with the trade which fills up so many lots; a last incomplete bar is left out.

    A trade is never split: what it brings beyond the size counts for the next bar, which may so be shorter.
    """
    assert lots_per_bar > 0, lots_per_bar
    total = np.cumsum(quantity_lots)
    groups = (total - quantity_lots) // lots_per_bar
    complete = groups < (total[-1] // lots_per_bar if len(total) else 0)
    bars = _grouped(groups[complete], price_ticks[complete], quantity_lots[complete])
    starts = np.flatnonzero(np.diff(groups[complete], prepend=-1))
    return bars | {"start_ns": times_ns[complete][starts]}


def resample(bars: Bars, from_ns: int, to_ns: int, *, keep_incomplete: bool = False) -> Bars:
    """Return bars of ``to_ns`` made from bars of ``from_ns``, exactly.

    A last bar whose interval has not ended with the last input bar is left out: its close is not known yet. Holes
    inside a bar do not make it incomplete: nothing traded in them. Reference: resample_plain.
    """
    _check_intervals(from_ns, to_ns)
    starts = bars["start_ns"]
    if not len(starts):
        return {name: bars[name] for name in BAR_COLUMNS}
    groups = starts - starts % to_ns
    first = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
    last = np.append(first[1:], len(starts)) - 1
    out: Bars = {
        "start_ns": groups[first],
        "open_ticks": bars["open_ticks"][first],
        "high_ticks": np.maximum.reduceat(bars["high_ticks"], first),
        "low_ticks": np.minimum.reduceat(bars["low_ticks"], first),
        "close_ticks": bars["close_ticks"][last],
        "volume": np.add.reduceat(bars["volume"], first),
    }
    ended = keep_incomplete or int(starts[-1]) + from_ns >= int(groups[-1]) + to_ns
    return out if ended else {name: array[:-1] for name, array in out.items()}


def time_bars_plain(trades: Iterable[tuple[int, int, float]], interval_ns: int) -> list[PlainBar]:
    """Return bars of (time_ns, price_ticks, quantity) trades: what time_bars must give."""
    out: list[PlainBar] = []
    for time_ns, ticks, quantity in trades:
        start_ns = time_ns - time_ns % interval_ns
        if out and out[-1][0] == start_ns:
            _, opened, high, low, _, volume = out[-1]
            out[-1] = (start_ns, opened, max(high, ticks), min(low, ticks), ticks, volume + quantity)
        else:
            out.append((start_ns, ticks, ticks, ticks, ticks, quantity))
    return out


def resample_plain(bars: Iterable[PlainBar], from_ns: int, to_ns: int) -> list[PlainBar]:
    """Return longer bars, the last only if it ended: what resample must give."""
    _check_intervals(from_ns, to_ns)
    out: list[PlainBar] = []
    end_ns = 0
    for start_ns, opened, high, low, close, volume in bars:
        group_ns, end_ns = start_ns - start_ns % to_ns, start_ns + from_ns
        if out and out[-1][0] == group_ns:
            _, opened0, high0, low0, _, volume0 = out[-1]
            out[-1] = (group_ns, opened0, max(high0, high), min(low0, low), close, volume0 + volume)
        else:
            out.append((group_ns, opened, high, low, close, volume))
    return out if not out or end_ns >= out[-1][0] + to_ns else out[:-1]


def _grouped(groups: Array, price_ticks: Array, quantities: Array) -> Bars:
    if not len(groups):
        empty = np.zeros(0, dtype=np.int64)
        return dict.fromkeys(BAR_COLUMNS[:-1], empty) | {"volume": np.zeros(0)}
    assert (np.diff(groups) >= 0).all(), "trades must be in time order"
    first = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
    last = np.append(first[1:], len(groups)) - 1
    return {
        "start_ns": groups[first],
        "open_ticks": price_ticks[first],
        "high_ticks": np.maximum.reduceat(price_ticks, first),
        "low_ticks": np.minimum.reduceat(price_ticks, first),
        "close_ticks": price_ticks[last],
        "volume": np.add.reduceat(quantities, first).astype(np.float64),
    }


def _check_intervals(from_ns: int, to_ns: int) -> None:
    if from_ns <= 0 or to_ns % from_ns:
        raise ValueError(f"resample: {to_ns} ns is not a multiple of {from_ns} ns")
