"""The equity curve of a run, computed in arrays, a window of events at a time.

Cash and holdings only change at a few events and prices at all of them, so the curve is worth more as one pass of
numpy over a window than as a sum at every event. It is a chart and the basis of statistics, in floats; what the
account is worth at the end is the ledger's integer.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from njord.domain.command import Entry
from njord.domain.ids import InstrumentId
from njord.domain.instrument import Grid, Instrument
from njord.domain.market import Split
from njord.domain.money import UNITS
from njord.ledger.portfolio import Portfolio
from njord.market.feed import Window

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

# At most this many points are kept; beyond it, every second one is dropped and the spacing doubled
POINTS_MAX = 4_000_000


class _Series:
    """A step function of whole numbers: its value before the window, and its changes within it."""

    __slots__ = ("before", "now", "times_ns", "values")

    def __init__(self) -> None:
        self.before = 0
        self.now = 0
        self.times_ns: list[int] = []
        self.values: list[int] = []

    def add(self, time_ns: int, amount: int) -> None:
        self.now += amount
        self.times_ns.append(time_ns)
        self.values.append(self.now)

    def at(self, times_ns: Array, unit: int) -> Floats | float:
        """Return the value at each time, in multiples of ``unit``, and forget the changes."""
        if not self.times_ns:
            return self.before / unit
        where = np.searchsorted(self.times_ns, times_ns, side="right")
        found: Floats = np.array([self.before / unit, *(value / unit for value in self.values)])[where]
        self.before = self.now
        self.times_ns.clear()
        self.values.clear()
        return found


class EquityCurve:
    """Net asset value over time, in the account's currency: one point per moment, or per ``spacing_ns`` where given."""

    def __init__(
        self, portfolio: Portfolio, instruments: dict[InstrumentId, Instrument], feeds: list[InstrumentId],
        spacing_ns: int | None,
    ) -> None:  # fmt: skip
        self._portfolio = portfolio
        self._instruments = instruments
        self._feeds = feeds
        self.spacing_ns = spacing_ns
        self._times: list[Array] = []
        self._values: list[Floats] = []
        self._reference: list[Floats] = []  # The price of the first instrument, for buy and hold
        self._points = 0
        self._cash = {portfolio.currency: _Series()}
        self._entries: list[tuple[int, Entry]] = []  # Of the window that comes next
        self._lots = {name: _Series() for name in instruments}
        self._costs = {name: _Series() for name, i in instruments.items() if not i.paid_in_full}
        self._prices = dict.fromkeys(instruments, np.nan)
        self._splits: list[Split] = []  # Of the window that comes next
        # What one lot is worth at a price of 1 (or, inverse, at 1 / price)
        self._worth = {name: _lot_worth(instrument) for name, instrument in instruments.items()}

    def changed(self, time_ns: int, entry: Entry) -> None:
        """Take note of an entry posted because of an event at ``time_ns``."""
        self._entries.append((time_ns, entry))

    def split(self, split: Split) -> None:
        """Take note that the price of an instrument changed its meaning: what is held is worth what it was."""
        self._splits.append(split)

    def start(self, time_ns: int) -> None:
        """Put down what the account is worth before the first event, in whose name ``time_ns`` is."""
        asset = self._portfolio.currency
        self._times.append(np.array([time_ns - 1], dtype=np.int64))
        self._values.append(np.array([self._portfolio.cash[asset] / UNITS]))
        self._reference.append(np.array([np.nan]))

    def add(self, window: Window) -> None:
        """Value the account at the moments of a window, all of whose events have been dealt with."""
        self._post()
        times_ns = self._moments(window.times_ns)
        prices = {name: self._price_at(name, window, times_ns) for name in self._instruments}
        self._splits.clear()
        equity = np.zeros(len(times_ns))
        for asset, series in self._cash.items():
            equity += np.nan_to_num(series.at(times_ns, UNITS) * self._rate(asset, prices))
        for name, instrument in self._instruments.items():
            lots, price = self._lots[name].at(times_ns, 1), prices[name]
            if instrument.inverse:
                with np.errstate(divide="ignore"):
                    worth = -lots * self._worth[name] / price
            else:
                worth = lots * self._worth[name] * price
            if name in self._costs:
                worth = worth - self._costs[name].at(times_ns, UNITS)
            equity += np.nan_to_num(worth * self._rate(instrument.settlement, prices))
        self._times.append(times_ns)
        self._values.append(equity)
        self._reference.append(prices[self._feeds[0]])
        self._points += len(times_ns)
        if self._points > POINTS_MAX:
            self._thin()

    def result(self) -> tuple[Array, Floats, Floats]:
        """Return times (int64 ns), values, and the price of the first instrument (NaN before it has one)."""
        if not self._times:
            return np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0)
        times_ns, values = np.concatenate(self._times), np.concatenate(self._values)
        prices = np.concatenate(self._reference)
        if self.spacing_ns is not None and len(times_ns):
            # A bucket that two windows share has its last point only
            bucket = times_ns // self.spacing_ns
            last = np.append(bucket[1:] != bucket[:-1], True)
            last[0] = True  # What it was worth before the first event is where every return begins
            return times_ns[last], values[last], prices[last]
        return times_ns, values, prices

    def _post(self) -> None:
        # From the entries alone: a second account of the cash and holdings, beside the portfolio's own
        for time_ns, entry in self._entries:
            instrument, cost = None, 0
            for posting in entry.postings:
                account, asset, amount = posting.account, posting.asset, posting.amount
                if account == "cash":
                    series = self._cash.get(asset)
                    if series is None:
                        series = self._cash[asset] = _Series()
                    series.add(time_ns, amount)
                elif account == "market":
                    instrument = InstrumentId(asset)
                    self._lots[instrument].add(time_ns, -amount)
                elif account == "position":
                    cost = amount  # Of the instrument's own leg first, then of the money leg, which counts
            if instrument in self._costs:
                self._costs[instrument].add(time_ns, cost)
        self._entries.clear()

    def _moments(self, times_ns: Array) -> Array:
        keys = times_ns if self.spacing_ns is None else times_ns // self.spacing_ns
        if len(keys) < 2:
            return times_ns
        moments: Array = times_ns[np.append(keys[1:] != keys[:-1], True)]
        return moments

    def _price_at(self, name: InstrumentId, window: Window, times_ns: Array) -> Floats:
        if window.codes is None:
            own_times, own_marks = window.times_ns, window.marks
            if self._feeds[0] != name:
                own_marks = own_marks[:0]
                own_times = own_times[:0]
        else:
            codes = [code for code, feed in enumerate(self._feeds) if feed == name]
            own = np.isin(window.codes, codes)
            own_times, own_marks = window.times_ns[own], window.marks[own]
        known = ~np.isnan(own_marks)
        if not known.all():
            own_times, own_marks = own_times[known], own_marks[known]
        for split in self._splits:
            if split.instrument_id == name:
                position = int(np.searchsorted(own_times, split.venue_time_ns))
                before = own_marks[position - 1] if position else self._prices[name]
                own_times = np.insert(own_times, position, split.venue_time_ns)
                own_marks = np.insert(own_marks, position, before * split.denominator / split.numerator)
        where = np.searchsorted(own_times, times_ns, side="right")
        prices: Floats = np.concatenate([[self._prices[name]], own_marks])[where]
        if len(own_marks):
            self._prices[name] = float(own_marks[-1])
        return prices

    def _rate(self, asset: str, prices: dict[InstrumentId, Floats]) -> Any:
        rate: Any = 1.0
        for pair, backwards in self._portfolio.converter.path(asset):
            rate = rate / prices[pair] if backwards else rate * prices[pair]
        return rate

    def _thin(self) -> None:
        times_ns, values = np.concatenate(self._times), np.concatenate(self._values)
        self._times, self._values = [times_ns[1::2]], [values[1::2]]
        self._reference = [np.concatenate(self._reference)[1::2]]
        self._points = len(self._times[0])


def _lot_worth(instrument: Instrument) -> float:
    grid = Grid.of(instrument)
    worth: float = grid.value_numerator / grid.value_denominator / UNITS
    tick: float = grid.price_numerator / grid.price_denominator
    return worth * tick if grid.inverse else worth / tick
