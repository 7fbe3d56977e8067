"""Candles of what is being traded, made as it happens. Prices are trades' and, where nothing trades, quotes' mids."""

import collections
from collections.abc import Iterable

from njord.domain.ids import InstrumentId
from njord.domain.market import Bar, Quote, Trade

# Of each instrument and interval; what is older is forgotten here
KEPT_MAX = 3_000


class _Open:
    """A candle that is still burning."""

    __slots__ = ("close", "high", "low", "open", "start_ns", "volume")

    def __init__(self, start_ns: int, price: float) -> None:
        self.start_ns = start_ns
        self.open = self.high = self.low = self.close = price
        self.volume = 0.0


class Candles:
    """All instruments' candles of some intervals. The first interval's are handed out as bars when they end."""

    def __init__(self, intervals_ns: tuple[int, ...]) -> None:
        self.intervals_ns = intervals_ns
        self._open: dict[tuple[InstrumentId, int], _Open] = {}
        self._kept: dict[tuple[InstrumentId, int], collections.deque[Bar]] = {}
        self._ended: list[Bar] = []

    def trade(self, trade: Trade) -> None:
        """Take in a trade."""
        for interval_ns in self.intervals_ns:
            self._at(trade.instrument_id, interval_ns, trade.venue_time_ns, trade.price).volume += trade.quantity

    def quote(self, quote: Quote) -> None:
        """Take in a quote of two sides."""
        for interval_ns in self.intervals_ns:
            self._at(quote.instrument_id, interval_ns, quote.venue_time_ns, quote.mid)

    def closed(self, now_ns: int) -> list[Bar]:
        """End the candles whose time is over, and return those of the first interval since the last call."""
        for (name, interval_ns), candle in list(self._open.items()):
            if now_ns >= candle.start_ns + interval_ns:
                self._end(name, interval_ns, candle)
        found, self._ended = self._ended, []
        return found

    def of(self, name: InstrumentId, interval_ns: int) -> list[Bar]:
        """Return an instrument's candles, oldest first; the last one is the one that still burns."""
        found = list(self._kept.get((name, interval_ns), ()))
        burning = self._open.get((name, interval_ns))
        return found if burning is None else [*found, _bar(name, interval_ns, burning)]

    def opened(self, name: InstrumentId, interval_ns: int, back: int) -> float | None:
        """Return what the candle so many before the newest began at, or the oldest that is known; None without any."""
        kept = self._kept.get((name, interval_ns), ())
        if kept:
            return kept[-min(back, len(kept))].open
        burning = self._open.get((name, interval_ns))
        return None if burning is None else burning.open

    def restore(self, bars: Iterable[Bar]) -> None:
        """Take back candles that were kept, oldest first."""
        for bar in bars:
            if bar.interval_ns in self.intervals_ns:
                self._of(bar.instrument_id, bar.interval_ns).append(bar)

    def kept(self) -> list[Bar]:
        """Return all candles that have ended and are still known."""
        return [bar for bars in self._kept.values() for bar in bars]

    def _at(self, name: InstrumentId, interval_ns: int, time_ns: int, price: float) -> _Open:
        start_ns = time_ns - time_ns % interval_ns
        candle = self._open.get((name, interval_ns))
        if candle is not None and start_ns > candle.start_ns:
            self._end(name, interval_ns, candle)
            candle = None
        if candle is None:
            candle = self._open[name, interval_ns] = _Open(start_ns, price)
        candle.high, candle.low, candle.close = max(candle.high, price), min(candle.low, price), price
        return candle

    def _end(self, name: InstrumentId, interval_ns: int, candle: _Open) -> None:
        del self._open[name, interval_ns]
        bar = _bar(name, interval_ns, candle)
        self._of(name, interval_ns).append(bar)
        if interval_ns == self.intervals_ns[0]:
            self._ended.append(bar)

    def _of(self, name: InstrumentId, interval_ns: int) -> collections.deque[Bar]:
        return self._kept.setdefault((name, interval_ns), collections.deque(maxlen=KEPT_MAX))


def _bar(name: InstrumentId, interval_ns: int, candle: _Open) -> Bar:
    end_ns = candle.start_ns + interval_ns
    return Bar(
        name, interval_ns, end_ns, end_ns, candle.open, candle.high, candle.low, candle.close, candle.volume
    )  # fmt: skip
