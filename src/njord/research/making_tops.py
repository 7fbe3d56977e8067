"""The best bid and ask of each instrument over a run, read again from its data: what fills are measured against.

The best source there is counts: the book, quotes, bars of bid and ask; failing these the last trade, or the closes of
bars, where bid and ask are one price. Mids are kept as bid + ask, in half ticks, so they are whole numbers.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.ids import InstrumentId
from njord.domain.instrument import Grid
from njord.domain.market import Kind
from njord.engine.assemble import Assembly, Range, Source
from njord.market.book import Book, Guard
from njord.market.book_history import updates
from njord.market.feed import whole_updates
from njord.market.sequence import Guarded

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

READ_ROWS = 1 << 18
# A ladder has a cell a tick; a book spread wider than this is followed level by level
CELLS_MAX = 1 << 24
CELLS_SPARE = 1 << 12

# The best source first
_SOURCES = (Kind.BOOK, Kind.QUOTES, Kind.QUOTE_BARS, Kind.TRADES, Kind.BARS)
QUOTED = frozenset({Kind.BOOK, Kind.QUOTES})


class Tops(msgspec.Struct, frozen=True):
    """Best prices in ticks and sizes in lots from each moment on, (changes,) each; no sizes where bars have none.

    Times rise, though several changes may share one. ``end_ns`` is when the data end. Books and quotes that are
    one-sided or crossed are left out: until the next good one the last good one stands.
    """

    kind: Kind
    time_ns: Ints
    bid_ticks: Ints
    ask_ticks: Ints
    bid_lots: Ints
    ask_lots: Ints
    end_ns: int

    @property
    def half_ticks(self) -> Ints:
        """Twice the mid, in ticks."""
        return self.bid_ticks + self.ask_ticks

    @property
    def quoted(self) -> bool:
        """Whether these are what could be traded at, moment by moment."""
        return self.kind in QUOTED

    def before(self, time_ns: Ints) -> Ints:
        """Return for each time the row that stood just before it; -1 where there was none yet."""
        return np.searchsorted(self.time_ns, time_ns, side="left") - 1

    def at(self, time_ns: Ints) -> Ints:
        """Return for each time the row that stands once all of that moment has come; -1 where there is none yet."""
        return np.searchsorted(self.time_ns, time_ns, side="right") - 1


def tops_of(assembly: Assembly, source: Source) -> dict[InstrumentId, Tops]:
    """Return the best prices of each instrument of a run that has any."""
    chosen: dict[InstrumentId, Range] = {}
    for kind in _SOURCES:
        for each in assembly.ranges:
            if each.dataset_id.kind is kind:
                chosen.setdefault(each.dataset_id.instrument_id, each)
    found = {name: read_tops(source, each, Grid.of(assembly.instruments[name])) for name, each in chosen.items()}
    return {name: found[name] for name in assembly.instruments if name in found and len(found[name].time_ns)}


def read_tops(source: Source, each: Range, grid: Grid) -> Tops:
    """Return the best prices of one range of data."""
    kind = each.dataset_id.kind

    def chunks() -> Iterator[dict[str, Array]]:
        return iter(Guarded(kind, source.read(each.dataset_id, each.start_ns, each.end_ns, READ_ROWS)))

    if kind is Kind.BOOK:
        try:
            parts = list(_ladder(chunks()))
        except (ImportError, _TooWide):  # No numba, or prices all over the place
            parts = list(_book(each.dataset_id.instrument_id, chunks()))
    else:
        parts = [_plain(kind, chunk, grid, each.dataset_id.interval_ns or 0) for chunk in chunks()]
    return _joined(kind, parts)


class _TooWide(ValueError):
    """The levels of a book lie farther apart than a ladder is long."""


def _joined(kind: Kind, parts: list[Array]) -> Tops:
    # Rows of a part: time, bid, ask, lots bid, lots offered
    rows = np.concatenate(parts, axis=1) if parts else np.zeros((5, 0), dtype=np.int64)
    end_ns = int(rows[0, -1]) if rows.shape[1] else 0
    good = (rows[3] > 0) & (rows[4] > 0) & (rows[1] < rows[2]) if kind in QUOTED else np.ones(rows.shape[1], np.bool_)
    rows = rows[:, good]
    changed = np.append(True, (rows[1:, 1:] != rows[1:, :-1]).any(axis=0))[: rows.shape[1]]
    times, bids, asks, bid_lots, ask_lots = (np.ascontiguousarray(row[changed]) for row in rows)
    return Tops(kind, times, bids, asks, bid_lots, ask_lots, end_ns)


def _ladder(chunks: Iterator[dict[str, Array]]) -> Iterator[Array]:
    from njord.market import kernels

    bids = asks = np.zeros(0, dtype=np.int64)
    floor_ticks, ready = 0, False
    best = np.array([-1, 0])
    for chunk in whole_updates(chunks):
        sides, prices, lots = (np.ascontiguousarray(chunk[n]) for n in ("side", "price_ticks", "quantity_lots"))
        keys = np.stack([chunk["sequence"], chunk["venue_time_ns"], chunk["snapshot"]])
        starts = np.flatnonzero(np.append(True, (keys[:, 1:] != keys[:, :-1]).any(axis=0)))
        floor_ticks, bids, asks = _wide_enough(floor_ticks, bids, asks, best, prices[lots > 0])
        top = np.full((4, len(prices)), -1, dtype=np.int64)
        # A snapshot begins the book anew, so deltas are applied from one to the next
        anew = starts[chunk["snapshot"][starts] > 0]
        edges = np.unique(np.concatenate([[0], anew, [len(prices)]]))
        for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if chunk["snapshot"][first] and first in anew:
                bids[:], asks[:], ready = 0, 0, True
                best[:] = -1, len(bids)
            if ready:
                part = slice(first, last)
                kernels.apply_deltas(bids, asks, floor_ticks, best, sides[part], prices[part], lots[part], top[:, part])
        ends = np.append(starts[1:], len(prices)) - 1
        yield np.stack([chunk["venue_time_ns"][ends], top[0, ends], top[2, ends], top[1, ends], top[3, ends]])


def _wide_enough(floor_ticks: int, bids: Ints, asks: Ints, best: Ints, prices: Ints) -> tuple[int, Ints, Ints]:
    if not len(prices):
        return floor_ticks, bids, asks
    low, high = int(prices.min()), int(prices.max())
    cells = len(bids)
    if cells and low >= floor_ticks and high < floor_ticks + cells:
        return floor_ticks, bids, asks
    new_floor = low - CELLS_SPARE if not cells else min(floor_ticks, low - CELLS_SPARE)
    new_end = max(floor_ticks + cells, high + CELLS_SPARE) if cells else high + CELLS_SPARE
    if new_end - new_floor > CELLS_MAX:
        raise _TooWide
    grown = np.zeros((2, new_end - new_floor), dtype=np.int64)
    shift = floor_ticks - new_floor
    grown[0, shift : shift + cells], grown[1, shift : shift + cells] = bids, asks
    best[0] = best[0] + shift if best[0] >= 0 else -1
    best[1] = best[1] + shift if best[1] < cells else grown.shape[1]
    return new_floor, grown[0], grown[1]


def _book(name: InstrumentId, chunks: Iterator[dict[str, Array]]) -> Iterator[Array]:
    book = Book(name)
    rows: list[tuple[int, int, int, int, int]] = []
    for update in updates(name, chunks):
        book.apply(update)
        bid, ask = book.best_bid(), book.best_ask()
        if book.guard() is Guard.OK and bid is not None and ask is not None:
            rows.append((update.venue_time_ns, bid[0], ask[0], bid[1], ask[1]))
        else:
            rows.append((update.venue_time_ns, -1, -1, 0, 0))
    yield np.array(rows, dtype=np.int64).reshape(-1, 5).T


def _plain(kind: Kind, chunk: dict[str, Array], grid: Grid, interval_ns: int) -> Array:
    # Rows whose prices are told as they are
    if kind is Kind.QUOTES:
        return np.stack([chunk[name] for name in ("venue_time_ns", "bid_ticks", "ask_ticks", "bid_lots", "ask_lots")])
    if kind is Kind.TRADES:
        return _one_price(chunk["venue_time_ns"], chunk["price_ticks"])
    end_ns = chunk["start_ns"] + interval_ns
    if kind is Kind.QUOTE_BARS:
        none = np.zeros(len(end_ns), dtype=np.int64)
        return np.stack([end_ns, chunk["bid_close_ticks"], chunk["ask_close_ticks"], none, none])
    if "close_ticks" in chunk:
        return _one_price(end_ns, chunk["close_ticks"])
    # From a frame, whose floats are on the grid or next to it
    return _one_price(end_ns, np.rint(chunk["close"] * grid.price_denominator / grid.price_numerator).astype(np.int64))


def _one_price(time_ns: Ints, ticks: Ints) -> Array:
    none = np.zeros(len(time_ns), dtype=np.int64)
    return np.stack([time_ns, ticks, ticks, none, none])
