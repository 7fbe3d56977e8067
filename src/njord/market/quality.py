"""What is odd about a data set: holes, jumps, crossed prices, silence, disorder. It reports; it never repairs.

Each kind of data has a check which takes chunks in order and then gives its findings. Findings list the first
FIRST_SHOWN occurrences and count all. Calendars are unknown here: a weekend of an equity is a gap.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S, iso
from njord.domain.ids import InstrumentId
from njord.domain.market import Kind
from njord.market.book import Book
from njord.market.book_history import updates
from njord.market.catalog import Catalog, Columns, DatasetId

FIRST_SHOWN = 5
JUMP_RATIO_MIN = 0.2
SILENCE_NS_MIN = 60 * NS_PER_S

Array = npt.NDArray[Any]
Findings = dict[str, Any]


class Check(Protocol):
    """Takes chunks of one data set in order, then says what it found."""

    def add(self, columns: Columns) -> None: ...

    def findings(self) -> Findings: ...


def check_of(dataset_id: DatasetId) -> Check:
    """Return a fresh check for a data set."""
    match dataset_id.kind:
        case Kind.BARS | Kind.QUOTE_BARS:
            assert dataset_id.interval_ns is not None
            return BarCheck(dataset_id.interval_ns)
        case Kind.QUOTES:
            return QuoteCheck()
        case Kind.TRADES:
            return TradeCheck()
        case Kind.BOOK:
            return BookCheck(dataset_id.instrument_id)
        case _:
            return EventCheck()


def quality(
    catalog: Catalog, dataset_id: DatasetId, start_ns: int | None = None, end_ns: int | None = None
) -> Findings:
    """Return what is odd about a stored data set, reading it once in bounded memory."""
    return checked_chunks(dataset_id, catalog.read(dataset_id, start_ns, end_ns))


def checked_chunks(dataset_id: DatasetId, chunks: Iterable[Columns]) -> Findings:
    """Return what is odd about chunks of columns of a kind."""
    check = check_of(dataset_id)
    for chunk in chunks:
        check.add(chunk)
    return check.findings()


class _Steps:
    """Time between rows: going back, standing still, and holes."""

    def __init__(self) -> None:
        self.rows = self.disorder = self.repeats = self.gaps = self.missing = 0
        self.largest_ns = 0
        self.first: list[Findings] = []
        self._last_ns: int | None = None

    def add(self, times_ns: Array, hole_over_ns: int, interval_ns: int | None = None) -> None:
        self.rows += len(times_ns)
        whole = times_ns if self._last_ns is None else np.concatenate([[self._last_ns], times_ns])
        if len(times_ns):
            self._last_ns = int(times_ns[-1])
        steps = np.diff(whole)
        self.disorder += int((steps < 0).sum())
        self.repeats += int((steps == 0).sum())
        holes = np.flatnonzero(steps > hole_over_ns)
        self.gaps += len(holes)
        if not len(holes):
            return
        self.largest_ns = max(self.largest_ns, int(steps[holes].max()))
        if interval_ns:
            self.missing += int((-(-steps[holes] // interval_ns) - 1).sum())
        for at in holes[: FIRST_SHOWN - len(self.first)].tolist():
            hole: Findings = {"after": iso(int(whole[at])), "before": iso(int(whole[at + 1]))}
            self.first.append(hole | ({"missing": int(-(-steps[at] // interval_ns) - 1)} if interval_ns else {}))


class _Jumps:
    """Prices that move by more than JUMP_RATIO_MIN from one row to the next."""

    def __init__(self) -> None:
        self.count, self.largest = 0, 0.0
        self.first: list[Findings] = []
        self._last: float | None = None

    def add(self, times_ns: Array, prices: Array) -> None:
        whole = prices.astype(np.float64)
        times = times_ns
        if self._last is not None:
            whole = np.concatenate([[self._last], whole])
            times = np.concatenate([times_ns[:1], times_ns])
        if len(whole):
            self._last = float(whole[-1])
        before = np.where(whole[:-1] > 0, whole[:-1], np.nan)
        moves = np.nan_to_num(np.abs(whole[1:] / before - 1))
        jumps = np.flatnonzero(moves > JUMP_RATIO_MIN)
        self.count += len(jumps)
        self.largest = max(self.largest, float(moves.max(initial=0.0)))
        for at in jumps[: FIRST_SHOWN - len(self.first)].tolist():
            self.first.append({"at": iso(int(times[at + 1])), "ratio": round(float(whole[at + 1] / whole[at]), 4)})

    def findings(self) -> Findings:
        return {"price_jumps": self.count, "largest_move": round(self.largest, 6), "first_jumps": self.first}


class BarCheck:
    """Bars and quote bars."""

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns
        self._steps, self._jumps = _Steps(), _Jumps()
        self._zero_volume = self._crossed = self._off_interval = self._impossible = 0
        self._first_ns: int | None = None
        self._quotes = False

    def add(self, columns: Columns) -> None:
        times = columns["start_ns"]
        if self._first_ns is None and len(times):
            self._first_ns = int(times[0])
        self._steps.add(times, self._interval_ns, self._interval_ns)
        # Days of a place with summer time are not all 24 hours
        if self._interval_ns < NS_PER_DAY:
            self._off_interval += int(((times - (self._first_ns or 0)) % self._interval_ns != 0).sum())
        self._quotes = "bid_close_ticks" in columns
        if self._quotes:
            self._crossed += int((columns["bid_close_ticks"] > columns["ask_close_ticks"]).sum())
            self._jumps.add(times, columns["bid_close_ticks"] + columns["ask_close_ticks"])
            sides = [{key: columns[f"{side}_{key}_ticks"] for key in _POINTS} for side in ("bid", "ask")]
        else:
            self._zero_volume += int((columns["volume"] == 0).sum())
            self._jumps.add(times, columns["close_ticks"])
            sides = [{key: columns[f"{key}_ticks"] for key in _POINTS}]
        for side in sides:
            top, bottom = np.maximum(side["open"], side["close"]), np.minimum(side["open"], side["close"])
            self._impossible += int(((side["high"] < top) | (side["low"] > bottom)).sum())

    def findings(self) -> Findings:
        steps = self._steps
        out: Findings = {
            "rows": steps.rows,
            "gaps": steps.gaps,
            "missing_bars": steps.missing,
            "largest_gap_bars": max(0, -(-steps.largest_ns // self._interval_ns) - 1),
            "first_gaps": steps.first,
            "duplicates": steps.repeats,
            "disorder": steps.disorder,
            "off_interval": self._off_interval,
            "impossible_prices": self._impossible,
            **self._jumps.findings(),
        }
        return out | ({"crossed": self._crossed} if self._quotes else {"zero_volume": self._zero_volume})


class QuoteCheck:
    """Best bids and asks."""

    def __init__(self) -> None:
        self._steps, self._jumps = _Steps(), _Jumps()
        self._crossed = self._locked = self._one_sided = self._unchanged = 0
        self._clock = _ClockSkew()

    def add(self, columns: Columns) -> None:
        bid, ask = columns["bid_ticks"], columns["ask_ticks"]
        both = (columns["bid_lots"] > 0) & (columns["ask_lots"] > 0)
        self._steps.add(columns["venue_time_ns"], SILENCE_NS_MIN)
        self._clock.add(columns)
        self._crossed += int((both & (bid > ask)).sum())
        self._locked += int((both & (bid == ask)).sum())
        self._one_sided += int((~both).sum())
        self._jumps.add(columns["venue_time_ns"][both], (bid + ask)[both])

    def findings(self) -> Findings:
        found = {"crossed": self._crossed, "locked": self._locked, "one_sided": self._one_sided}
        return _silences(self._steps) | found | self._jumps.findings() | self._clock.findings()


class TradeCheck:
    """Trades. Ids that the venue counts up by one show lost trades."""

    def __init__(self) -> None:
        self._steps, self._jumps, self._clock = _Steps(), _Jumps(), _ClockSkew()
        self._repeated_ids = self._missing_ids = 0
        self._last_id = 0

    def add(self, columns: Columns) -> None:
        self._steps.add(columns["venue_time_ns"], SILENCE_NS_MIN)
        self._clock.add(columns)
        self._jumps.add(columns["venue_time_ns"], columns["price_ticks"])
        ids = columns["trade_id"]
        if len(ids) and (ids > 0).all():
            steps = np.diff(ids if not self._last_id else np.concatenate([[self._last_id], ids]))
            self._repeated_ids += int((steps == 0).sum())
            self._missing_ids += int((steps[steps > 1] - 1).sum())
            self._last_id = int(ids[-1])

    def findings(self) -> Findings:
        ids = {"repeated_ids": self._repeated_ids, "missing_ids": self._missing_ids}
        return _silences(self._steps) | ids | self._jumps.findings() | self._clock.findings()


class BookCheck:
    """Book updates, judged by the book they build."""

    def __init__(self, instrument_id: InstrumentId) -> None:
        self._book = Book(instrument_id)
        self._steps, self._clock = _Steps(), _ClockSkew()
        self._rest: dict[str, Array] = {}
        self._updates = self._snapshots = self._crossed = self._one_sided = 0
        self._first_crossed: list[str] = []

    def add(self, columns: Columns) -> None:
        self._steps.add(columns["venue_time_ns"], SILENCE_NS_MIN)
        self._clock.add(columns)
        whole = dict(columns)
        if self._rest:
            whole = {name: np.concatenate([self._rest[name], array]) for name, array in columns.items()}
        # The last update may go on in the next chunk
        sequence = whole["sequence"]
        ends = np.flatnonzero(sequence[1:] != sequence[:-1])
        cut = int(ends[-1]) + 1 if len(ends) else 0
        self._rest = {name: array[cut:] for name, array in whole.items()}
        self._apply({name: array[:cut] for name, array in whole.items()})

    def findings(self) -> Findings:
        if self._rest:
            self._apply(self._rest)
            self._rest = {}
        found = {
            "updates": self._updates,
            "snapshots": self._snapshots,
            "ignored_updates": self._book.ignored,
            "crossed": self._crossed,
            "one_sided": self._one_sided,
            "first_crossed": self._first_crossed,
        }
        return _silences(self._steps) | found | self._clock.findings()

    def _apply(self, columns: Columns) -> None:
        for update in updates(self._book.instrument_id, [columns]):
            self._book.apply(update)
            self._updates += 1
            self._snapshots += update.snapshot
            bids, asks = self._book.levels
            self._one_sided += not (bids and asks)
            if self._book.is_crossed:
                self._crossed += 1
                if len(self._first_crossed) < FIRST_SHOWN:
                    self._first_crossed.append(iso(update.venue_time_ns))


class EventCheck:
    """Funding, actions and status: rare events, whose usual distance is found from the data."""

    def __init__(self) -> None:
        self._times: list[Array] = []

    def add(self, columns: Columns) -> None:
        self._times.append(columns["venue_time_ns"])

    def findings(self) -> Findings:
        times = np.concatenate(self._times) if self._times else np.zeros(0, dtype=np.int64)
        steps = np.diff(times)
        if not len(steps):
            return {"rows": len(times), "gaps": 0}
        # Venues stamp some milliseconds late
        values, counts = np.unique(np.round(steps / NS_PER_MINUTE), return_counts=True)
        usual_ns = int(values[counts.argmax()]) * NS_PER_MINUTE
        each = _Steps()
        each.add(times, usual_ns + usual_ns // 2, usual_ns)
        return {
            "rows": len(times),
            "usual_step_s": usual_ns / NS_PER_S,
            "gaps": each.gaps,
            "first_gaps": each.first,
            "duplicates": each.repeats,
            "disorder": each.disorder,
            "unusual_steps": int((np.abs(steps - usual_ns) > NS_PER_MINUTE).sum()),
        }


_POINTS = ("open", "high", "low", "close")


class _ClockSkew:
    """Local minus venue time. Negative means that our clock ran behind the venue's: naive latency is wrong."""

    def __init__(self) -> None:
        self._samples: list[Array] = []

    def add(self, columns: Columns) -> None:
        # A sample is enough, and keeps memory bounded
        skew = columns["local_time_ns"] - columns["venue_time_ns"]
        self._samples.append(skew[:: max(1, len(skew) // 64)])

    def findings(self) -> Findings:
        skew = np.concatenate(self._samples) if self._samples else np.zeros(0, dtype=np.int64)
        return {"median_local_minus_venue_ns": int(np.median(skew))} if len(skew) else {}


def _silences(steps: _Steps) -> Findings:
    return {
        "rows": steps.rows,
        "gaps": steps.gaps,
        "largest_gap_s": steps.largest_ns / NS_PER_S,
        "first_gaps": steps.first,
        "disorder": steps.disorder,
    }
