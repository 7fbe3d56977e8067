"""Prices as a chart can show them: read again, a chunk at a time, into at most a few thousand candles."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_S
from njord.domain.ids import InstrumentId
from njord.domain.instrument import Grid, Instrument
from njord.engine.assemble import Range, Source
from njord.market.feed import Feed, Window
from njord.research.report.data import Prices

# Enough to fill the widest screen; the page itself shows fewer
CANDLES_MAX = 6_000
READ_ROWS = 16_384

Array = npt.NDArray[Any]
Row = list[float]  # open, high, low, close


class Drawn(NamedTuple):
    """Candles, and how many rows they were made of."""

    prices: Prices
    rows: int


def candles(source: Source, each: Range, instruments: Mapping[InstrumentId, Instrument]) -> Drawn:
    """Return the candles of one range of bars, quotes or trades."""
    dataset_id = each.dataset_id
    interval_ns = dataset_id.interval_ns or 0
    width_ns = _width_ns(source, each)
    chunks = source.read(dataset_id, each.start_ns, each.end_ns, READ_ROWS)
    grid = Grid.of(instruments[dataset_id.instrument_id])
    feed = Feed(dataset_id.instrument_id, dataset_id.kind, dataset_id.interval_ns, grid, chunks)
    rows: dict[int, Row] = {}
    for window in feed:
        _add(rows, window, (window.times_ns - interval_ns) // width_ns * width_ns, bars=bool(interval_ns))
    values = np.array(list(rows.values()), dtype=np.float64).reshape(-1, 4)
    starts = np.array(list(rows), dtype=np.int64)
    return Drawn(Prices(dataset_id.instrument_id, starts, *(values[:, column] for column in range(4))), feed.events)


def _width_ns(source: Source, each: Range) -> int:
    dataset = source.dataset(each.dataset_id)
    assert dataset is not None, each.dataset_id
    first_ns = max(dataset.first_ns, each.start_ns or dataset.first_ns)
    last_ns = min(dataset.last_ns, each.end_ns or dataset.last_ns)
    interval_ns = each.dataset_id.interval_ns or NS_PER_S
    # Whole intervals, so that a candle is made of whole bars
    return max(1, -(-((last_ns - first_ns) // CANDLES_MAX + 1) // interval_ns)) * interval_ns


def _add(rows: dict[int, Row], window: Window, starts: Array, *, bars: bool) -> None:
    known = ~np.isnan(window.marks)
    closes, starts = window.marks[known], starts[known]
    if not len(closes):
        return
    opens = highs = lows = closes
    if bars:
        opens, highs, lows = (
            np.array([getattr(event, name) for event in window.events]) for name in ("open", "high", "low")
        )
    first = np.flatnonzero(np.append(True, starts[1:] != starts[:-1]))
    last = np.append(first[1:], len(starts)) - 1
    columns = (opens[first], np.maximum.reduceat(highs, first), np.minimum.reduceat(lows, first), closes[last])
    for start, *row in zip(starts[first].tolist(), *(column.tolist() for column in columns), strict=True):
        seen = rows.get(start)
        if seen is None:
            rows[start] = row
        else:
            seen[1], seen[2], seen[3] = max(seen[1], row[1]), min(seen[2], row[2]), row[3]
