"""L2 order book in whole ticks and lots, and the guard that says when not to believe it.

Rules:
- A snapshot replaces the whole book. It is never merged into what was there.
- Deltas before the first snapshot, or after a gap, are not applied: what they would build is not the venue's book.
- An update with a sequence at or below the last one was delivered before; it is ignored and counted.
- Sequence 0 means that the venue has no update ids.
"""

import enum
import hashlib
import struct
from bisect import bisect_left, insort

from njord.domain.ids import InstrumentId
from njord.domain.market import BookUpdate

LEVELS_SHOWN = 5

Level = tuple[int, int]  # (price_ticks, lots)


class Guard(enum.StrEnum):
    """Why a book must not be traded on, or that it may."""

    OK = "ok"
    EMPTY = "empty"  # no side has liquidity, or no snapshot has come yet
    ONE_SIDED = "one_sided"
    CROSSED = "crossed"  # best bid at or above best ask
    GAP = "gap"  # an update is missing: waiting for a snapshot
    STALE = "stale"  # nothing has come for too long


class Book:
    """One instrument's bids and asks, as the updates applied so far leave them."""

    __slots__ = (
        "_ask_lots", "_ask_ticks", "_bid_lots", "_bid_ticks", "_gap", "_ready", "ignored", "instrument_id",
        "local_time_ns", "sequence", "stale_after_ns", "venue_time_ns",
    )  # fmt: skip

    def __init__(self, instrument_id: InstrumentId, stale_after_ns: int | None = None) -> None:
        self.instrument_id = instrument_id
        self.stale_after_ns = stale_after_ns
        self.sequence = 0
        self.venue_time_ns = 0
        self.local_time_ns = 0
        self.ignored = 0  # Updates not applied: late, or against a book we do not have
        self._bid_lots: dict[int, int] = {}
        self._ask_lots: dict[int, int] = {}
        # Ascending. The best bid is last, the best ask first
        self._bid_ticks: list[int] = []
        self._ask_ticks: list[int] = []
        self._ready = False
        self._gap = False

    def apply(self, update: BookUpdate) -> bool:
        """Apply an update; return whether the book took it."""
        assert update.instrument_id == self.instrument_id, (update.instrument_id, self.instrument_id)
        if update.snapshot:
            self._replace(update)
        elif not self._ready or self._gap or 0 < update.sequence <= self.sequence:
            self.ignored += 1
            return False
        else:
            for ticks, lots in update.bids:
                _set(self._bid_lots, self._bid_ticks, ticks, lots)
            for ticks, lots in update.asks:
                _set(self._ask_lots, self._ask_ticks, ticks, lots)
        self.sequence = update.sequence
        self.venue_time_ns = update.venue_time_ns
        self.local_time_ns = update.local_time_ns
        return True

    def mark_gap(self) -> None:
        """Say that an update is missing. Until the next snapshot the guard is GAP and deltas are ignored."""
        self._gap = True

    def best_bid(self) -> Level | None:
        """Return (price_ticks, lots) of the highest bid."""
        if not self._bid_ticks:
            return None
        ticks = self._bid_ticks[-1]
        return ticks, self._bid_lots[ticks]

    def best_ask(self) -> Level | None:
        """Return (price_ticks, lots) of the lowest ask."""
        if not self._ask_ticks:
            return None
        ticks = self._ask_ticks[0]
        return ticks, self._ask_lots[ticks]

    def depth(self, levels: int) -> tuple[list[Level], list[Level]]:
        """Return the best ``levels`` bids and asks, best first."""
        assert levels > 0, levels
        bids = [(ticks, self._bid_lots[ticks]) for ticks in self._bid_ticks[: -levels - 1 : -1]]
        asks = [(ticks, self._ask_lots[ticks]) for ticks in self._ask_ticks[:levels]]
        return bids, asks

    def lots_at(self, price_ticks: int) -> tuple[int, int]:
        """Return the lots bid and offered at a price."""
        return self._bid_lots.get(price_ticks, 0), self._ask_lots.get(price_ticks, 0)

    @property
    def levels(self) -> tuple[int, int]:
        """How many bid and ask levels there are."""
        return len(self._bid_ticks), len(self._ask_ticks)

    @property
    def is_crossed(self) -> bool:
        return bool(self._bid_ticks and self._ask_ticks) and self._bid_ticks[-1] >= self._ask_ticks[0]

    def guard(self, now_ns: int | None = None) -> Guard:
        """Return why this book must not be traded on, the gravest reason first. ``now_ns`` is local time."""
        if self._gap:
            return Guard.GAP
        if not self._bid_ticks and not self._ask_ticks:
            return Guard.EMPTY
        if not self._bid_ticks or not self._ask_ticks:
            return Guard.ONE_SIDED
        if self._bid_ticks[-1] >= self._ask_ticks[0]:
            return Guard.CROSSED
        if now_ns is not None and self.stale_after_ns is not None and now_ns - self.local_time_ns > self.stale_after_ns:
            return Guard.STALE
        return Guard.OK

    def state_hash(self) -> str:
        """Return SHA-256 of all levels: equal books give equal hashes, whatever path led there."""
        digest = hashlib.sha256()
        sides = ((b"bids", self._bid_ticks, self._bid_lots), (b"asks", self._ask_ticks, self._ask_lots))
        for name, ladder, lots_of in sides:
            digest.update(name + struct.pack("<q", len(ladder)))
            # Prices and lots fit 64 bits, as they do in the catalog
            flat = [value for ticks in ladder for value in (ticks, lots_of[ticks])]
            digest.update(struct.pack(f"<{len(flat)}q", *flat))
        return digest.hexdigest()

    def __repr__(self) -> str:
        # Top levels only: a full book in a log line is 100 kB
        bids, asks = self.depth(LEVELS_SHOWN)
        return f"Book({self.instrument_id}, {self.guard()}, sequence={self.sequence}, bids={bids}, asks={asks})"

    def _replace(self, update: BookUpdate) -> None:
        # As in any update, the last word on a level counts
        self._bid_lots = {ticks: lots for ticks, lots in dict(update.bids).items() if lots > 0}
        self._ask_lots = {ticks: lots for ticks, lots in dict(update.asks).items() if lots > 0}
        self._bid_ticks = sorted(self._bid_lots)
        self._ask_ticks = sorted(self._ask_lots)
        self._ready = True
        self._gap = False


def _set(lots_of: dict[int, int], ladder: list[int], ticks: int, lots: int) -> None:
    if lots > 0:
        if ticks not in lots_of:
            insort(ladder, ticks)
        lots_of[ticks] = lots
    elif lots_of.pop(ticks, None) is not None:
        del ladder[bisect_left(ladder, ticks)]
