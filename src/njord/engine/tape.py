"""Tapes: market data straight from the catalog as the columns that compiled code runs over, a bounded piece at a time.

The order of events is that of ``market.feed.merge``: by time, then by kind, then as the data were named.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from njord.domain.market import Aggressor, Kind
from njord.market.feed import MOMENT_EVENTS_MAX, Chunk
from njord.venues.simulated.kernels.layout import (
    ASK,
    BID,
    CLEAR,
    HALT,
    LAST,
    RESUME,
    TRADE_BUY,
    TRADE_SELL,
    TRADE_UNKNOWN,
    Tape,
)

Array = npt.NDArray[Any]

TAPE_ROWS = 524_288
KINDS = (Kind.STATUS, Kind.BOOK, Kind.TRADES)  # In the order they have at one moment
_NO_ENTRIES = np.zeros(0, dtype=np.int64)


class Stream:
    """One data set as pieces of tape. ``market`` is the number of its instrument."""

    def __init__(self, kind: Kind, market: int, chunks: Iterable[Chunk]) -> None:
        self.kind, self.market = kind, market
        self.ended = False
        self.events = 0
        self.first_ns: int | None = None
        self.last_event_ns: int | None = None
        self._chunks = iter(chunks)
        self._piece: Tape | None = None

    @property
    def last_ns(self) -> int:
        """The moment up to which it is loaded."""
        assert self._piece is not None
        return int(self._piece.times_ns[-1])

    def fill(self) -> bool:
        """Load more where nothing is left. Return whether there is anything."""
        while self._piece is None or not len(self._piece.times_ns):
            self._piece = self._next()
            if self._piece is None:
                self.ended = True
                return False
        return True

    def extend(self) -> None:
        """Load more beside what is left. Raises ValueError where one moment has too many events."""
        more = self._next()
        if more is None:
            self.ended = True
            return
        assert self._piece is not None
        if len(self._piece.times_ns) > MOMENT_EVENTS_MAX:
            raise ValueError(f"more than {MOMENT_EVENTS_MAX} events at {self.last_ns} ns: cannot be put in order")
        self._piece = joined([self._piece, more])

    def take(self, before_ns: int | None) -> Tape:
        """Return what is loaded before a moment, or all."""
        piece = self._piece
        assert piece is not None
        count = len(piece.times_ns) if before_ns is None else int(np.searchsorted(piece.times_ns, before_ns))
        self._piece = part(piece, count, None)
        taken = part(piece, 0, count)
        if count:
            self.events += int(np.count_nonzero(taken.what >= LAST))
            self.first_ns = int(taken.times_ns[0]) if self.first_ns is None else self.first_ns
            self.last_event_ns = int(taken.times_ns[-1])
        return taken

    def _next(self) -> Tape | None:
        chunk = next(self._chunks, None)
        return None if chunk is None else _ROWS[self.kind](chunk, self.market)


def merged(streams: list[Stream]) -> Iterator[Tape]:
    """Yield all streams as one, in pieces that hold whole moments."""
    order = sorted(streams, key=lambda stream: KINDS.index(stream.kind))  # Stable: then as they were named
    while True:
        order = [stream for stream in order if stream.fill()]
        if not order:
            return
        open_ends = [stream.last_ns for stream in order if not stream.ended]
        horizon_ns = min(open_ends) if open_ends and len(order) > 1 else None
        pieces = [stream.take(horizon_ns) for stream in order]
        pieces = [piece for piece in pieces if len(piece.times_ns)]
        if not pieces:
            for stream in order:
                if not stream.ended and stream.last_ns == horizon_ns:
                    stream.extend()
            continue
        whole = joined(pieces)
        yield whole if len(pieces) == 1 else sorted_by_time(whole)


def sorted_by_time(tape: Tape) -> Tape:
    """Return a tape in order of time; rows of one moment stay as they are."""
    rows = np.argsort(tape.times_ns, kind="stable")
    return Tape(*(column[rows] if len(column) else column for column in tape))


def joined(pieces: list[Tape]) -> Tape:
    """Return pieces one after the other."""
    if len(pieces) == 1:
        return pieces[0]
    columns = [np.concatenate(columns) for columns in zip(*(piece[:-1] for piece in pieces), strict=True)]
    entered = _NO_ENTRIES
    if any(len(piece.entered_ns) for piece in pieces):
        entered = np.concatenate(
            [piece.entered_ns if len(piece.entered_ns) else np.zeros_like(piece.times_ns) for piece in pieces]
        )
    return Tape(*(*columns, entered))


def part(tape: Tape, start: int, end: int | None) -> Tape:
    """Return some rows of a tape, without a copy."""
    return Tape(*(column[start:end] if len(column) else column for column in tape))


def _book_rows(chunk: Chunk, market: int) -> Tape:
    # Rows of one (sequence, time, snapshot) are one update; a snapshot begins by clearing the book
    sequence, times, snapshot = chunk["sequence"], chunk["venue_time_ns"], chunk["snapshot"] != 0
    price, lots = chunk["price_ticks"], chunk["quantity_lots"]
    begins = np.ones(len(times), dtype=np.bool_)
    begins[1:] = (sequence[1:] != sequence[:-1]) | (times[1:] != times[:-1]) | (snapshot[1:] != snapshot[:-1])
    what = np.where(chunk["side"] > 0, BID, ASK).astype(np.uint8)
    last = np.append(begins[1:], True)
    what[last] |= LAST
    empty = snapshot & (price == 0) & (lots == 0)  # How the catalog keeps a snapshot's empty side
    if snapshot.any():
        cleared = np.flatnonzero(begins & snapshot)
        keep = np.ones(len(times) + len(cleared), dtype=np.bool_)
        columns = [np.insert(column, cleared, column[cleared]) for column in (times, price, lots, sequence)]
        what = np.insert(what, cleared, CLEAR)
        empty = np.insert(empty, cleared, False)
        times, price, lots, sequence = columns
        # The last row of an update may be one that goes: then the row before it is the last
        gone = np.flatnonzero(empty)
        for row in gone[::-1].tolist():
            if what[row] >= LAST:
                what[row - 1] |= LAST
        keep[gone] = False
        times, price, lots, sequence, what = (column[keep] for column in (times, price, lots, sequence, what))
        is_clear = (what & (LAST - 1)) == CLEAR
        price, lots = np.where(is_clear, 0, price), np.where(is_clear, 0, lots)
    return _tape(times, what, market, price, lots, sequence)


def _trade_rows(chunk: Chunk, market: int) -> Tape:
    words = {Aggressor.BUYER: TRADE_BUY, Aggressor.SELLER: TRADE_SELL, Aggressor.UNKNOWN: TRADE_UNKNOWN}
    table = np.array([words[Aggressor(sign)] for sign in (-1, 0, 1)], dtype=np.uint8)
    what = table[chunk["aggressor"].astype(np.int64) + 1] | LAST
    times = chunk["venue_time_ns"]
    return _tape(times, what, market, chunk["price_ticks"], chunk["quantity_lots"], np.zeros_like(times))


def _status_rows(chunk: Chunk, market: int) -> Tape:
    times = chunk["venue_time_ns"]
    what = (np.where(chunk["halted"] != 0, HALT, RESUME) | LAST).astype(np.uint8)
    zeros = np.zeros_like(times)
    return _tape(times, what, market, zeros, zeros, zeros)


def _tape(times: Array, what: Array, market: int, price: Array, lots: Array, sequence: Array) -> Tape:
    return Tape(times, what, np.full(len(times), market, dtype=np.uint8), price, lots, sequence, _NO_ENTRIES)


_ROWS = {Kind.BOOK: _book_rows, Kind.TRADES: _trade_rows, Kind.STATUS: _status_rows}
