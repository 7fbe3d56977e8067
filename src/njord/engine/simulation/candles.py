"""Candles of what is being traded, made as it happens. Prices are trades' and, where nothing trades, quotes' mids."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np

from njord.domain.ids import InstrumentId
from njord.domain.market import Bar, Quote, Trade

# Of each instrument and interval; what is older is forgotten here. 48 bytes each
KEPT_MAX = 3_000
_LIST = b"\xdd"  # Of MessagePack, with its length in four bytes
_TIMES, _FIGURES = np.dtype("<i8"), np.dtype("<f8")


class KeptCandles(msgspec.Struct, frozen=True):
    """The candles of one instrument and interval, for a file: ends in ns, and open, high, low, close and volume."""

    instrument_id: InstrumentId
    interval_ns: int
    ends_ns: bytes  # Little-endian integers of 8 bytes, oldest first
    figures: bytes  # Five little-endian doubles for each

    def rows(self) -> list[tuple[int, list[float]]]:
        """Return end and figures of each. Raises ValueError where the two are not of the same candles."""
        ends = np.frombuffer(self.ends_ns, _TIMES)
        figures = np.frombuffer(self.figures, _FIGURES)
        if len(figures) != 5 * len(ends):
            raise ValueError(f"candles of {self.instrument_id}: {len(ends)} ends, {len(figures)} figures")
        return list(zip(ends.tolist(), figures.reshape(-1, 5).tolist(), strict=True))


class _Open:
    """A candle that is still burning."""

    __slots__ = ("close", "high", "low", "open", "start_ns", "volume")

    def __init__(self, start_ns: int, price: float) -> None:
        self.start_ns = start_ns
        self.open = self.high = self.low = self.close = price
        self.volume = 0.0

    def figures(self) -> list[float]:
        return [self.open, self.high, self.low, self.close, self.volume]


def decode(file: bytes) -> list[KeptCandles]:
    """Return what ``Candles.encoded`` made a file of. Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(file, type=list[KeptCandles])


class _Newest:
    """The newest KEPT_MAX candles of one instrument and interval, in arrays: objects would be six times as big."""

    __slots__ = ("_ends_ns", "_figures", "count")

    def __init__(self) -> None:
        self.count = 0  # Of all there ever were
        self._ends_ns = np.zeros(KEPT_MAX, _TIMES)
        self._figures = np.zeros((KEPT_MAX, 5), _FIGURES)

    def add(self, end_ns: int, figures: Sequence[float]) -> None:
        place = self.count % KEPT_MAX
        self._ends_ns[place] = end_ns
        self._figures[place] = figures
        self.count += 1

    def opened(self, back: int) -> float:
        """Return what the one so many before the newest opened at, or the oldest that is known."""
        return float(self._figures[(self.count - min(back, self.count, KEPT_MAX)) % KEPT_MAX, 0])

    def kept(self, name: InstrumentId, interval_ns: int) -> KeptCandles:
        places = np.arange(max(0, self.count - KEPT_MAX), self.count) % KEPT_MAX
        return KeptCandles(name, interval_ns, self._ends_ns[places].tobytes(), self._figures[places].tobytes())


_NONE_ENDED = _Newest()


class Candles:
    """All instruments' candles of some intervals. The first interval's are handed out as bars when they end."""

    def __init__(self, intervals_ns: tuple[int, ...]) -> None:
        self.intervals_ns = intervals_ns
        self._open: dict[tuple[InstrumentId, int], _Open] = {}
        self._kept: dict[tuple[InstrumentId, int], _Newest] = {}
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
        kept, burning = self._kept.get((name, interval_ns)), self._open.get((name, interval_ns))
        rows = [] if kept is None else kept.kept(name, interval_ns).rows()
        found = [Bar(name, interval_ns, end_ns, end_ns, *figures) for end_ns, figures in rows]
        return found if burning is None else [*found, _bar(name, interval_ns, burning)]

    def opened(self, name: InstrumentId, interval_ns: int, back: int) -> float | None:
        """Return what the candle so many before the newest began at, or the oldest that is known; None without any."""
        kept = self._kept.get((name, interval_ns))
        if kept is not None:
            return kept.opened(back)
        burning = self._open.get((name, interval_ns))
        return None if burning is None else burning.open

    def add(self, bars: Iterable[Bar]) -> None:
        """Take in candles that have ended, oldest first."""
        for bar in bars:
            figures = bar.open, bar.high, bar.low, bar.close, bar.volume
            self._of(bar.instrument_id, bar.interval_ns).add(bar.venue_time_ns, figures)

    def restore(self, kept: Iterable[KeptCandles], now_ns: int) -> None:
        """Take back what was kept; one that ends after ``now_ns`` burns on.

        Raises ValueError, and takes nothing, where that is damaged.
        """
        found = [(each, each.rows()) for each in kept if each.interval_ns in self.intervals_ns]
        for each, rows in found:
            name, interval_ns = each.instrument_id, each.interval_ns
            for end_ns, figures in rows:
                if end_ns <= now_ns:
                    self._of(name, interval_ns).add(end_ns, figures)
                else:
                    candle = self._open[name, interval_ns] = _Open(end_ns - interval_ns, figures[0])
                    candle.open, candle.high, candle.low, candle.close, candle.volume = figures

    def encoded(self) -> Iterator[bytes]:
        """Yield all candles that are known as parts of a file, as a whole it would be large: also those that burn."""
        keys = {**dict.fromkeys(self._kept), **dict.fromkeys(self._open)}
        yield _LIST + len(keys).to_bytes(4, "big")
        for key in keys:
            kept = self._kept.get(key, _NONE_ENDED).kept(*key)
            burning = self._open.get(key)
            if burning is not None:
                end = np.array([burning.start_ns + key[1]], _TIMES).tobytes()
                figures = np.array(burning.figures(), _FIGURES).tobytes()
                kept = msgspec.structs.replace(kept, ends_ns=kept.ends_ns + end, figures=kept.figures + figures)
            yield msgspec.msgpack.encode(kept)

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
        self.add([bar])
        if interval_ns == self.intervals_ns[0]:
            self._ended.append(bar)

    def _of(self, name: InstrumentId, interval_ns: int) -> _Newest:
        found = self._kept.get((name, interval_ns))
        if found is None:
            found = self._kept[name, interval_ns] = _Newest()
        return found


def _bar(name: InstrumentId, interval_ns: int, candle: _Open) -> Bar:
    end_ns = candle.start_ns + interval_ns
    return Bar(name, interval_ns, end_ns, end_ns, *candle.figures())
