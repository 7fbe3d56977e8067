"""Feeds: columns of market data become events, and several feeds become one, in time order.

Events of one moment come in a fixed order: by kind (trading status and corporate actions first, bars last), then in
the order the feeds were given. So neither the size of chunks nor the machine can change what a strategy sees.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from njord.domain.ids import InstrumentId
from njord.domain.instrument import Grid
from njord.domain.market import (
    Aggressor,
    Bar,
    BookUpdate,
    Dividend,
    Funding,
    Kind,
    MarketEvent,
    Quote,
    QuoteBar,
    Split,
    Trade,
    TradingStatus,
)

# Small enough that a chunk of events and the code that works on them share the cache: a larger one is slower
CHUNK_ROWS = 2_048
# One moment may not hold more events than this: merging needs all of a moment in memory at once
MOMENT_EVENTS_MAX = 4_000_000

Array = npt.NDArray[Any]
Chunk = dict[str, Array]

_PRECEDENCE = (
    Kind.STATUS, Kind.ACTIONS, Kind.FUNDING, Kind.BOOK, Kind.QUOTES, Kind.TRADES, Kind.QUOTE_BARS, Kind.BARS,
)  # fmt: skip


class Line(Protocol):
    """How market data travels to us."""

    @property
    def instant(self) -> bool: ...
    def all_arrive_ns(self, sent_ns: Array, /) -> Array: ...


class Window(NamedTuple):
    """Events in time order. ``marks`` is the price each left its instrument at, NaN where it says nothing of it."""

    events: list[MarketEvent]
    times_ns: Array
    marks: Array
    codes: Array | None  # Which feed each came from; None where there is only one


class Feed:
    """One data set as events. ``line`` says when each of them reaches us; without one, at once."""

    def __init__(
        self, instrument_id: InstrumentId, kind: Kind, interval_ns: int | None, grid: Grid,
        chunks: Iterable[Chunk], line: Line | None = None,
    ) -> None:  # fmt: skip
        self.instrument_id = instrument_id
        self.kind = kind
        self.interval_ns = interval_ns
        self.grid = grid
        self._chunks = chunks
        self._line = None if line is None or line.instant else line
        self.events = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None

    def clocks(self, times_ns: Array) -> tuple[list[int], list[int]]:
        """Return when each event was true at the venue, and when it reaches us. Chunks are given in order."""
        times = times_ns.tolist()
        return times, times if self._line is None else self._line.all_arrive_ns(times_ns).tolist()

    def __iter__(self) -> Iterator[Window]:
        decode = _DECODE[self.kind]
        for chunk in self._chunks:
            window = decode(self, chunk)
            if window.events:
                self.events += len(window.events)
                self.first_ns = int(window.times_ns[0]) if self.first_ns is None else self.first_ns
                self.last_ns = int(window.times_ns[-1])
            yield window


def merge(feeds: list[Feed]) -> Iterator[Window]:
    """Yield the events of all feeds in one order. ``codes`` are positions in ``feeds``."""
    if len(feeds) == 1:
        yield from feeds[0]
        return
    order = sorted(range(len(feeds)), key=lambda code: (_PRECEDENCE.index(feeds[code].kind), code))
    sources = [_Source(code, iter(feeds[code])) for code in order]
    while True:
        sources = [source for source in sources if source.fill()]
        if not sources:
            return
        # What comes at the last loaded moment of a feed may go on in its next chunk, so stop short of it
        open_ends = [source.last_ns for source in sources if not source.ended]
        horizon_ns = min(open_ends) if open_ends else None
        window = _interleave([source.take(horizon_ns) for source in sources])
        if window is not None:
            yield window
        else:
            for source in sources:
                if not source.ended and source.last_ns == horizon_ns:
                    source.extend()


class _Source:
    """What is loaded of one feed and not yet taken."""

    def __init__(self, code: int, windows: Iterator[Window]) -> None:
        self.code = code
        self.ended = False
        self._windows = windows
        self._window: Window | None = None

    @property
    def last_ns(self) -> int:
        assert self._window is not None
        return int(self._window.times_ns[-1])

    def fill(self) -> bool:
        while self._window is None or len(self._window.events) == 0:
            self._window = next(self._windows, None)
            if self._window is None:
                self.ended = True
                return False
        return True

    def extend(self) -> None:
        more = next(self._windows, None)
        if more is None:
            self.ended = True
            return
        assert self._window is not None
        if len(self._window.events) > MOMENT_EVENTS_MAX:
            raise ValueError(f"more than {MOMENT_EVENTS_MAX} events at {self.last_ns} ns: cannot be put in order")
        old = self._window
        self._window = Window(
            old.events + more.events, np.concatenate([old.times_ns, more.times_ns]),
            np.concatenate([old.marks, more.marks]), None,
        )  # fmt: skip

    def take(self, before_ns: int | None) -> tuple[int, Window]:
        window = self._window
        assert window is not None
        count = len(window.events) if before_ns is None else int(np.searchsorted(window.times_ns, before_ns))
        self._window = Window(window.events[count:], window.times_ns[count:], window.marks[count:], None)
        return self.code, Window(window.events[:count], window.times_ns[:count], window.marks[:count], None)


def _interleave(taken: list[tuple[int, Window]]) -> Window | None:
    taken = [(code, window) for code, window in taken if window.events]
    if not taken:
        return None
    times_ns = np.concatenate([window.times_ns for _, window in taken])
    marks = np.concatenate([window.marks for _, window in taken])
    codes = np.repeat([code for code, _ in taken], [len(window.events) for _, window in taken])
    events = [event for _, window in taken for event in window.events]
    if len(taken) > 1:
        order = np.argsort(times_ns, kind="stable")
        times_ns, marks, codes = times_ns[order], marks[order], codes[order]
        events = [events[position] for position in order.tolist()]
    return Window(events, times_ns, marks, codes)


def _prices(ticks: Array, grid: Grid) -> Array:
    # One correctly rounded division, so each is the float its decimal text reads as
    scaled = ticks if grid.price_numerator == 1 else ticks * grid.price_numerator
    return scaled / grid.price_denominator


def _sizes(lots: Array, grid: Grid) -> Array:
    scaled = lots if grid.lot_numerator == 1 else lots * grid.lot_numerator
    return scaled / grid.lot_denominator


def _bars(feed: Feed, chunk: Chunk) -> Window:
    interval_ns = feed.interval_ns
    assert interval_ns is not None, feed.instrument_id
    times_ns = chunk["start_ns"] + interval_ns
    if "open" in chunk:  # From a frame: exactly the floats it holds
        columns = [chunk[name] for name in ("open", "high", "low", "close")]
    else:
        columns = [_prices(chunk[f"{name}_ticks"], feed.grid) for name in ("open", "high", "low", "close")]
    times, local = feed.clocks(times_ns)
    count = len(times)
    events: list[MarketEvent] = list(
        map(
            Bar, [feed.instrument_id] * count, [interval_ns] * count, times,
            local,
            *(column.tolist() for column in columns), chunk["volume"].tolist(),
        )
    )  # fmt: skip
    return Window(events, times_ns, columns[3], None)


def _quote_bars(feed: Feed, chunk: Chunk) -> Window:
    interval_ns = feed.interval_ns
    assert interval_ns is not None, feed.instrument_id
    times_ns = chunk["start_ns"] + interval_ns
    sides = {
        side: [_prices(chunk[f"{side}_{name}_ticks"], feed.grid) for name in ("open", "high", "low", "close")]
        for side in ("bid", "ask")
    }
    mids = [(bid + ask) / 2 for bid, ask in zip(sides["bid"], sides["ask"], strict=True)]
    volume = chunk["bid_size"] + chunk["ask_size"]
    times, local = feed.clocks(times_ns)
    count = len(times)
    events: list[MarketEvent] = list(
        map(
            QuoteBar, [feed.instrument_id] * count, [interval_ns] * count, times, local,
            *(column.tolist() for column in (*mids, volume, *sides["bid"], *sides["ask"])),
        )
    )  # fmt: skip
    return Window(events, times_ns, mids[3], None)


def _quotes(feed: Feed, chunk: Chunk) -> Window:
    times_ns = chunk["venue_time_ns"]
    bid, ask = _prices(chunk["bid_ticks"], feed.grid), _prices(chunk["ask_ticks"], feed.grid)
    times, local = feed.clocks(times_ns)
    count = len(times)
    events: list[MarketEvent] = list(
        map(
            Quote, [feed.instrument_id] * count, times,
            local,
            bid.tolist(), ask.tolist(), _sizes(chunk["bid_lots"], feed.grid).tolist(),
            _sizes(chunk["ask_lots"], feed.grid).tolist(),
            *(chunk[name].tolist() for name in ("bid_ticks", "ask_ticks", "bid_lots", "ask_lots")),
        )
    )  # fmt: skip
    two_sided = (chunk["bid_lots"] > 0) & (chunk["ask_lots"] > 0)
    return Window(events, times_ns, np.where(two_sided, (bid + ask) / 2, np.nan), None)


def _trades(feed: Feed, chunk: Chunk) -> Window:
    times_ns = chunk["venue_time_ns"]
    price = _prices(chunk["price_ticks"], feed.grid)
    times, local = feed.clocks(times_ns)
    count = len(times)
    who = {int(value): value for value in Aggressor}
    events: list[MarketEvent] = list(
        map(
            Trade, [feed.instrument_id] * count, times,
            local,
            price.tolist(), _sizes(chunk["quantity_lots"], feed.grid).tolist(), chunk["price_ticks"].tolist(),
            chunk["quantity_lots"].tolist(), [who[value] for value in chunk["aggressor"].tolist()],
        )
    )  # fmt: skip
    return Window(events, times_ns, price, None)


def _funding(feed: Feed, chunk: Chunk) -> Window:
    times_ns = chunk["venue_time_ns"]
    times, local = feed.clocks(times_ns)
    events: list[MarketEvent] = [
        Funding(feed.instrument_id, time_ns, local_ns, rate, mark if mark >= 0 else None)
        for time_ns, local_ns, rate, mark in zip(
            times, local, chunk["rate_pico"].tolist(), chunk["mark_ticks"].tolist(), strict=True
        )
    ]
    return Window(events, times_ns, np.full(len(events), np.nan), None)


def _actions(feed: Feed, chunk: Chunk) -> Window:
    times_ns = chunk["venue_time_ns"]
    times, local = feed.clocks(times_ns)
    names = ("action", "numerator", "denominator", "amount_units_text")
    events: list[MarketEvent] = [
        Split(feed.instrument_id, time_ns, local_ns, numerator, denominator)
        if action == 1
        else Dividend(feed.instrument_id, time_ns, local_ns, int(amount))
        for time_ns, local_ns, action, numerator, denominator, amount in zip(
            times, local, *(chunk[name].tolist() for name in names), strict=True
        )
    ]
    return Window(events, times_ns, np.full(len(events), np.nan), None)


def _status(feed: Feed, chunk: Chunk) -> Window:
    times_ns = chunk["venue_time_ns"]
    times, local = feed.clocks(times_ns)
    events: list[MarketEvent] = [
        TradingStatus(feed.instrument_id, time_ns, local_ns, bool(halted))
        for time_ns, local_ns, halted in zip(times, local, chunk["halted"].tolist(), strict=True)
    ]
    return Window(events, times_ns, np.full(len(events), np.nan), None)


def _book(feed: Feed, chunk: Chunk) -> Window:
    # Rows of one (sequence, time, snapshot) are one update; whole updates come in each chunk (see whole_updates)
    keys = np.stack([chunk["sequence"], chunk["venue_time_ns"], chunk["snapshot"]])
    starts = np.flatnonzero(np.concatenate([[True], (keys[:, 1:] != keys[:, :-1]).any(axis=0)]))
    ends = np.append(starts[1:], keys.shape[1]).tolist()
    levels = list(zip(chunk["price_ticks"].tolist(), chunk["quantity_lots"].tolist(), strict=True))
    is_bid = (chunk["side"] > 0).tolist()
    times_ns = chunk["venue_time_ns"][starts]
    times, local = feed.clocks(times_ns)
    sequences = chunk["sequence"][starts].tolist()
    snapshots = chunk["snapshot"][starts].tolist()
    events: list[MarketEvent] = []
    for position, (start, end, time_ns) in enumerate(zip(starts.tolist(), ends, times, strict=True)):
        bids = tuple(level for level, bid in zip(levels[start:end], is_bid[start:end], strict=True) if bid)
        asks = tuple(level for level, bid in zip(levels[start:end], is_bid[start:end], strict=True) if not bid)
        events.append(
            BookUpdate(
                feed.instrument_id, time_ns, local[position], sequences[position], bool(snapshots[position]),
                bids if bids != ((0, 0),) else (), asks if asks != ((0, 0),) else (),
            )
        )  # fmt: skip
    return Window(events, times_ns, np.full(len(events), np.nan), None)


def whole_updates(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Regroup chunks of book rows so that no update is cut in two. Raises ValueError on an endless one."""
    rest: Chunk | None = None
    for chunk in chunks:
        if rest is not None:
            chunk = {name: np.concatenate([rest[name], chunk[name]]) for name in chunk}
        rows = len(chunk["sequence"])
        if rows > MOMENT_EVENTS_MAX:
            raise ValueError(f"a book update of more than {MOMENT_EVENTS_MAX} levels")
        last = (chunk["sequence"][-1], chunk["venue_time_ns"][-1], chunk["snapshot"][-1])
        same = np.ones(rows, dtype=bool)
        for name, value in zip(("sequence", "venue_time_ns", "snapshot"), last, strict=True):
            same &= chunk[name] == value
        cut = rows - int(np.argmin(same[::-1])) if not same.all() else 0
        if cut:
            yield {name: array[:cut] for name, array in chunk.items()}
        rest = {name: array[cut:] for name, array in chunk.items()}
    if rest is not None and len(rest["sequence"]):
        yield rest


_DECODE: dict[Kind, Callable[[Feed, Chunk], Window]] = {
    Kind.BARS: _bars,
    Kind.QUOTE_BARS: _quote_bars,
    Kind.QUOTES: _quotes,
    Kind.TRADES: _trades,
    Kind.BOOK: _book,
    Kind.FUNDING: _funding,
    Kind.ACTIONS: _actions,
    Kind.STATUS: _status,
}
